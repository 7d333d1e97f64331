"""Draw heads offscreen with OpenGL: B heads a batch in one atlas, one read-back.

A head uploads its vertex positions and normals as rows of two textures, one uniform block, its
creases and a small background. Hair, shadow, shading and anti-aliasing are the graphics driver's.
"""

import math
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import NamedTuple, Self

import numpy as np

from actionunits.synth.person import creases
from actionunits.synth.person.face import Head
from actionunits.synth.person.mesh import TEXTURE_WIDTH
from actionunits.synth.picture import glasses
from actionunits.synth.picture.camera import aim
from actionunits.synth.picture.hidden import hidden
from actionunits.synth.picture.lens import expose
from actionunits.synth.picture.shot import Shot
from actionunits.synth.picture.stage import (
    BACKGROUND_SIDE,
    BLOCK_BYTES,
    CREASE_SIZE,
    SHADOW_SIDE,
    Stage,
)
from actionunits.synth.picture.uniforms import KINDS, TEETH, Layout, pack

__all__ = ["Pictures", "Renderer", "Shot"]

_ALPHA_TO_COVERAGE = 0x809E  # GL_SAMPLE_ALPHA_TO_COVERAGE, which moderngl does not name
_SHUT = 0.012  # decimetres between the lips under which no tooth shows
_UPPER_LIP, _LOWER_LIP = 44, 47  # landmarks: middle of the inner contour


class Pictures(NamedTuple):
    """What `Renderer.render` draws, and the truth about it."""

    images: np.ndarray  # (N, S, S, 3) uint8 RGB, aligned to the canonical template
    landmarks: np.ndarray  # (N, 49, 2) float32, pixels of those pictures
    hidden: np.ndarray  # (N, 6) float32 share of each of `hidden.REGIONS` that cannot be seen
    turned: np.ndarray  # (N,) degrees by which alignment rolled the heads, see `Cameras.turned`


class Renderer:
    """Offscreen renderer; a context manager that gives its OpenGL context back.

    Args:
        head: geometry of the heads.
        size: side of the pictures in pixels.
        batch: heads drawn together.
        zoom: how much larger faces are than on the template; .5 shows whole heads.

    Raises:
        UserError: there is no OpenGL here; the message says what to install.
    """

    def __init__(self, head: Head, size: int = 256, batch: int = 16, zoom: float = 1.0) -> None:
        self.head, self.size, self.batch, self.zoom = head, size, batch, zoom
        grid = math.ceil(math.sqrt(batch))
        self._stage = Stage(head, size, grid, batch)
        self._layout = Layout(grid, size, self._stage.mesh.rows)
        rows = self._stage.mesh.rows * TEXTURE_WIDTH
        self._rows = np.zeros((2, batch, rows, 3), np.float32)  # positions, normals
        self._pixels = bytearray((grid * size) ** 2 * 4)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Release the OpenGL context and all that lives in it."""
        self._stage.context.release()

    def render(self, shots: Sequence[Shot]) -> Pictures:
        """Draw shots.

        Args:
            shots: N of them; they are drawn in batches, in order.
        """
        clean = self._draw(shots)
        seen = [
            expose(image, shot.scene, shot.key())
            for image, shot in zip(clean.images, shots, strict=True)
        ]
        return clean._replace(images=np.stack(seen))

    def cut_out(self, shots: Sequence[Shot]) -> Pictures:
        """Draw shots without their backgrounds and without a camera's faults.

        Args:
            shots: N of them.

        Returns:
            Images are (N, S, S, 4) uint8: the colours times what covers the background, and that.
        """
        black, white = (self._draw([_before(shot, shade) for shot in shots]) for shade in (0, 255))
        through = white.images.astype(np.int16) - black.images
        cover = 255 - np.clip(through, 0, 255).mean(axis=-1, keepdims=True)
        cut = np.concatenate([black.images, np.rint(cover).astype(np.uint8)], axis=-1)
        return black._replace(images=cut)

    def _draw(self, shots: Sequence[Shot]) -> Pictures:
        """Clean pictures, batch by batch."""
        starts = range(0, len(shots), self.batch)
        batches = [self._draw_batch(shots[start : start + self.batch]) for start in starts]
        return Pictures(*map(np.concatenate, zip(*batches, strict=True)))

    def _draw_batch(self, shots: Sequence[Shot]) -> Pictures:
        au = np.stack([shot.au for shot in shots])
        gaze = np.array([shot.gaze for shot in shots], float)
        vertices = self.head.positions([shot.identity for shot in shots], au, gaze)
        normals = self._stage.mesh.normals(vertices)
        eyes, points = self.head.eye_centres(vertices), self.head.landmarks(vertices)
        cameras = aim(
            eyes,
            points,
            np.array([shot.pose for shot in shots], float),
            np.array([shot.scene.distance for shot in shots]),
            np.stack([shot.jitter for shot in shots]),
            self.zoom,
        )
        blocks = pack(shots, self.head, vertices, cameras, self._layout)
        self._upload(shots, vertices, normals, blocks)
        for slot, shot in enumerate(shots):
            if shot.appearance.glasses is not None:
                worn = glasses.fit(shot.appearance.glasses, eyes[slot], points[slot])
                self._stage.glasses.write(worn.tobytes(), offset=slot * worn.nbytes)
        parted = points[:, _UPPER_LIP, 1] - points[:, _LOWER_LIP, 1] > _SHUT
        self._draw_creases(len(shots))
        self._draw_shadows(shots)
        self._draw_heads(len(shots), parted)
        self._draw_over_faces(shots)
        clean = self._read(len(shots))
        placed = cameras.project(points)
        away = hidden(shots, cameras, points, self.head.landmarks(normals), placed)
        pixels = (placed * self.size).astype(np.float32)
        return Pictures(clean, pixels, away, cameras.turned())

    def _upload(
        self,
        shots: Sequence[Shot],
        vertices: np.ndarray,
        normals: np.ndarray,
        packed: np.ndarray,
    ) -> None:
        stage, count = self._stage, len(shots)
        self._rows[0, :count, : vertices.shape[1]] = vertices
        self._rows[1, :count, : vertices.shape[1]] = normals
        stage.positions.write(self._rows[0])
        stage.normals.write(self._rows[1])
        blocks = np.zeros((self.batch, BLOCK_BYTES), np.uint8)
        blocks[:count, : packed.dtype.itemsize] = packed.view(np.uint8).reshape(count, -1)
        stage.blocks.write(blocks)
        backgrounds = np.stack([shot.scene.background for shot in shots])
        part = (0, 0, 0, BACKGROUND_SIDE, BACKGROUND_SIDE, count)
        stage.backgrounds.write(np.ascontiguousarray(backgrounds), viewport=part)
        au = np.stack([shot.au for shot in shots])
        stage.ribbons.write(creases.ribbons([shot.identity.creases for shot in shots], au))

    def _draw_creases(self, count: int) -> None:
        stage, context = self._stage, self._stage.context
        stage.crease_canvas.use()
        context.enable_only(context.BLEND)
        context.blend_func = context.ONE, context.ONE
        stage.crease_canvas.clear()
        for slot in range(count):
            stage.crease_canvas.viewport = self._tile(slot, *CREASE_SIZE)
            first = slot * stage.ribbon_indices
            stage.ribbon_array.render(vertices=stage.ribbon_indices, first=first)

    def _draw_shadows(self, shots: Sequence[Shot]) -> None:
        stage, context = self._stage, self._stage.context
        stage.use(positions=stage.positions)
        stage.shadow_canvas.use()
        context.enable_only(context.DEPTH_TEST)
        stage.shadow_canvas.clear(depth=1.0)
        for slot, shot in enumerate(shots):
            stage.shadow_canvas.viewport = self._tile(slot, SHADOW_SIDE, SHADOW_SIDE)
            stage.use_head(slot)
            stage.head_shadow.render()
            if "hair" in shot.proxies():
                hair = stage.proxies["hair", shot.proxies()["hair"]]
                stage.use(card=hair.texture)
                hair.shadow.render()

    def _draw_heads(self, count: int, parted: np.ndarray) -> None:
        stage, context = self._stage, self._stage.context
        stage.use(shadow=stage.shadow_map, skin=stage.skins, masks=stage.masks)
        stage.use(creases=stage.crease_map, noise=stage.noise, normals=stage.normals)
        stage.use(backgrounds=stage.backgrounds)
        stage.canvas.use()
        stage.canvas.depth_mask = True
        stage.canvas.clear(depth=1.0)
        context.enable_only(context.NOTHING)
        for slot in self._tiles(count):
            stage.programs["background"]["layer"].value = slot
            stage.backdrop.render(vertices=3)
        context.enable_only(context.DEPTH_TEST | context.CULL_FACE)
        for part, (first, length) in zip(stage.parts, stage.mesh.parts, strict=True):
            for _ in self._tiles(count):
                part.render(vertices=length, first=first)
        for slot in self._tiles(count):
            if parted[slot]:
                stage.proxies[TEETH].drawn.render()

    def _draw_over_faces(self, shots: Sequence[Shot]) -> None:
        """Brows and lashes blended over the skin, then glasses, then hair."""
        stage, context = self._stage, self._stage.context
        context.blend_func = context.SRC_ALPHA, context.ONE_MINUS_SRC_ALPHA
        context.enable_only(context.DEPTH_TEST | context.BLEND)
        stage.canvas.depth_mask = False  # one layer each: they need no depth among themselves
        self._draw_cards(shots, "brow")
        self._draw_cards(shots, "lash")
        stage.canvas.depth_mask = True
        for slot in self._tiles(len(shots)):
            if shots[slot].appearance.glasses is not None:
                first = slot * stage.glasses_indices
                stage.glasses_array.render(vertices=stage.glasses_indices, first=first)
        context.enable_only(context.DEPTH_TEST)
        context.enable_direct(_ALPHA_TO_COVERAGE)
        self._draw_cards(shots, "hair")
        context.disable_direct(_ALPHA_TO_COVERAGE)

    def _draw_cards(self, shots: Sequence[Shot], kind: str) -> None:
        stage = self._stage
        stage.programs["proxy"]["kind"].value = KINDS[kind]
        for slot in self._tiles(len(shots)):
            name = shots[slot].proxies().get(kind)
            if name is not None:
                stage.use(card=stage.proxies[kind, name].texture)
                stage.proxies[kind, name].drawn.render()

    def _read(self, count: int) -> np.ndarray:
        """(count, S, S, 3) uint8 of the atlas."""
        stage, grid, size = self._stage, self._layout.grid, self.size
        stage.context.copy_framebuffer(stage.resolved, stage.canvas)
        stage.resolved.read_into(self._pixels, components=4, alignment=1)
        atlas = np.frombuffer(self._pixels, np.uint8).reshape(grid, size, grid, size, 4)
        heads = atlas[..., :3].transpose(0, 2, 1, 3, 4).reshape(-1, size, size, 3)
        return heads[:count].copy()

    def _tiles(self, count: int) -> Iterator[int]:
        """Point the canvas and the uniforms at one head after the other."""
        for slot in range(count):
            self._stage.canvas.viewport = self._tile(slot, self.size, self.size)
            self._stage.use_head(slot)
            yield slot

    def _tile(self, slot: int, width: int, height: int) -> tuple[int, int, int, int]:
        """Viewport of a head in an atlas of such tiles."""
        grid = self._layout.grid
        return (slot % grid) * width, (slot // grid) * height, width, height


def _before(shot: Shot, shade: int) -> Shot:
    """The shot before an even background, 0 black to 255 white."""
    background = np.full((BACKGROUND_SIDE, BACKGROUND_SIDE, 3), shade, np.uint8)
    return shot._replace(scene=shot.scene._replace(background=background))
