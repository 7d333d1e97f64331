"""A checkpoint as one ONNX file, for programs without PyTorch."""

import json
import warnings
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from shutil import copyfile
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple, cast

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
from actionunits.learn.card import GRAPH, INT8, TIME, WEIGHTS, Card
from actionunits.learn.card import folder as card_folder
from actionunits.learn.graph import slim
from actionunits.learn.quantize import in_bytes, rendered_faces
from actionunits.models import registry
from actionunits.system.privacy import onnx_session
from actionunits.types import AUModel, ClipModel, InputSpec, Output

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
        return _told(self.model((images - self.pixel_mean) / self.pixel_std), self.embedding)


def _told(out: Output, embedding: bool) -> dict[str, Tensor]:
    """What users want of an output, by the names of `Deployed.forward`."""
    values = {"probability": out.logits.sigmoid()}
    told = {"intensity": out.intensity, "landmarks": out.landmarks, "quality": out.quality}
    told |= {} if out.besides is None else out.besides._asdict()
    values |= {name: value for name, value in told.items() if value is not None}
    if embedding:
        values["face_embedding"] = registry.embedding(out)  # not "embedding", as above
    return values


class Encoded(Deployed):
    """What a model of clips keeps of each face, off its pixels."""

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Map (N, 3, size, size) RGB on 0..255 to ``features`` (N, ...)."""
        model = cast(ClipModel, self.model)
        return {"features": model.encode((images - self.pixel_mean) / self.pixel_std)}


class InTime(nn.Module):
    """What a model of clips reads off the features of consecutive faces.

    Args:
        model: a `ClipModel`.
        embedding: give it too.
    """

    def __init__(self, model: nn.Module, *, embedding: bool = False) -> None:
        super().__init__()
        self.model, self.embedding = model, embedding

    def forward(self, features: Tensor) -> dict[str, Tensor]:
        """Map (1, c + T + c, ...) of `Encoded` to (1, T, ...), named as `Deployed.forward` does."""
        return _told(cast(ClipModel, self.model).read(features), self.embedding)


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
    part = _of_faces(deployed, card.spec)
    program = _trace(part, str(name_or_path))
    for key, value in _metadata(card).items():
        program.model.metadata_props[key] = value
    with writing(out), atomic(out) as file:
        program.save(file)
        _compare(part, file)
    return out


def write_graph(path: str | Path, *, int8: bool = False) -> Path:
    """Write the graph of a checkpoint beside its weights, and check that it computes the same.

    With it `actionunits.detect` reads faces without PyTorch. It has the embedding if the model
    gives one, and the checksums of itself and of the weights that it needs.

    Args:
        path: weights that come with the package, or the folder of a run or checkpoint.
        int8: with convolutions in bytes, beside the other graph: see `quantize`.

    A model of clips has two: one encodes faces, `card.TIME` reads them in their time.

    Raises:
        CheckpointError: there is no such checkpoint, or it reads no AUs.
        UserError: the model cannot be exported, or not in bytes, the graph does not compute the
            same, or it cannot be written.
    """
    place = card_folder(weights.locate(path))
    model, card = checkpoint.load(place)
    card.au_set()
    embedding = _gives_embedding(model, card.spec)
    if isinstance(model, ClipModel):
        if int8:
            raise UserError(f"{path}: reads clips, and only models of single faces go in bytes")
        encoded, spec = Encoded(model).eval(), card.spec
        still, context = spec._replace(clip=None), spec.context

        def kept(faces: int) -> Tensor:
            """Features of so many faces that are read, and of their neighbours."""
            with torch.inference_mode():
                features: Tensor = encoded(_pictures(still, 2 * context + faces))["features"]
            return features[None].clone()

        in_time = InTime(model, embedding=embedding)
        _write(place, TIME, _Part(in_time, "features", kept, 1, 2 * context + 1), card)
        return _write(place, GRAPH, _Part(encoded, "images", partial(_pictures, still)), card)
    part = _of_faces(Deployed(model, embedding=embedding), card.spec)
    return _write(place, INT8 if int8 else GRAPH, part, card)


class _Part(NamedTuple):
    """A module that becomes a graph.

    Attributes:
        module: takes one tensor.
        input: its name.
        example: makes one with so many faces to read.
        axis: of the faces.
        fewest: how long it is at least.
    """

    module: nn.Module
    input: str
    example: Callable[[int], Tensor]
    axis: int = 0
    fewest: int = 1


def _of_faces(deployed: Deployed, spec: InputSpec) -> _Part:
    return _Part(deployed, "images", partial(_pictures, spec))


def _write(place: Path, name: str, part: _Part, card: Card) -> Path:
    """Write a graph that takes its weights from beside it, once it computes what the part does."""
    part.module.eval()
    faces = rendered_faces(card.spec) if name == INT8 else None
    graph = _trace(part, str(place)).model_proto
    if faces is not None:
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
            _compare(part, tried)
        else:
            _compare_rounded(part.module, tried, faces)
        with writing(place / name), atomic(place / name) as fresh:
            copyfile(tried, fresh)
    return place / name


def _gives_embedding(model: nn.Module, spec: InputSpec) -> bool:
    with torch.inference_mode():
        out: Output = model(_pictures(spec, 1))
    return "embeddings" in (out.aux or {})


def _trace(part: _Part, name: str) -> Any:
    example = part.example(2)
    with warnings.catch_warnings():
        # It says that an option is dropped which is not set; what comes out is compared anyway.
        warnings.filterwarnings("ignore", "ONNX export for RoIAlign", UserWarning)
        try:
            return torch.onnx.export(
                part.module,
                (example,),
                dynamo=True,
                dynamic_shapes=({part.axis: Dim("faces", min=part.fewest, max=4096)},),
                input_names=[part.input],
                output_names=list(part.module(example)),
                external_data=False,
                verbose=False,
            )
        except (torch.onnx.errors.OnnxExporterError, RuntimeError) as error:
            reason = str(error).strip().splitlines()[0][:200]
            raise UserError(f"{name}: cannot be written as ONNX: {reason}") from error


def _pictures(spec: InputSpec, faces: int) -> Tensor:
    """Noise in place of so many faces, or clips of them."""
    time = () if spec.clip is None else (spec.clip + 2 * spec.context,)
    generator = torch.Generator().manual_seed(0)
    return 255 * torch.rand(faces, *time, 3, spec.size, spec.size, generator=generator)


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


def _compare(part: _Part, file: Path) -> None:
    """Compare with ONNX Runtime at the exported number of faces and at others."""
    session = onnx_session(file)
    for faces in (1, 2, 3):
        example = part.example(faces)
        with torch.inference_mode():
            expected = part.module(example)
        found = session.run(list(expected), {part.input: example.numpy()})
        for (name, one), two in zip(expected.items(), found, strict=True):
            scale = _SCALES.get(name, float(one.abs().max()))
            difference = float((one - torch.from_numpy(two)).abs().max()) / max(scale, 1e-6)
            if not difference <= _TOLERANCE:
                raise UserError(
                    f"the ONNX file differs from the model by {difference:.2g} at batch {faces}; "
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
