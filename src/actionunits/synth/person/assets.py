"""Read the MakeHuman head: base mesh, blendshape targets, proxies (hair, brows, teeth), textures.

The folder is laid out as `makehuman`: ``mpfb/`` (base mesh, targets, UV masks of the MPFB add-on),
``base/`` (proxies of MakeHuman) and ``textures/`` (skins, hair, brows, lashes). Parsing 500 text
files takes seconds, so the parsed arrays are kept in the user's cache folder.
"""

import contextlib
import gzip
import hashlib
import os
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from actionunits.errors import DataError, UserError
from actionunits.files import atomic, writing

SKIN, LEFT_EYE, RIGHT_EYE, TONGUE = range(4)
_GROUPS = {
    "body": SKIN,
    "helper-l-eye": LEFT_EYE,
    "helper-r-eye": RIGHT_EYE,
    "helper-tongue": TONGUE,
}
_NECK = 5.35  # the body ends below this height (decimetres)
_SHOULDER = 1.6  # and beyond this half width
_TARGET_FOLDERS = (
    *("head", "forehead", "eyes", "nose", "mouth", "cheek"),
    *("chin", "ears", "eyebrows", "asym", "neck"),
)
_MASKS = ("lips", "inside-mouth")
_CACHE_FORMAT = 1  # of the cached arrays: raise it when the parser changes


@dataclass(frozen=True)
class Proxy:
    """A mesh that follows the head: vertex = sum(anchor * weight) + offset * scale of the head."""

    kind: str  # "hair", "brow", "lash" or "teeth"
    name: str
    anchors: np.ndarray  # (P, 3) int32 vertices of the head
    weights: np.ndarray  # (P, 3) float32
    offsets: np.ndarray  # (P, 3) float32
    scale_vertices: np.ndarray  # (3, 2) int32: for x, y, z the two vertices whose distance scales
    scale_lengths: np.ndarray  # (3,) float32: that distance for which the offsets were made
    triangles: np.ndarray  # (T, 3) int32 vertices of the proxy
    uv: np.ndarray  # (T, 3, 2) float32
    texture: np.ndarray  # (H, W, 4) uint8 RGBA; (1, 1, 4) white where the proxy has none


@dataclass(frozen=True)
class Assets:
    """The head as arrays. Heights and widths are MakeHuman's decimetres, y up, z to the viewer."""

    vertices: np.ndarray  # (V, 3) float32 rest shape
    numbers: np.ndarray  # (V,) int32 vertex numbers in the base mesh
    triangles: np.ndarray  # (T, 3) int32
    uv: np.ndarray  # (T, 3, 2) float32
    materials: np.ndarray  # (T,) int32: SKIN, LEFT_EYE, RIGHT_EYE, TONGUE
    targets: dict[str, np.ndarray]  # "nose/nose-hump-incr" -> (V, 3) float32 displacement
    proxies: tuple[Proxy, ...]
    skins: dict[str, np.ndarray]  # name -> (512, 512, 3) uint8
    masks: np.ndarray  # (1024, 1024, 2) uint8: lips, inside of the mouth, in the skin's UV

    def of_kind(self, kind: str) -> list[Proxy]:
        """Proxies of one kind, in a fixed order."""
        return [proxy for proxy in self.proxies if proxy.kind == kind]

    def proxy(self, kind: str, name: str) -> Proxy:
        """The proxy of this kind and name."""
        return next(p for p in self.proxies if (p.kind, p.name) == (kind, name))


def load_assets(folder: Path) -> Assets:
    """Read the head from a folder of MakeHuman assets.

    Args:
        folder: holds ``mpfb``, ``base`` and ``textures``.

    Raises:
        DataError: the folder or one of its files is missing or not what it should be.
    """
    folder = Path(folder)
    _require(folder)
    parsed = _cached(folder)
    proxies = tuple(_proxies(folder, parsed))
    names = [str(name) for name in parsed["target_names"]]
    return Assets(
        vertices=parsed["vertices"],
        numbers=parsed["numbers"],
        triangles=parsed["triangles"],
        uv=parsed["uv"],
        materials=parsed["materials"],
        targets=dict(zip(names, parsed["targets"], strict=True)),
        proxies=proxies,
        skins=_skins(folder),
        masks=np.dstack([_mask(folder / f"mpfb/textures/mpfb_{name}.jpg") for name in _MASKS]),
    )


def _require(folder: Path) -> None:
    wanted = [
        *("mpfb/3dobjs/base.obj", "mpfb/targets/macrodetails", "mpfb/targets/expression/units"),
        *(f"mpfb/targets/{name}" for name in _TARGET_FOLDERS),
        *(f"mpfb/textures/mpfb_{name}.jpg" for name in _MASKS),
        *("base/hair", "base/eyebrows", "base/eyelashes", "base/teeth/teeth_base"),
        *(f"textures/{name}" for name in ("skins", "hair", "eyebrows", "eyelashes")),
    ]
    missing = [name for name in wanted if not (folder / name).exists()]
    if missing:
        raise DataError(
            f"{folder} should hold the MakeHuman assets but lacks {', '.join(missing[:4])}"
            f"{' and more' if len(missing) > 4 else ''}: give a folder with mpfb/, base/ and "
            "textures/ taken from a MakeHuman or MPFB installation"
        )


def _sources(folder: Path) -> list[Path]:
    kinds = ("mpfb/3dobjs/*.obj", "mpfb/targets/**/*.target.gz", "base/**/*.obj", "base/**/*.mhclo")
    return sorted(path for kind in kinds for path in folder.glob(kind))


def _cached(folder: Path) -> dict[str, np.ndarray]:
    """Parsed meshes, from the cache when no file has changed since they were parsed."""
    stats = [(str(p.relative_to(folder)), p.stat()) for p in _sources(folder)]
    described = [f"{name} {stat.st_size} {stat.st_mtime_ns}" for name, stat in stats]
    key = hashlib.sha256("\n".join([str(_CACHE_FORMAT), *described]).encode()).hexdigest()[:16]
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    path = root / "actionunits" / f"head-{key}.npz"
    if (parsed := _load(path)) is None:
        parsed = _parse(folder)
        # A read-only or full home only costs the next start its seconds.
        with contextlib.suppress(UserError), writing(path), atomic(path) as temporary:
            np.savez(temporary, allow_pickle=False, **parsed)
    return parsed


def _load(path: Path) -> dict[str, np.ndarray] | None:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return dict(arrays)
    except (OSError, ValueError, zipfile.BadZipFile):
        return None


def _parse(folder: Path) -> dict[str, np.ndarray]:
    vertices, texture, faces = _read_obj(folder / "mpfb/3dobjs/base.obj")
    triangles, uv, materials = [], [], []
    for group, corners in faces:
        ids = [vertex for vertex, _ in corners]
        material = _GROUPS.get(group)
        if material is None:
            continue
        outside = vertices[ids, 1].min() < _NECK or abs(vertices[ids, 0]).max() > _SHOULDER
        if material == SKIN and outside:
            continue
        for k in range(1, len(ids) - 1):
            triangles.append([ids[0], ids[k], ids[k + 1]])
            uv.append([texture[corners[j][1]] for j in (0, k, k + 1)])
            materials.append(material)
    proxies = {kind: _read_proxy(folder, kind) for kind in _proxy_names(folder)}
    bound = [p[key] for p in proxies.values() for key in ("anchors", "scale_vertices")]
    used = np.unique(np.concatenate([np.ravel(triangles), *(b.reshape(-1) for b in bound)]))
    place = np.full(len(vertices), -1)
    place[used] = np.arange(len(used))
    targets = dict(_read_targets(folder / "mpfb/targets", len(vertices), used))
    parsed = {
        "vertices": vertices[used].astype(np.float32),
        "numbers": used.astype(np.int32),
        "triangles": place[np.array(triangles)].astype(np.int32),
        "uv": np.array(uv, np.float32),
        "materials": np.array(materials, np.int32),
        "target_names": np.array(list(targets)),
        "targets": np.stack(list(targets.values())),
    }
    for (kind, name), proxy in proxies.items():
        for key in ("anchors", "scale_vertices"):
            proxy[key] = place[proxy[key]].astype(np.int32)
        parsed |= {f"{kind}/{name}/{key}": value for key, value in proxy.items()}
    return parsed


Corner = tuple[int, int]


def _read_obj(path: Path) -> tuple[np.ndarray, np.ndarray, list[tuple[str, list[Corner]]]]:
    """Vertices (N, 3), texture coordinates (M, 2), and faces as (group, [(vertex, texture)])."""
    vertices, texture, faces, group = [], [], [], ""
    for line in _lines(path):
        kind, *rest = line.split()
        if kind == "v":
            vertices.append([float(x) for x in rest[:3]])
        elif kind == "vt":
            texture.append([float(x) for x in rest[:2]])
        elif kind == "g":
            group = rest[0] if rest else ""
        elif kind == "f":
            pairs = [corner.split("/") for corner in rest]
            faces.append((group, [(int(p[0]) - 1, int(p[1]) - 1) for p in pairs]))
    if not vertices or not texture or not faces:
        raise DataError(f"{path} should be a textured Wavefront mesh but has no such faces")
    return np.array(vertices), np.array(texture), faces


def _read_targets(folder: Path, total: int, used: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the targets that move the head: (name, (V, 3) float32)."""
    for path in sorted(folder.glob("**/*.target.gz")):
        parts = path.relative_to(folder).parts
        name = "/".join(parts).removesuffix(".target.gz").replace("expression/units/", "unit/")
        if "baby" in name or "child" in name:
            continue
        rows = np.array([line.split()[:4] for line in _lines(path)], float).reshape(-1, 4)
        delta = np.zeros((total, 3), np.float32)
        delta[rows[:, 0].astype(int)] = rows[:, 1:]
        delta = delta[used]
        if np.abs(delta).max() > 1e-4 or name.startswith("macrodetails"):
            yield name, delta


def _lines(path: Path) -> Iterator[str]:
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rt", encoding="utf-8") as file:
            yield from (line for line in file if line.strip() and line[0] != "#")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise DataError(f"{path} should be a MakeHuman text file: {error}") from error


def _proxy_names(folder: Path) -> list[tuple[str, str]]:
    """(kind, name) of every proxy that has a mesh, a binding and (but for teeth) a texture."""
    found = []
    for kind, where in (("hair", "hair"), ("brow", "eyebrows"), ("lash", "eyelashes")):
        for path in sorted((folder / "base" / where).glob("*/*.mhclo")):
            if (folder / f"textures/{where}/{path.stem}.png").exists():
                found.append((kind, path.stem))
        if not any(k == kind for k, _ in found):
            raise DataError(f"{folder}/base/{where} should hold meshes with a texture of one name")
    return [*found, ("teeth", "teeth_base")]


_PLACE = {"hair": "hair", "brow": "eyebrows", "lash": "eyelashes", "teeth": "teeth"}


def _read_proxy(folder: Path, key: tuple[str, str]) -> dict[str, np.ndarray]:
    kind, name = key
    base = folder / "base" / _PLACE[kind] / name / name
    vertices, texture, faces = _read_obj(base.with_suffix(".obj"))
    anchors, weights, offsets = [], [], []
    scales, inside = {}, False
    for line in _lines(base.with_suffix(".mhclo")):
        word, *rest = line.split()
        if word in ("x_scale", "y_scale", "z_scale"):
            scales[word[0]] = (int(rest[0]), int(rest[1]), float(rest[2]))
        elif word == "verts":
            inside = True
        elif not (inside and word.isdigit()):
            inside = inside and word not in ("delete_verts", "weights")
        elif not rest:  # bound to a single vertex
            anchors.append([int(word)] * 3)
            weights.append([1.0, 0.0, 0.0])
            offsets.append([0.0, 0.0, 0.0])
        else:
            anchors.append([int(x) for x in (word, *rest[:2])])
            weights.append([float(x) for x in rest[2:5]])
            offsets.append([float(x) for x in rest[5:8]])
    if len(anchors) != len(vertices) or set(scales) != set("xyz"):
        raise DataError(f"{base}.mhclo should bind {len(vertices)} vertices, binds {len(anchors)}")
    fans = [(c[0], c[k], c[k + 1]) for _, c in faces for k in range(1, len(c) - 1)]
    return {
        "anchors": np.array(anchors),
        "weights": np.array(weights, np.float32),
        "offsets": np.array(offsets, np.float32),
        "scale_vertices": np.array([scales[axis][:2] for axis in "xyz"]),
        "scale_lengths": np.array([scales[axis][2] for axis in "xyz"], np.float32),
        "triangles": np.array([[v for v, _ in fan] for fan in fans], np.int32),
        "uv": np.array([[texture[t] for _, t in fan] for fan in fans], np.float32),
    }


def _proxies(folder: Path, parsed: dict[str, np.ndarray]) -> Iterator[Proxy]:
    for kind, name in _proxy_names(folder):
        texture = np.full((1, 1, 4), 255, np.uint8)
        if kind != "teeth":
            texture = _image(folder / f"textures/{_PLACE[kind]}/{name}.png", "RGBA")
        prefix = f"{kind}/{name}/"
        arrays = {k.removeprefix(prefix): v for k, v in parsed.items() if k.startswith(prefix)}
        yield Proxy(kind=kind, name=name, texture=texture, **arrays)


def _skins(folder: Path) -> dict[str, np.ndarray]:
    paths = sorted((folder / "textures/skins").glob("*_diffuse*.png"))
    skins = {path.stem: _image(path, "RGB") for path in paths}
    for sex in ("_female_", "_male_"):
        if not any(sex in name for name in skins):
            raise DataError(f"{folder}/textures/skins should hold *{sex}diffuse*.png, has none")
    return skins


def _mask(path: Path) -> np.ndarray:
    image = Image.fromarray(_image(path, "L"))
    return np.asarray(image.resize((1024, 1024), Image.Resampling.BOX))


def _image(path: Path, mode: str) -> np.ndarray:
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert(mode))
    except OSError as error:
        raise DataError(f"{path} should be a picture and cannot be read: {error}") from error
