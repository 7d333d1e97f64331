"""What the renderer keeps on the graphics card: targets, textures, meshes, baked occlusion."""

import math
from typing import Any, NamedTuple

import numpy as np

from actionunits.synth.person import creases
from actionunits.synth.person.assets import Proxy
from actionunits.synth.person.face import Head
from actionunits.synth.person.mesh import TEXTURE_WIDTH, HeadMesh, proxy_mesh
from actionunits.synth.person.textures import noise_texture, skin_details
from actionunits.synth.picture import gl, glasses, shaders
from actionunits.synth.picture.uniforms import frames

SHADOW_SIDE = 128  # pixels a head
CREASE_SIZE = (192, 256)
BACKGROUND_SIDE = 64
BLOCK_BYTES = 1024  # a head's uniforms, rounded up to what drivers align to
_SAMPLES = 4
_UNITS = (
    *("positions", "normals", "shadow", "skin", "masks", "creases", "noise", "card"),
    "backgrounds",
)
_PROGRAMS = {
    **{"skin": ("head", "skin"), "eye": ("head", "eye"), "tongue": ("head", "tongue")},
    **{name: (name, name) for name in ("proxy", "teeth", "glasses", "shadow", "proxy_shadow")},
    **{name: (name, name) for name in ("crease", "background")},
}


class ProxyArrays(NamedTuple):
    """A proxy on the graphics card."""

    texture: Any
    drawn: Any
    shadow: Any  # None but for hair: nothing else casts one


class Stage:
    """An OpenGL context with all that stays the same from batch to batch.

    Args:
        head: geometry of the heads.
        size: side of a picture in pixels.
        grid: heads across the atlas, which is square.
        batch: most heads drawn together.

    Raises:
        UserError: there is no OpenGL here.
    """

    def __init__(self, head: Head, size: int, grid: int, batch: int) -> None:
        self.context = gl.context()
        self.context.front_face = "cw"
        self.mesh = HeadMesh(head.assets)
        self.programs = {name: gl.program(self.context, *pair) for name, pair in _PROGRAMS.items()}
        for program in self.programs.values():
            for name in _UNITS:
                if name in program:
                    program[name].value = _UNITS.index(name)
            if "Head" in program:
                program["Head"].binding = 0
        self._make_targets(size, grid)
        self._make_textures(head, batch)
        self._make_head()
        self.proxies = {(p.kind, p.name): self._make_proxy(p, head) for p in head.assets.proxies}
        self._make_ribbons(batch)
        self._make_glasses(batch)
        self._bake_occlusion(head.assets.vertices)

    def use(self, **textures: Any) -> None:
        """Bind textures to the samplers of these names."""
        for name, texture in textures.items():
            texture.use(_UNITS.index(name))

    def use_head(self, slot: int) -> None:
        """Let the shaders read the uniforms of one head."""
        self.blocks.bind_to_uniform_block(0, offset=slot * BLOCK_BYTES, size=BLOCK_BYTES)

    def _make_targets(self, size: int, grid: int) -> None:
        context, side = self.context, (grid * size, grid * size)
        self.canvas = context.framebuffer(
            [context.renderbuffer(side, 4, samples=_SAMPLES)],
            context.depth_renderbuffer(side, samples=_SAMPLES),
        )
        self.resolved = context.framebuffer([context.renderbuffer(side, 4)])
        self.shadow_map = context.depth_texture((grid * SHADOW_SIDE,) * 2)
        self.shadow_map.compare_func = "<="
        self.shadow_map.filter = (context.LINEAR, context.LINEAR)
        self.shadow_canvas = context.framebuffer(depth_attachment=self.shadow_map)
        crease_side = (grid * CREASE_SIZE[0], grid * CREASE_SIZE[1])
        self.crease_map = context.texture(crease_side, 4, dtype="f2")
        self.crease_map.filter = (context.LINEAR, context.LINEAR)
        self.crease_canvas = context.framebuffer([self.crease_map])

    def _make_textures(self, head: Head, batch: int) -> None:
        context = self.context
        size = (TEXTURE_WIDTH, self.mesh.rows * batch)
        self.positions, self.normals = (context.texture(size, 3, dtype="f4") for _ in range(2))
        for texture in (self.positions, self.normals):
            texture.filter = (context.NEAREST, context.NEAREST)
        self.skins = gl.pictures(context, skin_details(head.assets.skins))
        self.masks = gl.picture(context, head.assets.masks)
        self.noise = gl.picture(context, noise_texture())
        layers = (BACKGROUND_SIDE, BACKGROUND_SIDE, batch)
        self.backgrounds = context.texture_array(layers, 3)
        self.backgrounds.filter = (context.LINEAR, context.LINEAR)
        self.backgrounds.repeat_x = self.backgrounds.repeat_y = False
        self.blocks = context.buffer(reserve=batch * BLOCK_BYTES)

    def _make_head(self) -> None:
        mesh = self.mesh
        attributes = {"source": mesh.source, "uv": mesh.uv, "rest": mesh.rest}
        attributes["occlusion"] = np.ones(len(mesh.source), np.float32)
        self._head = gl.Geometry(self.context, attributes, mesh.indices)
        self.parts = [self._head.bind(self.programs[name]) for name in ("skin", "eye", "tongue")]
        self.head_shadow = self._head.bind(self.programs["shadow"])
        self.backdrop = self.context.vertex_array(self.programs["background"], [])

    def _make_proxy(self, proxy: Proxy, head: Head) -> ProxyArrays:
        mesh = proxy_mesh(proxy, head.assets, self.mesh)
        attributes = {name: value for name, value in mesh._asdict().items() if name != "indices"}
        geometry = gl.Geometry(self.context, attributes, mesh.indices)
        program = self.programs["teeth" if proxy.kind == "teeth" else "proxy"]
        shadow = geometry.bind(self.programs["proxy_shadow"]) if proxy.kind == "hair" else None
        return ProxyArrays(gl.picture(self.context, proxy.texture), geometry.bind(program), shadow)

    def _make_ribbons(self, batch: int) -> None:
        triangles = creases.ribbon_indices()
        self.ribbons = self.context.buffer(reserve=batch * (int(triangles.max()) + 1) * 6 * 4)
        self.ribbon_indices = triangles.size
        self.ribbon_array = self.context.vertex_array(
            self.programs["crease"],
            [(self.ribbons, "2f 1f 1f 2f", "point", "across", "amplitude", "direction")],
            _repeated(self.context, triangles, batch),
        )

    def _make_glasses(self, batch: int) -> None:
        triangles = glasses.indices()
        self.glasses = self.context.buffer(reserve=batch * glasses.VERTICES * 7 * 4)
        self.glasses_indices = triangles.size
        self.glasses_array = self.context.vertex_array(
            self.programs["glasses"],
            [(self.glasses, "3f 3f 1f", "point", "facing", "pane")],
            _repeated(self.context, triangles, batch),
        )

    def _bake_occlusion(self, rest: np.ndarray, directions: int = 48, side: int = 256) -> None:
        """Ambient occlusion of the rest head, a value a vertex: how much of the sky it sees.

        Depth maps from directions on a Fibonacci sphere, compared in numpy.
        """
        context, mesh = self.context, self.mesh
        depth_map = context.depth_texture((side, side))
        canvas = context.framebuffer(depth_attachment=depth_map)
        normals, centre = mesh.normals(rest[None])[0], np.array([0, 6.9, 0.3])
        rows = np.zeros((mesh.rows * TEXTURE_WIDTH, 3), np.float32)
        rows[: len(rest)] = rest
        self.positions.write(rows.tobytes(), viewport=(0, 0, TEXTURE_WIDTH, mesh.rows))
        self.use(positions=self.positions)
        block = np.zeros(1, shaders.head_block())
        block["camera"][0, :, :3] = np.eye(3)
        block["camera"][0, :, 3] = -centre
        height = 1 - (2 * np.arange(directions) + 1) / directions
        turn = np.arange(directions) * math.pi * (3 - math.sqrt(5))
        round_ = np.sqrt(1 - height**2)
        sphere = np.stack([round_ * np.cos(turn), height, round_ * np.sin(turn)], axis=1)
        seen, total = np.zeros(len(rest)), np.full(len(rest), 1e-6)
        canvas.use()
        context.enable_only(context.DEPTH_TEST)
        for frame in frames(sphere[sphere[:, 2] > -0.7]):
            block["shadow_frame"][0, :, :3] = frame
            self.blocks.write(block.tobytes())
            self.use_head(0)
            canvas.clear(depth=1.0)
            self.head_shadow.render()
            depth = np.frombuffer(depth_map.read(), np.float32).reshape(side, side)
            at = ((rest + normals * 0.012 - centre) @ frame.T) / [1.9, 1.9, -4] * 0.5 + 0.5
            column, row = np.clip((at[:, :2] * side).astype(int), 0, side - 1).T
            facing = np.clip(normals @ frame[2], 0, 1)
            seen += facing * (at[:, 2] <= depth[row, column] + 0.002)
            total += facing
        open_sky = 0.12 + 0.88 * np.where(total > 0.2, np.clip(seen / total, 0, 1), 1)
        open_sky = mesh.smoothed(mesh.smoothed(open_sky))
        self._head.write("occlusion", open_sky[mesh.source].astype(np.float32))
        canvas.release()
        depth_map.release()


def _repeated(context: gl.Context, triangles: np.ndarray, batch: int) -> Any:
    """Index buffer of the same triangles for each head of a batch, one after the other."""
    heads = np.arange(batch)[:, None, None] * (int(triangles.max()) + 1)
    return context.buffer((triangles[None] + heads).astype(np.int32).tobytes())
