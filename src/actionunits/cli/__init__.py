"""The command ``au``: arguments in, library calls, tables out; no logic of its own.

The library is imported inside the commands, so that ``au --help`` comes at once.
"""

import errno
import sys

import typer

from actionunits.cli import compare, data, detect, figure, learn, models, synth

app = typer.Typer(
    name="au",
    help="Read Facial Action Units off photos and video; train and evaluate the models that do.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(detect.detect)
app.command()(learn.train)
app.command()(learn.crossval)
app.command()(learn.evaluate)
app.command()(learn.recipes)
app.command()(compare.compare)
app.command()(models.models)
app.command()(models.export)
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
    from actionunits.errors import UserError
    from actionunits.processes import ending_like_ctrl_c

    try:
        with ending_like_ctrl_c():
            app()
    except UserError as error:
        _stop(str(error), error.code)
    except ExceptionGroup as group:
        for each in group.exceptions:
            typer.echo(f"au: {each}", err=True)
        _stop(group.message, 1)
    except BrokenPipeError:  # the reader of a pipe, such as head, has seen enough
        sys.stderr.close()
        sys.exit(0)
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS}:
            raise
        where = f"{error.filename}: " if error.filename else ""
        _stop(f"{where}{error.strerror}; free some space or choose another folder", 2)
    except KeyboardInterrupt:
        _stop("stopped", 130)


def _stop(message: str, code: int) -> None:
    typer.echo(f"au: {message}", err=True)
    sys.exit(code)
