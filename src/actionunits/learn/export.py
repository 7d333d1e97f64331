"""A checkpoint as one ONNX file, for programs without PyTorch."""

import json
import warnings
from importlib.metadata import version
from pathlib import Path
from shutil import copyfile
from tempfile import TemporaryDirectory
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.export import Dim

from actionunits import weights
from actionunits.errors import UserError
from actionunits.faces.align import template
from actionunits.faces.templates import target
from actionunits.files import atomic, folder, seals, writing
from actionunits.learn import checkpoint
from actionunits.learn.card import GRAPH, INT8, WEIGHTS, Card
from actionunits.learn.card import folder as card_folder
from actionunits.learn.graph import slim
from actionunits.learn.quantize import in_bytes, rendered_faces
from actionunits.models import registry
from actionunits.system.privacy import onnx_session
from actionunits.types import AUModel, InputSpec, Output

_BATCH = 64
_TOLERANCE = 1e-3  # of probabilities, the scale of intensities, and the largest number of others
_ROUNDED = 0.005  # of probabilities that are computed in bytes, in the mean
_SCALES = {"probability": 1.0, "hidden": 1.0, "quality": 1.0, "intensity": 5.0, "sides": 5.0}


class Deployed(nn.Module):
    """A model from pixels to what users want; its normalisation is part of it.

    Args:
        model: an `AUModel`.
        embedding: give it too.
    """

    pixel_mean: Tensor  # not "mean": exporters call values of theirs by the operation of that name
    pixel_std: Tensor

    def __init__(self, model: nn.Module, *, embedding: bool = False) -> None:
        super().__init__()
        self.model, self.embedding = model, embedding
        spec = cast(AUModel, model).spec
        self.register_buffer("pixel_mean", 255 * torch.tensor(spec.mean)[:, None, None])
        self.register_buffer("pixel_std", 255 * torch.tensor(spec.std)[:, None, None])

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Read AUs.

        Args:
            images: (B, [c + T + c,] 3, size, size) RGB on 0..255.

        Returns:
            ``probability`` (B, [T,] A); where the model tells them ``intensity`` (B, [T,] A) on
            0..5, ``landmarks`` (B, [T,] 49, 2) in pixels of the images, ``sides``, ``pose``,
            ``gaze`` and ``hidden`` as in `Besides`, and ``quality`` (B, [T,]) on 0..1; if it is
            wanted ``face_embedding`` (B, [T,] E).
        """
        out: Output = self.model((images - self.pixel_mean) / self.pixel_std)
        values = {"probability": out.logits.sigmoid()}
        told = {"intensity": out.intensity, "landmarks": out.landmarks, "quality": out.quality}
        told |= {} if out.besides is None else out.besides._asdict()
        values |= {name: value for name, value in told.items() if value is not None}
        if self.embedding:
            # not "embedding", as above
            values["face_embedding"] = registry.embedding(out)
        return values


def export(name_or_path: str | Path, out: Path | str, *, embedding: bool = False) -> Path:
    """Write a checkpoint as an ONNX file, and check that it computes the same.

    Input ``images``: float32 (batch, 3, size, size), aligned faces, RGB on 0..255; a model of clips
    takes (batch, c + T + c, 3, size, size). Outputs ``probability``, all else that the model tells
    (see `Deployed.forward`), and if it is wanted ``face_embedding``: the mean over the AUs of what
    the last layer reads.
    The file's metadata hold, as JSON, the AUs, the thresholds and where the eyes, nose and mouth
    corners of an aligned face are.

    Args:
        name_or_path: weights that come with the package, or the folder of a run.
        out: the file to write.
        embedding: with that output.

    Raises:
        CheckpointError: there is no such checkpoint, or it reads no AUs.
        UserError: the model cannot be exported, the file does not compute the same, or it cannot
            be written.
    """
    out = Path(out)
    folder(out.parent)  # said before the work, not after it
    model, card = checkpoint.load(weights.locate(name_or_path))
    card.au_set()
    deployed = Deployed(model, embedding=embedding).eval()
    example = _example(card.spec, 2)
    program = _trace(deployed, example, str(name_or_path))
    for key, value in _metadata(card).items():
        program.model.metadata_props[key] = value
    with writing(out), atomic(out) as file:
        program.save(file)
        _compare(deployed, file, card.spec)
    return out


def write_graph(path: str | Path, *, int8: bool = False) -> Path:
    """Write the graph of a checkpoint beside its weights, and check that it computes the same.

    With it `actionunits.detect` reads faces without PyTorch. It has the embedding if the model
    gives one, and the checksums of itself and of the weights that it needs.

    Args:
        path: weights that come with the package, or the folder of a run or checkpoint.
        int8: with convolutions in bytes, beside the other graph: see `quantize`.

    Raises:
        CheckpointError: there is no such checkpoint, or it reads no AUs.
        UserError: the model reads clips or cannot be exported, the graph does not compute the same,
            or it cannot be written.
    """
    place = card_folder(weights.locate(path))
    model, card = checkpoint.load(place)
    card.au_set()
    if card.spec.clip is not None:
        raise UserError(
            f"{path}: reads clips, for which PyTorch is needed; give au export --out for other "
            "programs"
        )
    deployed = Deployed(model, embedding=_gives_embedding(model, card.spec)).eval()
    graph = _trace(deployed, _example(card.spec, 2), str(path)).model_proto
    name, faces = GRAPH, None
    if int8:
        name, faces = INT8, rendered_faces(card.spec)
        graph = in_bytes(graph, faces)
    graph = slim(graph, place / WEIGHTS)
    about = {**_metadata(card), "weights": card.sha256, seals.KEY: seals.BLANK}
    for key, value in about.items():
        graph.metadata_props.add(key=key, value=value)
    with TemporaryDirectory() as temporary:  # the graph finds its weights beside it
        copyfile(place / WEIGHTS, Path(temporary) / WEIGHTS)
        tried = Path(temporary) / name
        tried.write_bytes(graph.SerializeToString())
        seals.seal(tried)
        if faces is None:
            _compare(deployed, tried, card.spec)
        else:
            _compare_rounded(deployed, tried, faces)
        with writing(place / name), atomic(place / name) as fresh:
            copyfile(tried, fresh)
    return place / name


def _gives_embedding(model: nn.Module, spec: InputSpec) -> bool:
    with torch.inference_mode():
        out: Output = model(_example(spec, 1))
    return "embeddings" in (out.aux or {})


def _trace(deployed: nn.Module, example: Tensor, name: str) -> Any:
    with warnings.catch_warnings():
        # It says that an option is dropped which is not set; what comes out is compared anyway.
        warnings.filterwarnings("ignore", "ONNX export for RoIAlign", UserWarning)
        try:
            return torch.onnx.export(
                deployed,
                (example,),
                dynamo=True,
                dynamic_shapes=({0: Dim("batch", min=1, max=4096)},),
                input_names=["images"],
                output_names=list(deployed(example)),
                external_data=False,
                verbose=False,
            )
        except (torch.onnx.errors.OnnxExporterError, RuntimeError) as error:
            reason = str(error).strip().splitlines()[0][:200]
            raise UserError(f"{name}: cannot be written as ONNX: {reason}") from error


def _example(spec: InputSpec, batch: int) -> Tensor:
    time = () if spec.clip is None else (spec.clip + 2 * spec.context,)
    generator = torch.Generator().manual_seed(0)
    return 255 * torch.rand(batch, *time, 3, spec.size, spec.size, generator=generator)


def _metadata(card: Card) -> dict[str, str]:
    spec = card.spec
    values = {
        "model": card.recipe.model.name,
        "version": version("actionunits"),
        "aus": card.au_set().columns(),
        "thresholds": card.thresholds,
        "size": spec.size,
        "clip": spec.clip,
        "context": spec.context,
        "landmarks": np.round(template(spec.size, spec.align, target(card.template)), 3).tolist(),
    }
    return {name: json.dumps(value) for name, value in values.items()}


def _compare(deployed: nn.Module, file: Path, spec: InputSpec) -> None:
    """Compare with ONNX Runtime at the exported batch size and at others."""
    session = onnx_session(file)
    for batch in (1, 2, 3):
        images = _example(spec, batch)
        with torch.inference_mode():
            expected = deployed(images)
        found = session.run(list(expected), {"images": images.numpy()})
        for (name, one), two in zip(expected.items(), found, strict=True):
            scale = _SCALES.get(name, float(one.abs().max()))
            difference = float((one - torch.from_numpy(two)).abs().max()) / max(scale, 1e-6)
            if not difference <= _TOLERANCE:
                raise UserError(
                    f"the ONNX file differs from the model by {difference:.2g} at batch {batch}; "
                    "it was not written"
                )


def _compare_rounded(deployed: nn.Module, file: Path, faces: NDArray[np.float32]) -> None:
    """Compare on rendered faces what convolutions in bytes say."""
    session, off = onnx_session(file), []
    for images in np.array_split(faces, max(len(faces) // _BATCH, 1)):
        with torch.inference_mode():
            expected = deployed(torch.from_numpy(images))["probability"].numpy()
        (found,) = session.run(["probability"], {"images": images})
        off.append(np.abs(found - expected).mean(axis=1))
    difference = float(np.concatenate(off).mean())
    if not difference <= _ROUNDED:
        raise UserError(
            f"in bytes, probabilities differ by {difference:.2g} from the model's in the mean, "
            f"more than {_ROUNDED:g}; the graph was not written"
        )
