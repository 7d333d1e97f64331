"""The face detectors by name.

>>> sorted(DETECTORS)
['aligned', 'centerface', 'synface']
"""

from collections.abc import Callable
from functools import partial

from actionunits.errors import UserError
from actionunits.faces import DETECTOR
from actionunits.faces.centerface import CenterFace
from actionunits.faces.detections import Detector
from actionunits.faces.given import Aligned
from actionunits.faces.synface import SynFace

# One thread each: several frames are worked on side by side, see `detect.ahead`.
# A detector of your own is one more entry. `BoxesFile` needs its file and is built directly.
DETECTORS: dict[str, Callable[[], Detector]] = {
    "aligned": Aligned,
    "centerface": partial(CenterFace, threads=1),
    "synface": partial(SynFace, threads=1),
}


def chosen(name: str) -> Detector | None:
    """The face detector of this name; None for the default one.

    A predictor builds that itself, where its model is computed.

    Raises:
        UserError: there is no such detector.
    """
    return None if name == DETECTOR else detector(name)


def detector(name: str) -> Detector:
    """Build the face detector of this name.

    Raises:
        UserError: there is no such detector.
    """
    if name not in DETECTORS:
        raise UserError(f"no face detector is called {name}; there are {', '.join(DETECTORS)}")
    return DETECTORS[name]()
