import json

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pools import COLUMNS, all_rows, write

from actionunits.errors import UserError
from actionunits.scale import lock, manifest, parts, query
from actionunits.scale.manifest import Item
from actionunits.scale.parts import Output


def item(name, size=1, modified=1.0, start=0.0, end=None):
    return Item(f"/data/{name}", start, end, size, modified)


def table(*items):
    return manifest._table(items)


@pytest.fixture
def output(tmp_path):
    return Output(str(tmp_path / "out"))


def test_what_is_written_is_recorded_and_not_left(output):
    items = [item("a"), item("b", end=3.0)]
    write(output, items)
    records = output.settle()
    assert records["path"].tolist() == ["/data/a", "/data/b"]
    assert not len(manifest.left(table(*items), records))
    assert len(manifest.left(table(*items, item("c")), records)) == 1


@pytest.mark.parametrize("changed", [{"size": 2}, {"modified": 2.0}])
def test_a_changed_input_is_left_and_its_rows_are_replaced(output, changed):
    write(output, [item("a"), item("b")])
    new = item("a", **changed)
    left = manifest.left(table(new, item("b")), output.settle())
    assert left["path"].tolist() == ["/data/a"]
    write(output, [new])
    records = output.settle()
    assert all_rows(output) == ["/data/a", "/data/b"]
    assert not len(manifest.left(table(new, item("b")), records))


def test_a_checksum_tells_a_touched_file_from_a_changed_one(output):
    records = pd.DataFrame([parts.recorded(item("a"), parts.DONE, checksum="1f")])
    records = records.astype({"start": float, "end": float})
    touched = table(item("a", modified=2.0))
    assert len(manifest.left(touched, records)) == 1
    assert len(manifest.left(touched, records, is_same=lambda _, known: known == "1f")) == 0
    assert len(manifest.left(touched, records, is_same=lambda _, known: False)) == 1


def test_failed_inputs_are_left_when_they_are_wanted_again(output):
    record = parts.recorded(item("a"), parts.FAILED, "why")
    output.put_table(parts.part_name([item("a")]), parts.empty(COLUMNS), parts.metadata([record]))
    records = output.settle()
    assert not len(manifest.left(table(item("a")), records))
    assert len(manifest.left(table(item("a")), records, again=[parts.FAILED])) == 1


def test_where_two_parts_hold_an_input_the_newer_counts(output):
    """As after a power failure between the writing of one and the removal of the other."""
    write(output, [item("a"), item("b")])
    write(output, [item("a", size=7)])
    found = list(query.rows(output, query.Query(), output.records()))
    rows = pd.concat([each.to_pandas() for each in found])
    assert sorted(rows["input"]) == ["/data/a", "/data/b"]
    assert rows.set_index("input")["AU12_r"]["/data/a"] == 7
    output.settle()
    assert all_rows(output) == ["/data/a", "/data/b"]


def test_two_spans_of_a_video_replace_each_other_only_where_they_are_the_same(output):
    first, second = item("a", end=2.0), item("a", start=2.0, end=4.0)
    write(output, [first, second])
    write(output, [second._replace(size=9)])
    output.settle()
    assert all_rows(output) == ["/data/a", "/data/a"]


@settings(
    deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=4, unique=True), max_size=6))
def test_compaction_keeps_every_input_once(tmp_path_factory, groups):
    output = Output(str(tmp_path_factory.mktemp("out")))
    for number, group in enumerate(groups):
        write(output, [item(str(each), modified=float(number)) for each in group])
    expected = sorted({f"/data/{each}" for group in groups for each in group})
    output.settle()
    assert all_rows(output) == expected
    output.compact(1000)
    assert all_rows(output) == expected
    assert sorted(output.records()["path"]) == expected


def test_compaction_makes_few_of_many(output, monkeypatch):
    monkeypatch.setattr(parts, "PARTITIONS", 1)
    for number in range(20):
        write(output, [item(str(number))])
    assert output.compact(1000) == (20, 1)
    assert len(all_rows(output)) == 20


def test_the_manifest_saves_footers_and_is_not_needed(output, tmp_path, monkeypatch):
    write(output, [item("a")])
    first = output.settle()
    monkeypatch.setattr(parts, "inputs", lambda *_: pytest.fail("a footer was read again"))
    assert output.records().equals(first)
    monkeypatch.undo()
    (tmp_path / "out" / "manifest.parquet").write_bytes(b"damaged")
    assert output.records()["path"].tolist() == ["/data/a"]


def test_outputs_of_other_settings_and_damaged_ones_are_refused(output, tmp_path):
    output.agree({"weights": "1", "runtime": "onnx"})
    output.agree({"weights": "1", "runtime": "onnx"})
    with pytest.raises(UserError, match="written with another weights"):
        output.agree({"weights": "2", "runtime": "onnx"})
    (tmp_path / "out" / "settings.json").write_text("{")
    with pytest.raises(UserError, match="damaged"):
        output.agree({"weights": "1"})
    (tmp_path / "out" / "settings.json").unlink()
    write(output, [item("a")])
    with pytest.raises(UserError, match="has rows but no"):
        output.agree({"weights": "1"})
    name = output.file(output.parts()[0])
    with open(name, "wb") as file:
        file.write(b"no parquet")
    with pytest.raises(UserError, match="no part that au wrote"):
        output.records()


def test_an_output_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write"):
        Output(str(tmp_path / "file" / "out")).agree({})


def test_two_runs_into_one_folder_are_refused(output):
    with (
        lock.only_run(output),
        pytest.raises(UserError, match="another command is writing"),
        lock.only_run(output),
    ):
        pass
    with lock.only_run(output):
        pass


def test_parts_say_what_they_hold_in_a_form_that_others_read(output):
    name = write(output, [item("a", end=2.0)])
    (record,) = parts.inputs(output, name)
    assert record["path"] == "/data/a"
    assert json.loads(parts.metadata([record])[b"actionunits"])["version"] == 1


def test_queries_take_columns_conditions_and_patterns(output, tmp_path):
    for number in range(6):
        write(output, [item(f"{'anna' if number % 2 else 'ben'}/{number}.mp4", size=number)])
    records = output.settle()

    def asked(**query_of):
        return [
            row
            for t in query.rows(output, query.Query(**query_of), records)
            for row in t.to_pylist()
        ]

    assert len(asked()) == 6
    found = asked(columns=("AU12_r",), where=(query.condition("AU12_r >= 4"),))
    assert sorted(row["AU12_r"] for row in found) == [4, 5]
    assert {*found[0]} == {"AU12_r"}
    assert {row["AU12_r"] for row in asked(files=("*/anna/*",))} == {1, 3, 5}
    assert {row["AU12_r"] for row in asked(files=("3.mp4",))} == {3}
    with pytest.raises(UserError, match="no column AU99_r"):
        asked(where=(query.condition("AU99_r>1"),))
    with pytest.raises(UserError, match="expected a column"):
        query.condition("AU12_r")
    out = tmp_path / "rows.csv"
    count = query.write(query.rows(output, query.Query(), records), parts.schema(COLUMNS), out)
    assert count == len(pd.read_csv(out)) == 6
