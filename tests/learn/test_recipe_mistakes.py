"""Whatever stands in a recipe, it is refused in one sentence or a run can start from it."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

import pytest
import yaml
from pydantic import BaseModel

from actionunits.errors import RecipeError
from actionunits.learn import plain
from actionunits.learn.recipe import Recipe, load_recipe, parse_recipe
from command import Au
from runs import tiny_recipe

WRONG: list[Any] = [
    *(None, True, "", "x", "1", "-1", "nan", b"\xff", object(), [], [1], [1, 1], [3], {}, {"x": 1}),
    *(-1, 0, 1, 2, 10**9, 2**31, 2**64, 10**400, -1.0, 0.0, 1e-320, 0.5, 1e300),
    *(math.nan, math.inf, -math.inf, [[]], [None], ["12"], [0.9], [1e300], {1: 2}, {"*": {}}),
]


def _fields(section: type[BaseModel], *above: str) -> Iterator[str]:
    """Dotted names of all fields, those of sections and of mappings of sections too."""
    for name, field in section.model_fields.items():
        kind, path = field.annotation, (*above, name)
        if get_origin(kind) is dict:
            kind, path = get_args(kind)[1], (*path, "x")
        yield ".".join((*above, name))
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _fields(kind, *path)


@pytest.mark.parametrize("name", list(_fields(Recipe)))
def test_a_field_takes_a_value_or_refuses_it(name: str) -> None:
    for wrong in WRONG:
        values = tiny_recipe(Path("x")).model_dump(mode="json")
        section: Any = values
        *above, last = name.split(".")
        for part in above:
            section = section.setdefault(part, {})
        section[last] = wrong
        try:
            recipe = parse_recipe(values, "x.yaml")
        except RecipeError as error:
            said = str(error)
            assert said.startswith("x.yaml: ")
            assert len(said) < 1200
            assert "\n" not in said
        else:  # what a run keeps is what was given, or no run could go on
            kept = recipe.model_dump(mode="json")
            assert parse_recipe(plain.read(plain.write(kept)), "kept") == recipe, wrong


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "expected a mapping of keys to values, found None"),
        (b"- a\n- b\n", "expected a mapping"),
        (b"about: caf\xe9\n", "UTF-8"),
        (b"about: \x00\n", "not valid YAML"),
        (b"about:\tx\n\tmodel: y\n", "not valid YAML"),
        (b"epochs: 1\nepochs: 2\n", "the key epochs twice in line 2"),
        (b"a: " + b"[" * 3000, "levels deep"),
        (b"a: " + b"{b: " * 3000, "levels deep"),
        (b"a: &a [*a]\n", "inside itself"),
        (b"a: *b\n", "undefined alias"),
        (b"about: 2026-99-99\n", "not valid YAML"),
        (b"epochs: " + b"1" * 5000 + b"\n", "not valid YAML"),
        (b"about: !!python/object:os.system x\n", "not valid YAML"),
        (b"ablations: 3\n", "ablations must map"),
        (b"ablations: {1: {epochs: 2}}\n", "found at ablations.1 1"),
        (b"ablations: {one: {2: 2}}\n", "found at ablations.one.2 2"),
        (b"ablations: {one: 2}\n", "found at ablations.one 2"),
        (b"base: [renet_synfacs]\n", "there is no recipe"),
        (b"base: recipe.yaml\n", "in a circle"),
        (b"1: 2\n", "the key"),
    ],
    ids=lambda value: str(value)[:24],
)
def test_a_file_that_is_no_recipe_is_named(
    tmp_path: Path, au: Au, content: bytes, says: str
) -> None:
    file = tmp_path / "recipe.yaml"
    file.write_bytes(content)
    said = au("train", file, "--out", tmp_path / "run")
    assert said.code == 2
    assert says in said.err
    assert said.err.count("\n") == 1
    assert len(said.err) < 1500


@pytest.mark.parametrize("form", ["[*{0}, *{0}]", "{{<<: [*{0}, *{0}], b{1}: 1}}"])
def test_few_lines_do_not_become_many_values(tmp_path: Path, form: str) -> None:
    lines = ["a0: &a0 {b: 1}"]
    lines += [f"a{n}: &a{n} {form.format(f'a{n - 1}', n)}" for n in range(1, 40)]
    (tmp_path / "bomb.yaml").write_text("\n".join(lines))
    with pytest.raises(RecipeError, match="more than 10000 values"):
        load_recipe(tmp_path / "bomb.yaml")


def test_a_byte_order_mark_and_aliases_are_read() -> None:
    assert plain.read("a: &a {b: 1e-4}\nc: {<<: *a, d: [*a]}") == {
        "a": {"b": 1e-4},
        "c": {"b": 1e-4, "d": [{"b": 1e-4}]},
    }
    text = "\ufeff" + yaml.safe_dump(tiny_recipe(Path("x")).model_dump(mode="json"))
    file = Path("x.yaml")
    assert parse_recipe(plain.read(text.encode().decode("utf-8-sig")), str(file)).epochs == 2


@pytest.mark.parametrize("value", ["1e5", "1e-4", "yes", "null", "~", "*a", "é", "\udce9", "a: b"])
def test_text_that_looks_like_something_else_stays_text(value: str) -> None:
    assert plain.read(plain.write({"init": value, "again": value})) == {
        "init": value,
        "again": value,
    }


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("epochs", "key=value"),
        ("=3", "key=value"),
        ("epochs=[", "not valid YAML"),
        ("epochs=", "epochs: input should be a valid integer, found None"),
        ("data.aus=[3]", "data.aus: unknown AU numbers [3]"),
        ("data.aus=[]", "data.aus"),
        ("data.aus=[1,1]", "each once"),
        ("optimiser.betas=[0.9]", "optimiser.betas: too few values, found [0.9]"),
        ("optimiser.groups={a: {rate: 1}}", "unknown key optimiser.groups.a.rate"),
        ("optimiser.lr=.inf", "finite"),
        ("epochs.x=1", "epochs has no keys"),
        ("..=1", "unknown key"),
        ("model.params.size=.nan", "size"),
    ],
)
def test_a_setting_that_is_wrong_is_named(au: Au, tmp_path: Path, setting: str, says: str) -> None:
    said = au("train", "renet_synfacs", "--set", setting, "--out", tmp_path)
    assert said.code == 2
    assert says in said.err
    assert said.err.count("\n") == 1
