"""``au agree``, ``au prototypes``, and exports of ``au events``, as a user meets them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from command import Au

RATE = 25


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a table of au detect, a minute of a smile every ten seconds."""
    times = np.arange(60 * RATE) / RATE
    smile = (times % 10 < 3).astype(int)
    table = pd.DataFrame(
        {
            **{"frame": range(1, len(times) + 1), "face_id": 0, "timestamp": times, "success": 1},
            **{"AU06_p": 0.1, "AU06_c": smile, "AU06_r": 2.0 * smile, "AU12_p": 0.9 * smile},
            **{"AU12_c": smile, "AU12_r": 3.0 * smile, "input": "talk.mp4"},
        }
    )
    table.to_csv(tmp_path / "talk.csv", index=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("suffix", [".eaf", ".TextGrid", ".opf", ".boris", ".csv", ".tsv"])
def test_events_go_to_coding_programs_and_agree_with_the_table(
    au: Au, folder: Path, suffix: str
) -> None:
    said = au("events", "talk.csv", "--out", f"coded{suffix}")
    assert said.code == 0, said.err
    assert f"12 events; written: coded{suffix}" in said.err
    said = au("agree", "talk.csv", f"coded{suffix}", "--out", "agree.csv")
    assert said.code == 0, said.err
    found = pd.read_csv("agree.csv").set_index("AU")
    assert found.loc["AU12", ["kappa", "f1", "event_f1"]].tolist() == [1, 1, 1]
    assert found.loc["AU12", ["events_first", "events_second", "matched"]].tolist() == [6, 6, 6]
    assert found.index.tolist() == ["AU06", "AU12", "mean"]


def test_agreement_is_shown(au: Au, folder: Path) -> None:
    (folder / "anna.txt").write_text(
        "start;end;code\n0,2;3,1;12C\n10,4;12,9;12\n20;23;12\n30,1;33;12D\n45;46;12\n1;2;wink\n"
    )
    said = au("agree", "talk.csv", "anna.txt", "--aus", "6")
    assert said.code == 0, said.err
    for text in ("By frame", "kappa", "By event", "recall", "the second shows it never"):
        assert text in said.out
    assert "within 0.5 seconds" in said.out
    assert "6 pieces of 10 seconds" in said.out
    assert "names no AU: wink; --map FILE says what it means" in said.err
    assert "taken for the same video: talk and anna" in said.err
    (folder / "map.csv").write_text("label,au\nwink,46\n")
    said = au("agree", "talk.csv", "anna.txt", "--map", "map.csv")
    assert "names no AU" not in said.err
    assert "only in anna.txt: AU46" in said.err


def test_folders_are_paired_file_by_file(au: Au, folder: Path) -> None:
    (folder / "tables").mkdir()
    text = (folder / "talk.csv").read_text()
    for number in range(6):
        other = text.replace("talk.mp4", f"p{number}.mp4")
        (folder / "tables" / f"p{number}.csv").write_text(other)
    tables = sorted((folder / "tables").iterdir())
    said = au("events", *tables, "--to", "elan", "--out", "coded")
    assert "72 events; written: 6 files in coded" in said.err
    (folder / "people.csv").write_text("input,person\n" + "".join(f"p{n},{n}\n" for n in range(6)))
    said = au("agree", "tables", "coded", "--people", "people.csv")
    assert said.code == 0, said.err
    assert "over 6 persons" in said.out
    (folder / "coded" / "p3.eaf").unlink()
    said = au("agree", "tables", "coded", "--out", "agree.parquet")
    assert "only in tables: p3" in said.err
    assert len(pd.read_parquet("agree.parquet")) == 3


def test_summaries_by_the_conditions_of_a_coding_program(au: Au, folder: Path) -> None:
    (folder / "trials.txt").write_text(
        "Tier\tBegin Time - ss.msec\tEnd Time - ss.msec\tAnnotation\n"
        "phase\t0.000\t30.000\trest\nphase\t30.000\t60.000\tfilm\nother\t0.000\t60.000\tx\n"
    )
    said = au(
        "summary", "talk.csv", "--trials", "trials.txt", "--tier", "phase", "--out", "summary.csv"
    )
    assert said.code == 0, said.err
    found = pd.read_csv("summary.csv")
    assert found["condition"].tolist() == ["film", "film", "rest", "rest"]
    assert found["events"].tolist() == [3] * 4


def test_prototypes_are_told(au: Au, folder: Path) -> None:
    said = au("prototypes", "talk.csv")
    assert said.code == 0, said.err
    assert "6+12, the Duchenne configuration" in said.out
    assert "not told, since the table lacks AU 1, 2, 4" in said.err
    outs = ("--out", "sum.csv", "--frames", "frames.parquet", "--events", "events.csv")
    said = au("prototypes", "talk.csv", *outs)
    assert said.code == 0, said.err
    assert pd.read_csv("sum.csv")["complete"][0] == pytest.approx(0.3)
    assert pd.read_parquet("frames.parquet")["6+12"].mean() == pytest.approx(0.3)
    assert len(pd.read_csv("events.csv")) == 6
    (folder / "own.yaml").write_text("configurations: [{aus: [12], name: smiles}]")
    said = au("prototypes", "talk.csv", "--prototypes", "own.yaml")
    assert "12, smiles" in said.out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["agree", "talk.csv", "none.eaf"], "none.eaf: cannot be read"),
        (["agree", "talk.csv", "notes.txt"], "notes.txt: expected"),
        (["agree", "talk.csv", "laughs.csv"], "give --map FILE with the columns label and au"),
        (["agree", "talk.csv", "talk.csv", "--tolerance", "-1"], "--tolerance: expected 0 to 3600"),
        (["agree", "talk.csv", "talk.csv", "--end", "0"], "--end: expected more than --start"),
        (["agree", "talk.csv", "talk.csv", "--occurs", "6"], "--occurs: expected"),
        (["agree", "talk.csv", "talk.csv", "--out", "talk.csv"], "would be lost"),
        (["agree", "talk.csv", "talk.csv", "--aus", "x"], "--aus: expected FACS numbers"),
        (["agree", "empty", "talk.csv"], "it has no files"),
        (["agree", "talk.csv", "talk.mp4"], "expected a table, this is a picture or video"),
        (["summary", "talk.mp4"], "make its table with au detect talk.mp4 --out talk.csv"),
        (["events", "talk.csv", "--to", "excel", "--out", "x"], "--to: expected elan"),
        (["events", "talk.csv", "--to", "elan"], "--to: give the folder"),
        (["events", "talk.csv", "--to", "elan", "--out", "x.csv"], "expected a folder"),
        (["events", "talk.csv", "--to", "elan", "--out", "notes"], "this is a file"),
        (["summary", "talk.csv", "--tier", "x"], "--tier: of which file?"),
        (["summary", "talk.csv", "--trials", "other.csv"], "no video is in both"),
        (["prototypes", "talk.csv", "--prototypes", "laughs.csv"], "expected configurations"),
    ],
)
def test_mistakes_are_told_in_one_line(
    au: Au, folder: Path, arguments: list[str], says: str
) -> None:
    (folder / "notes.txt").write_text("met her at noon\n")
    (folder / "notes").write_text("")
    (folder / "talk.mp4").write_bytes(b"\0")
    (folder / "empty").mkdir()
    (folder / "laughs.csv").write_text("start,end,code\n0,1,laugh\n")
    (folder / "other.csv").write_text("input,start,end,condition\nwalk.mp4,0,1,a\n")
    said = au(*arguments)
    assert said.code == 2
    assert says in said.err
    assert said.err.count("\n") == 1


DOC = Path(__file__).parents[2] / "docs" / "findings.md"


def block(before: str, language: str) -> str:
    """The block of the page that begins so."""
    text = DOC.read_text(encoding="utf-8")
    found = [one for one in text.split("```") if one.startswith(f"{language}\n{before}")]
    assert len(found) == 1
    return found[0].removeprefix(f"{language}\n")


def test_the_pages_tables_are_what_the_commands_show(au: Au, folder: Path) -> None:
    times = np.arange(0, 60, 1 / 30)
    smile = (times % 10 < 3).astype(int)
    table = pd.DataFrame({"timestamp": times, "AU04_c": 0, "AU12_c": smile, "AU12_r": 3.0 * smile})
    table.assign(AU04_r=0.0, input="talk.mp4").to_csv("talk.csv", index=False)
    (folder / "anna.csv").write_text(
        "start;end;code\n0,2;3,1;12C\n10,4;12,9;AU12\n20;23;12\n30,1;33;12D\n45;46;12\n5;6;4\n"
    )
    shown = block("By frame", "text")
    said = au("agree", "talk.csv", "anna.csv").out
    assert [line.rstrip() for line in said.splitlines()][:7] == shown.rstrip().splitlines()
    duchenne = table.assign(AU06_c=smile, input="talk.mp4").drop(columns=["AU04_c", "AU12_r"])
    duchenne.to_csv("talk.csv", index=False)
    shown = block("talk.mp4, face 0", "text")
    said = au("prototypes", "talk.csv").out
    lines = [line.rstrip() for line in said.splitlines()]
    assert lines[: len(shown.splitlines())] == shown.rstrip().splitlines()


def test_the_pages_files_are_read(au: Au, folder: Path) -> None:
    (folder / "map.csv").write_text(block("label,au", 'csv title="map.csv"'))
    (folder / "anna.csv").write_text("start,end,code\n0,3,smile\n4,5,noise\n")
    said = au("agree", "talk.csv", "anna.csv", "--map", "map.csv")
    assert said.code == 0, said.err
    assert "names no AU" not in said.err
    (folder / "own.yaml").write_text(block("configurations", 'yaml title="own.yaml"'))
    said = au("prototypes", "talk.csv", "--prototypes", "own.yaml")
    assert "12+(25|26)" in said.err  # the table has neither
