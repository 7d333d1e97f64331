"""The sides of a face, each read off a face that has it twice.

Networks that are asked for right and left answer nearly the same of both: of a rendered face that
smiles by 4 on one side alone, `default` says .04 more there. A half with its own mirror image is a
whole face as they know them: of the same faces it then says 3 more (docs/detection.md).
"""

from typing import Any, cast

import numpy as np

from actionunits.detect.network import ClipNetwork, Crops, Network, Values


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

    def values(self, crops: Crops) -> Values:
        halves = [self._network.values(half).intensity for half in doubled(crops)]
        return self._network.values(crops)._replace(sides=np.stack(cast(Any, halves), axis=-1))


def doubled(crops: Crops) -> tuple[Crops, Crops]:
    """Faces of two right halves, and of two left ones; the subject's right is on the left.

    Args:
        crops: (F, size, size, 3), aligned, so that the face is mirrored about the middle.

    >>> [each[..., 0].tolist() for each in doubled(np.array([[[[1], [2], [3], [4]]]]))]
    [[[[1, 2, 2, 1]]], [[[4, 3, 3, 4]]]]
    """
    columns = np.arange(crops.shape[2])
    outwards = np.minimum(columns, columns[::-1])
    return crops[:, :, outwards], crops[:, :, columns[-1] - outwards]
