"""Pack what the shaders want to know of each head into their uniform block."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from actionunits.synth.person.face import Head
from actionunits.synth.person.mesh import proxy_scale
from actionunits.synth.picture import shaders
from actionunits.synth.picture.camera import Cameras
from actionunits.synth.picture.looks import Appearance, Scene, metered_exposure
from actionunits.synth.picture.shot import Shot

KINDS = {"hair": 0, "lash": 1, "brow": 2, "teeth": 3}  # places in `proxy_scale` of the block
TEETH = ("teeth", "teeth_base")  # everyone wears them
_UPPER_RIM, _LOWER_RIM, _CORNERS = [43, 44, 45], [48, 47, 46], [31, 37]  # landmarks of the mouth


class Layout(NamedTuple):
    """Where a batch lies: in the atlas, and in the texture of positions."""

    grid: int  # heads across the atlas
    size: int  # pixels of a head
    rows: int  # of the position texture that a head takes

    def tiles(self, count: int) -> np.ndarray:
        """(count, 2) column and row of each head in the atlas."""
        slot = np.arange(count)
        return np.stack([slot % self.grid, slot // self.grid], axis=1)


def pack(
    shots: Sequence[Shot], head: Head, vertices: np.ndarray, cameras: Cameras, layout: Layout
) -> np.ndarray:
    """Fill the blocks of a batch.

    Args:
        shots: B of them.
        head: whose geometry it is.
        vertices: (B, V, 3).
        cameras: of the heads.
        layout: of the batch.

    Returns:
        (B,) of `shaders.head_block`.
    """
    block = np.zeros(len(shots), shaders.head_block())
    block["camera"][..., :3], block["camera"][..., 3] = cameras.rotation, cameras.shift
    block["fit"][..., :3], block["fit"][:, 0, 3] = cameras.fit, cameras.distance
    _place(block, layout)
    _light(block, [shot.scene for shot in shots])
    looks = [shot.appearance for shot in shots]
    _paint(block, looks, head)
    block["tone"][:, 3] = [metered_exposure(shot.scene, shot.appearance.tone) for shot in shots]
    block["hair"][:, 3] = head.eye_centres(vertices)[:, :, 1].mean(axis=1)
    block["hair"][:, 3] += [look.fringe for look in looks]
    yaw, pitch = np.deg2rad([shot.gaze for shot in shots]).T
    toward = [np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch)]
    block["gaze"][..., :3] = np.stack(toward, axis=1)[:, None]
    block["mouth"][:, :2] = _between_lips(head.landmarks(vertices))
    block["socket"][:, 2:] = head.eye_openings(vertices)
    block["eye"][..., :3] = head.eye_centres(head.assets.vertices[None])
    for slot, shot in enumerate(shots):
        for kind, name in (*shot.proxies().items(), TEETH):
            scale = proxy_scale(head.assets.proxy(kind, name), vertices[slot : slot + 1])
            block["proxy_scale"][slot, KINDS[kind], :3] = scale[0]
    return block


def frames(toward: np.ndarray) -> np.ndarray:
    """(N, 3) unit directions to (N, 3, 3) right-handed frames whose last row they are."""
    x = np.cross([0, 1, 0.001], toward)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    return np.stack([x, np.cross(toward, x), toward], axis=1)


def _between_lips(landmarks: np.ndarray) -> np.ndarray:
    """(B, 49, 3) to (B, 2): z of the lips' inner rim, radius of a disc as large as the opening."""
    high = (landmarks[:, _UPPER_RIM, 1] - landmarks[:, _LOWER_RIM, 1]).mean(axis=1)
    wide = landmarks[:, _CORNERS[1], 0] - landmarks[:, _CORNERS[0], 0]
    front = landmarks[:, [*_UPPER_RIM, *_LOWER_RIM], 2].mean(axis=1)
    return np.stack([front, np.sqrt(np.clip(high, 0, None) * wide) / 2], axis=1)


def _place(block: np.ndarray, layout: Layout) -> None:
    tile = layout.tiles(len(block))
    block["shadow_tile"][:, :2] = block["crease_tile"][:, :2] = tile / layout.grid
    block["shadow_tile"][:, 2] = block["crease_tile"][:, 2] = 1 / layout.grid
    block["crease_tile"][:, 3] = 1 / layout.grid
    block["frame_tile"][:, :2] = tile * layout.size
    block["place"][:, 0] = np.arange(len(block)) * layout.rows


def _light(block: np.ndarray, scenes: list[Scene]) -> None:
    lights = np.stack([scene.lights for scene in scenes])
    block["light"][..., :3] = lights
    block["light"][:, 0, 3] = [scene.shadow for scene in scenes]
    block["shadow_frame"][..., :3] = frames(lights[:, 0])
    block["shadow_tile"][:, 3] = [scene.softness for scene in scenes]
    block["light_colour"][..., :3] = [scene.light_colours for scene in scenes]
    block["sky"][..., :3] = [scene.sky for scene in scenes]


def _paint(block: np.ndarray, looks: list[Appearance], head: Head) -> None:
    layer = {name: number for number, name in enumerate(head.assets.skins)}
    block["place"][:, 1:] = [(layer[look.skin], look.mottle, look.relief) for look in looks]
    block["tone"][:, :3] = [look.tone for look in looks]
    for name in ("lip", "surface", "beard", "eyeshadow", "brow", "lash", "iris"):
        block[name] = [getattr(look, name) for look in looks]
    block["whiskers"][:, :3] = [look.whiskers for look in looks]
    block["socket"][:, :2] = [look.sockets for look in looks]
    block["enamel"][:, :3] = [look.teeth for look in looks]
    block["hair"][:, :3] = [look.hair for look in looks]
    for slot, look in enumerate(looks):
        if look.glasses is not None:
            block["glasses"][slot] = (*look.glasses.colour, look.glasses.tint)
