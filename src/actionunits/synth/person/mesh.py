"""The head's mesh for the graphics card: indices, seams, normals; and its proxies' meshes."""

from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import reverse_cuthill_mckee

from actionunits.synth.person.assets import LEFT_EYE, RIGHT_EYE, SKIN, TONGUE, Assets, Proxy

_FRONT_TEETH = 1.16  # z behind which teeth are left out
_GUMS = 6.488  # y below which they would come through an open jaw's chin
TEXTURE_WIDTH = 128  # of the texture that holds the positions; the shader's mask is this - 1


class HeadMesh:
    """The head as one indexed list, split at texture seams; skin first, then eyes, then tongue.

    Attributes:
        indices: (T, 3) int32 into the split vertices.
        parts: (first, count) indices of skin, eyes and tongue.
        source: (N,) int32 vertex of the head that a split vertex stands for.
        uv: (N, 2) float32.
        rest: (N, 3) float32 rest position.
        rows: rows of the position texture that a head takes.
    """

    def __init__(self, assets: Assets) -> None:
        rank = np.zeros(4, int)
        rank[[SKIN, RIGHT_EYE, LEFT_EYE, TONGUE]] = [0, 1, 1, 2]
        part = rank[assets.materials]
        order = np.argsort(part, kind="stable")
        triangles, part = assets.triangles[order], part[order]
        texel = np.round(assets.uv[order].reshape(-1, 2) * 65535).astype(np.int64)
        split, self.indices = _local(np.column_stack([triangles.reshape(-1), texel]), part)
        ends = np.concatenate([[0], np.cumsum(np.bincount(part, minlength=3)) * 3])
        self.parts = [(int(a), int(b - a)) for a, b in zip(ends[:-1], ends[1:], strict=True)]
        self.source = split[:, 0].astype(np.int32)
        self.uv = (split[:, 1:] / 65535).astype(np.float32)
        self.rest = assets.vertices[self.source]
        self.rows = -(-len(assets.vertices) // TEXTURE_WIDTH)
        corners = triangles.reshape(-1)
        faces = np.repeat(np.arange(len(triangles)), 3)
        shape = (len(assets.vertices), len(triangles))
        self._triangles = triangles
        self._around = sparse.csr_matrix(
            (np.ones(len(corners), np.float32), (corners, faces)), shape
        )
        near = ((self._around @ self._around.T) > 0).astype(np.float32)
        self._near = sparse.diags(1 / np.maximum(near.sum(axis=1).A1, 1)) @ near

    def normals(self, vertices: np.ndarray) -> np.ndarray:
        """(B, V, 3) positions to (B, V, 3) float32 unit normals, weighted by area."""
        a, b, c = (vertices[:, self._triangles[:, corner]] for corner in range(3))
        faces = np.cross(b - a, c - a).transpose(1, 0, 2).reshape(len(self._triangles), -1)
        total = (self._around @ faces).reshape(-1, len(vertices), 3).transpose(1, 0, 2)
        length = np.linalg.norm(total, axis=-1, keepdims=True) + 1e-9
        return np.asarray(total / length, np.float32)

    def smoothed(self, values: np.ndarray) -> np.ndarray:
        """(V,) values, each the mean of itself and its neighbours."""
        return np.asarray(self._near @ values)


class ProxyMesh(NamedTuple):
    """A proxy as an indexed list, split at texture seams."""

    indices: np.ndarray  # (T, 3) int32
    anchor: np.ndarray  # (N, 3) int32
    weight: np.ndarray  # (N, 3) float32
    offset: np.ndarray  # (N, 3) float32
    facing: np.ndarray  # (N, 3) float32 normal at rest
    uv: np.ndarray  # (N, 2) float32
    rest: np.ndarray  # (N, 3) float32
    hard: np.ndarray  # (N,) float32, 1 on teeth; 0 on gums and on anything else


def proxy_mesh(proxy: Proxy, assets: Assets, head: HeadMesh) -> ProxyMesh:
    """Lay a proxy out for the graphics card.

    Hair and teeth are lit by their own normals, brows and lashes by those of the skin below.
    """
    scale = proxy_scale(proxy, assets.vertices[None])[0]
    bound = np.einsum("pac,pa->pc", assets.vertices[proxy.anchors], proxy.weights)
    rest = bound + proxy.offsets * scale
    if proxy.kind in ("hair", "teeth"):
        facing = _own_normals(rest, proxy.triangles)
    else:
        facing = head.normals(assets.vertices[None])[0, proxy.anchors[:, 0]]
    kept = np.ones(len(proxy.triangles), bool)
    if proxy.kind == "teeth":  # nobody sees molars or gums, and small triangles are dear
        corners = rest[proxy.triangles]
        kept = (corners[..., 2].min(axis=1) > _FRONT_TEETH) & (corners[..., 1].min(axis=1) > _GUMS)
    texel = np.round(proxy.uv[kept].reshape(-1, 2) * 65535).astype(np.int64)
    corners = np.column_stack([proxy.triangles[kept].reshape(-1), texel])
    split, indices = _local(corners, np.zeros(kept.sum(), int))
    source = split[:, 0]
    return ProxyMesh(
        indices=indices,
        anchor=proxy.anchors[source].astype(np.int32),
        weight=proxy.weights[source],
        offset=proxy.offsets[source],
        facing=facing[source].astype(np.float32),
        uv=(split[:, 1:] / 65535).astype(np.float32),
        rest=rest[source].astype(np.float32),
        hard=_teeth(proxy.triangles, len(rest))[source].astype(np.float32),
    )


def _local(corners: np.ndarray, part: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Number vertices so that neighbours are near: a driver's vertex cache is small.

    Software drivers spend much of their time on vertices; this order halves their number.

    Args:
        corners: (3 T, C) what makes a corner of a triangle a vertex of its own.
        part: (T,) sorted: triangles stay within their part.

    Returns:
        (N, C) vertices and (T, 3) int32 indices.
    """
    split, inverse = np.unique(corners, axis=0, return_inverse=True)
    triangles = inverse.reshape(-1, 3)
    edges = (triangles.reshape(-1), np.roll(triangles, 1, axis=1).reshape(-1))
    linked = sparse.coo_matrix((np.ones(triangles.size), edges), (len(split), len(split)))
    order = reverse_cuthill_mckee((linked + linked.T).tocsr(), symmetric_mode=True)
    rank = np.empty(len(split), int)
    rank[order] = np.arange(len(split))
    triangles = rank[triangles]
    return split[order], triangles[np.lexsort((triangles.min(axis=1), part))].astype(np.int32)


def proxy_scale(proxy: Proxy, vertices: np.ndarray) -> np.ndarray:
    """(B, V, 3) heads to the (B, 3) scale of a proxy's offsets."""
    ends = vertices[:, proxy.scale_vertices]  # (B, 3, 2, 3)
    apart = np.abs(ends[:, :, 0] - ends[:, :, 1])[:, [0, 1, 2], [0, 1, 2]]
    return np.asarray(apart / proxy.scale_lengths)


def _own_normals(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    a, b, c = (vertices[triangles[:, i]] for i in range(3))
    face = np.cross(b - a, c - a)
    normals = np.zeros_like(vertices)
    for i in range(3):
        np.add.at(normals, triangles[:, i], face)
    return np.asarray(normals / (np.linalg.norm(normals, axis=1, keepdims=True) + 1e-9))


def _teeth(triangles: np.ndarray, total: int) -> np.ndarray:
    """(P,) True on every connected piece but the largest, which in a set of teeth is the gum."""
    label = np.arange(total)
    while True:  # pass the smallest label along the triangles until nothing changes
        lowest = label[triangles].min(axis=1)
        spread = label.copy()
        for i in range(3):
            np.minimum.at(spread, triangles[:, i], lowest)
        spread = spread[spread]
        if (spread == label).all():
            break
        label = spread
    return np.asarray(label != np.bincount(label).argmax())
