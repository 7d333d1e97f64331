"""The command ``au``: arguments in, library calls, tables out; no logic of its own.

The library is imported inside the commands, so that ``au --help`` comes at once.
"""

import typer

from actionunits.cli import (
    agree,
    bench,
    compare,
    data,
    detect,
    figure,
    findings,
    learn,
    models,
    report,
    scale,
    synth,
)
from actionunits.cli import app as page
from actionunits.cli.boundary import boundary

app = typer.Typer(
    name="au",
    help="Read Facial Action Units off photos and video; train and evaluate the models that do.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",  # joins the lines of a paragraph, however wide the terminal is
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(detect.detect)
app.command()(page.app)
app.command()(findings.events)
app.command()(findings.summary)
app.command()(agree.agree)
app.command()(agree.prototypes)
app.command(cls=report.Spread)(report.report)
app.command()(scale.plan)
app.command()(scale.tables)
app.command()(scale.compact)
app.command()(learn.train)
app.command()(learn.crossval)
app.command()(learn.evaluate)
app.command()(learn.recipes)
app.command()(compare.compare)
app.command()(models.models)
app.command()(models.export)
app.command()(models.calibrate)
app.command()(models.average)
app.command()(bench.bench)
app.command()(detect.demo)
app.add_typer(data.app, name="data")
app.add_typer(figure.app, name="figure")
app.add_typer(synth.app, name="synth")


@app.callback(invoke_without_command=True)
def version(
    show: bool = typer.Option(
        False, "--version", help="Print the version and stop.", is_eager=True
    ),
) -> None:
    """Read Facial Action Units off photos and video; train and evaluate the models that do."""
    if show:
        from importlib.metadata import version as installed

        typer.echo(installed("actionunits"))
        raise typer.Exit


def main() -> None:
    """Run the command; a user's mistake is one line on standard error and exit code 2."""
    from actionunits.system.processes import ending_like_ctrl_c

    with boundary(), ending_like_ctrl_c():
        app()
