"""The sides of a face, each read off a face that has it twice.

Networks that are asked for right and left answer nearly the same of both: of a rendered face that
smiles by 4 on one side alone, `default` says .04 more there. A half with its own mirror image is a
whole face as they know them: of the same faces it then says 3 more (docs/detection.md).
"""

from typing import cast

import numpy as np
from numpy.typing import NDArray

from actionunits.detect.network import ClipNetwork, Network, Values


def read_apart(network: Network | ClipNetwork) -> Network | ClipNetwork:
    """A network whose `Values.sides` are read off halves, if it reads single faces.

    Args:
        network: tells sides.
    """
    if network.spec.clip is not None or not network.intensity:
        return network
    return _Apart(cast(Network, network))


class _Apart:
    """See `Network`."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self.spec, self.intensity, self.told = network.spec, network.intensity, network.told

    def values(self, crops: NDArray[np.uint8]) -> Values:
        halves = self._network.values(doubled(crops)).intensity
        assert halves is not None
        return self._network.values(crops)._replace(sides=np.stack(np.split(halves, 2), axis=-1))


def doubled(crops: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Faces of two right halves, then of two left ones.

    Args:
        crops: (F, size, size, 3), aligned, so that the face is mirrored about the middle.

    Returns:
        (2 F, size, size, 3); the subject's right is on the picture's left.

    >>> doubled(np.array([1, 2, 3, 4], np.uint8).reshape(1, 1, 4, 1))[..., 0].tolist()
    [[[1, 2, 2, 1]], [[4, 3, 3, 4]]]
    """
    mirrored = crops[:, :, ::-1]
    first = np.arange(crops.shape[2])[:, None] < crops.shape[2] // 2
    return np.concatenate(
        [np.where(first, crops, mirrored), np.where(first, mirrored, crops)], axis=0
    )
