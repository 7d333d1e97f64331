"""All there is to know about one picture."""

from typing import NamedTuple

import numpy as np

from actionunits.synth.person.face import Identity
from actionunits.synth.picture.looks import Appearance, Scene


class Shot(NamedTuple):
    """Who, doing what, seen how."""

    identity: Identity
    appearance: Appearance
    scene: Scene
    au: np.ndarray  # (24, 2) intensity 0..5 of the subject's right and left side
    pose: tuple[float, float, float]  # yaw, pitch, roll in degrees, see `camera.rotation`
    gaze: tuple[float, float]  # yaw (to the subject's left), pitch (up) in the head, degrees
    jitter: np.ndarray  # (5, 2) alignment error as a share of the distance between the eyes

    def key(self) -> bytes:
        """What tells this frame from the others of its scene."""
        frame = np.concatenate([np.ravel(self.au), self.pose, self.gaze])
        return frame.astype(np.float32).tobytes()

    def proxies(self) -> dict[str, str]:
        """Kind to name of the brows, lashes and hair that the subject wears."""
        look = self.appearance
        worn = {"brow": look.brow_style, "lash": look.lash_style}
        return worn if look.hair_style is None else worn | {"hair": look.hair_style}
