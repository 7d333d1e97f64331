"""Faces of a video, each looked for where it was a frame before.

A search of the whole picture costs some four times as much as a look at one face, and gives less
exact landmarks. So all frames are looked at where faces are known, and the picture is searched now
and then (whoever follows decides when), and at once where a face is lost.

What is followed is exactly what a search with a second look finds: the look is the same, and begins
from where the face was, not from where a search puts it.
"""

import numpy as np
from numpy.typing import NDArray

from actionunits.faces.detections import Detections, Looks, overlap
from actionunits.types import Frame

_SAME = 0.3  # overlap from which on two boxes are of one face
_UNSEEN = 72  # frames for which a face is believed that no search finds
_NOBODY = Detections(np.zeros((0, 4)), np.zeros(0), np.zeros((0, 5, 2)))


class Follower:
    """Follows the faces of one video.

    Faces that a search finds and a look does not see (half hidden, in profile) are given as the
    search places them, and searched for in every frame.

    Args:
        detector: searches and looks.
        side: long side at which a frame is searched where a face is lost.
        fine: long side at which the first frame of a shot is searched.
    """

    def __init__(self, detector: Looks, side: int, fine: int) -> None:
        self._detector, self._side, self._fine = detector, side, fine
        self.forget()

    def forget(self) -> None:
        """The picture cuts: all faces are to be found anew."""
        self._known = _NOBODY
        self._unseen = np.zeros(0, int)  # (K,) frames since a search has found each
        self._lost = self._fine  # where something is lost, the side at which it is searched for

    def __call__(self, frame: Frame, searched: Detections | None) -> Detections:
        """Faces of the next frame, best score first. Scores are those of the latest search.

        Args:
            frame: of the video.
            searched: what a search of it found, where there was one.
        """
        known = self._look(frame)
        if searched is None and self._lost:
            (searched,) = self._detector.search([frame], self._lost)
        vague = _NOBODY
        if searched is not None:
            known, new = self._confirmed(known, searched)
            looked, sure = self._seen(frame, new)
            vague = _part(new, ~sure)
            known = _joined(known, _part(looked, sure))
            self._unseen = np.append(self._unseen, np.zeros(sure.sum(), int))
        self._known, self._lost = known, self._side * (len(vague.scores) > 0)
        everybody = _joined(known, vague)
        return _part(everybody, np.argsort(-everybody.scores, kind="stable"))

    def _look(self, frame: Frame) -> Detections:
        """The known faces that are still there, once each."""
        seen, sure = self._seen(frame, self._known)
        if not sure.all():
            self._lost = self._lost or self._side
        twice = np.triu(overlap(seen.boxes, seen.boxes) >= _SAME, 1) & sure[:, None]
        kept: NDArray[np.bool_] = sure & ~twice.any(axis=0) & (self._unseen < _UNSEEN)
        self._unseen = self._unseen[kept] + 1
        return _part(seen, kept)

    def _confirmed(self, known: Detections, searched: Detections) -> tuple[Detections, Detections]:
        """The known faces with the scores of a search, and those of the search that are new."""
        same = overlap(known.boxes, searched.boxes) >= _SAME
        found = same.any(axis=1)
        self._unseen[found] = 0
        scores = np.where(same, searched.scores, 0).max(axis=1, initial=0)
        return known._replace(scores=np.where(found, scores, known.scores)), _part(
            searched, ~same.any(axis=0)
        )

    def _seen(self, frame: Frame, faces: Detections) -> tuple[Detections, NDArray[np.bool_]]:
        """What a look at faces shows, with the scores that they have, and where it shows them."""
        places = np.zeros(len(faces.scores), np.intp)
        seen, sure = self._detector.look([frame.image], places, faces.landmarks)
        return seen._replace(scores=faces.scores), sure


def _part(
    faces: Detections, which: "np.bool_ | NDArray[np.bool_] | NDArray[np.intp]"
) -> Detections:
    return Detections(*(values[which] for values in faces))


def _joined(first: Detections, second: Detections) -> Detections:
    return Detections(*map(np.concatenate, zip(first, second, strict=True)))
