"""Three folds end to end, stopped in the middle and continued."""

from pathlib import Path

import pytest
from typer import Typer
from typer.testing import CliRunner

from actionunits.cli.learn import crossval as command
from actionunits.learn.crossval import CrossReport, crossval
from actionunits.learn.run import REPORT, Run
from runs import tiny_recipe


def test_three_folds_resume_where_they_stopped(
    synfacs_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = tiny_recipe(synfacs_file, epochs=1)
    record, passes = Run.record, []

    def die_in_the_second_fold(run: Run, *loss: object) -> None:
        passes.append(run.at.fold)
        if len(passes) == 12:
            raise KeyboardInterrupt
        record(run, *loss)

    with monkeypatch.context() as patch:
        patch.setattr(Run, "record", die_in_the_second_fold)
        with pytest.raises(KeyboardInterrupt):
            crossval(recipe, tmp_path, show=False)
    assert set(passes) == {1, 2}
    assert not (tmp_path / REPORT).exists()

    report = crossval(recipe, tmp_path, show=False)
    assert CrossReport.model_validate_json((tmp_path / REPORT).read_text()).to_json() == (
        report.to_json()
    )
    tested = [subject for fold in report.folds for subject in fold.subjects]
    assert sorted(tested) == [f"S00{n}" for n in range(1, 7)]  # everybody once
    assert sum(fold.frames for fold in report.folds) == 48
    assert report.to_frame().shape[0] == 5
    assert (tmp_path / "table.md").read_text() == report.to_grid().to_markdown()
    assert {"table.tex", "table.csv"} <= {file.name for file in tmp_path.iterdir()}

    (tmp_path / "table.md").unlink()
    app = Typer()
    app.command()(command)
    said = CliRunner().invoke(app, [str(tmp_path / "fold1" / "recipe.yaml"), f"--out={tmp_path}"])
    assert said.exit_code == 0, said.output
    assert (tmp_path / "table.md").is_file()
    assert said.stderr.splitlines()[-1] == f"beside other runs: au compare {tmp_path} RUN..."
