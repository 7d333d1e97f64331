"""Nobody is trained on and tested on unnoticed: by another path, in a sibling, through a start."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from actionunits import datasets as data_sets
from actionunits.data.table import FrameTable
from actionunits.data.triplets import triplets_from_aus
from actionunits.datasets.people import share_people
from actionunits.datasets.prepare import prepare
from actionunits.errors import RecipeError
from actionunits.learn import checkpoint
from actionunits.learn.card import CARD, read_card
from actionunits.learn.evaluate import evaluate, unseen
from actionunits.learn.recipe import Recipe
from actionunits.learn.report import AnyReport, Report, people_lines, read_report
from actionunits.learn.run import REPORT
from actionunits.learn.train import train
from builders import write_synfacs
from rawtables import raw_table
from runs import tiny_recipe


def short(root: Path, **changes: object) -> Recipe:
    return tiny_recipe(root, epochs=1, **changes)


@pytest.fixture(scope="module")
def fold1(synfacs_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that keeps S003 and S006 for testing."""
    out = tmp_path_factory.mktemp("run")
    train(short(synfacs_file), 1, out, show=False)
    return out


@pytest.fixture
def siblings(tmp_path: Path) -> dict[str, Recipe]:
    """Recipes on two data sets of the same three people, S1 to S3."""
    recipes = {}
    for name in ("disfa", "disfa_right"):
        raw = replace(raw_table(tmp_path / f"{name}-raw", frames=8), name=name)
        prepare(raw, tmp_path / name, workers=1)
        data = {"name": name, "root": str(tmp_path / name), "aus": [6, 12]}
        recipes[name] = tiny_recipe(
            tmp_path, {"task": "occurrence"}, data=data, loss={"occurrence": 1.0}, epochs=1
        )
    return recipes


def text(report: AnyReport) -> str:
    console = Console(width=400)
    with console.capture() as said:
        console.print(report.to_table())
    return " ".join(said.get().split())


def test_the_card_names_whom_a_run_was_trained_on(fold1: Path) -> None:
    card = read_card(fold1)
    assert card.people == tuple(f"synfacs/0:S00{number}" for number in (1, 2, 4, 5))


def test_people_held_out_to_choose_by_are_among_them(synfacs_file: Path, tmp_path: Path) -> None:
    train(short(synfacs_file, selection={"rule": "inner", "share": 0.3}), 1, tmp_path, show=False)
    assert len(read_card(tmp_path).people) == 4


def test_a_copy_in_another_place_is_no_way_around(
    fold1: Path, synfacs_file: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.parquet"
    copy.write_bytes(synfacs_file.read_bytes())
    leak = short(copy, init=str(fold1))
    with pytest.raises(RecipeError, match=r"2 of 2 test subjects of fold 2.*S002.*same fold"):
        train(leak, 2, tmp_path / "leak", show=False)
    train(leak, 1, tmp_path / "right", show=False)
    others = write_synfacs(tmp_path / "others.parquet", seed=1)
    train(short(others, init=str(fold1)), 2, tmp_path / "others", show=False)


def test_people_go_down_a_line_of_starts(fold1: Path, synfacs_file: Path, tmp_path: Path) -> None:
    others = write_synfacs(tmp_path / "others.parquet", seed=1)
    train(short(others, init=str(fold1)), 2, tmp_path / "second", show=False)
    people = read_card(tmp_path / "second").people
    assert set(read_card(fold1).people) < set(people)
    with pytest.raises(RecipeError, match="or what it started from, was trained on 2 of 2"):
        train(short(synfacs_file, init=str(tmp_path / "second")), 2, tmp_path / "x", show=False)
    report = evaluate(tmp_path / "second", data="synfacs", root=str(synfacs_file), resamples=0)
    assert (report.trained_on, len(report.left_out)) == ((), 4)


def test_siblings_show_the_same_people(siblings: dict[str, Recipe], tmp_path: Path) -> None:
    train(siblings["disfa"], 1, tmp_path / "left", show=False)
    start = siblings["disfa_right"].model_copy(update={"init": str(tmp_path / "left")})
    with pytest.raises(RecipeError, match="1 of 1 test subject of fold 3"):
        train(start, 3, tmp_path / "leak", show=False)
    train(start, 1, tmp_path / "same", show=False)
    root = siblings["disfa_right"].data.root
    report = evaluate(tmp_path / "left", data="disfa_right", root=root, resamples=0)
    assert isinstance(report, Report)
    assert (report.subjects, report.left_out) == (("S3",), ("disfa:S1", "disfa:S2"))
    assert "left out: 2 of 3 subjects, whom the weights were trained on" in text(report)


def test_populations() -> None:
    names = ["bp4d", "fera2017", "bp4d_plus", "disfa", "disfa_right"]
    shared = {(a, b) for a in names for b in names if a < b and share_people(a, b)}
    assert shared == {("bp4d", "fera2017"), ("disfa", "disfa_right")}


def test_lists_of_ones_own(tmp_path: Path) -> None:
    def table(name: str, subject: str | None, frames: int = 3) -> FrameTable:
        raw = raw_table(tmp_path / f"{name}-raw", frames=frames)
        rows = raw.rows if subject is None else raw.rows.assign(subject=subject)
        rows = rows.drop_duplicates(["subject", "task", "frame"], ignore_index=True)
        prepare(replace(raw, name="csv", rows=rows), tmp_path / name, workers=1)
        return data_sets.load("csv", tmp_path / name)

    assert table("named", None).people == ("csv:S1", "csv:S2", "csv:S3")
    # Without names a list is known by its frames and codes alone.
    one, more = table("one", "unknown"), table("more", "unknown", frames=4)
    (tmp_path / "one").rename(tmp_path / "moved")
    assert data_sets.load("csv", tmp_path / "moved").people == one.people != more.people


def test_of_people_who_were_trained_on_only_the_others_are_scored(
    fold1: Path, synfacs_file: Path
) -> None:
    whole = evaluate(fold1, data="synfacs", root=str(synfacs_file), resamples=0)
    own = evaluate(fold1, resamples=0)
    assert whole.to_json() == own.to_json()  # the very data set: its test fold
    table = data_sets.load("synfacs", synfacs_file)
    some = evaluate(fold1, table=table, resamples=0)
    assert isinstance(some, Report)
    assert (some.subjects, some.left_out) == (own.subjects, read_card(fold1).people)
    assert some.confusion == own.confusion
    assert "left out: 4 of 6 subjects, whom the weights were trained on" in text(some)
    assert "TRAINED ON THESE" not in text(some)
    assert list(people_lines([own])) == []


@pytest.mark.parametrize("kept", [1, None])
def test_where_nobody_else_is_there_it_is_shouted(
    kept: int | None, synfacs_file: Path, tmp_path: Path
) -> None:
    train(short(synfacs_file), kept, tmp_path, show=False)
    report = evaluate(tmp_path, fold=2, resamples=0)
    assert report.trained_on == ("synfacs/0:S002", "synfacs/0:S005")
    assert report.title.endswith("TRAINED ON THESE")
    assert "TRAINED ON THESE: the weights learned from 2 subjects of them" in text(report)
    assert read_report(report.to_json()).trained_on == report.trained_on
    assert unseen(data_sets.load("synfacs", synfacs_file), ()).left_out == ()


def test_models_without_aus_say_so_too(synfacs_file: Path, tmp_path: Path) -> None:
    data = {"name": "synfacs", "root": str(synfacs_file)}
    model = {"name": "landmarks", "params": {"size": 32, "align": 36, "width": 8}}
    recipe = short(synfacs_file, model=model, data=data, loss={"landmarks": 1.0}, batch=8)
    train(recipe, 1, tmp_path, show=False)
    assert evaluate(tmp_path, resamples=0).trained_on == ()
    report = evaluate(tmp_path, fold=2, resamples=0)
    assert report.title.endswith("fold 2, TRAINED ON THESE")
    assert "TRAINED ON THESE: the weights learned from 2 subjects of them" in text(report)


def test_triplets_drawn_from_coded_frames_are_of_their_people(synfacs_file: Path) -> None:
    table = data_sets.load("synfacs", synfacs_file)
    triplets = triplets_from_aus(table, 10, 0)
    assert triplets.people == table.people
    kept = unseen(triplets, table.people[:2])  # a triplet is of three: nobody is taken out of it
    assert (kept.samples, kept.trained_on, kept.left_out) == (triplets, table.people[:2], ())


def test_cards_that_do_not_say_are_loaded_and_it_is_said(
    synfacs_file: Path, tmp_path: Path
) -> None:
    train(short(synfacs_file), 1, tmp_path / "old", show=False)
    file = tmp_path / "old" / "checkpoint" / CARD
    values = json.loads(file.read_text())
    for name in ("people", "coding", "occurs_from", "seal"):
        del values[name]
    file.write_text(json.dumps(values))
    report = evaluate(tmp_path / "old", resamples=0)
    assert not report.people_known
    assert "WHETHER THE WEIGHTS WERE TRAINED ON THESE IS UNKNOWN" in text(report)
    copy = tmp_path / "copy.parquet"
    copy.write_bytes(synfacs_file.read_bytes())
    moved = evaluate(tmp_path / "old", data="synfacs", root=str(copy), resamples=0)
    assert moved.title.endswith("fold 1")  # the others may have been trained on
    start = short(copy, init=str(tmp_path / "old"))
    with pytest.raises(RecipeError, match="does not say whom it was trained on; it kept fold 1"):
        train(start, 2, tmp_path / "leak", show=False)
    train(start, 1, tmp_path / "next", show=False)
    reported = read_report((tmp_path / "next" / REPORT).read_text())
    assert not reported.people_known  # what it started from may have seen anybody
    assert not evaluate(tmp_path / "next", resamples=0).people_known


def test_a_start_from_faces_placed_otherwise_is_refused(
    siblings: dict[str, Recipe], tmp_path: Path
) -> None:
    raw = replace(raw_table(tmp_path / "box-raw", frames=8), name="disfa")
    prepare(raw, tmp_path / "box", template="box49", workers=1)
    data = siblings["disfa"].data
    boxed = siblings["disfa"].model_copy(
        update={"data": data.model_copy(update={"root": str(tmp_path / "box")})}
    )
    train(boxed, 1, tmp_path / "first", show=False)
    second = siblings["disfa"].model_copy(update={"init": str(tmp_path / "first")})
    with pytest.raises(
        RecipeError, match=r"template box49, these are placed by canonical: prepare disfa with --te"
    ):
        train(second, 1, tmp_path / "second", show=False)
    same = boxed.model_copy(update={"init": str(tmp_path / "first")})
    train(same, 1, tmp_path / "same", show=False)


def test_pictures_taken_as_they_are_may_start_any_and_it_is_said(
    fold1: Path, synfacs_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, card = checkpoint.load(fold1)
    checkpoint.save(model, card.model_copy(update={"template": "given"}), tmp_path / "given")
    train(short(synfacs_file, init=str(tmp_path / "given")), 1, tmp_path / "run", show=True)
    said = " ".join(capsys.readouterr().err.split())
    assert "see to it that their faces are placed as the template canonical places them" in said
