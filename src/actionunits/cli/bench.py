"""``au bench``: how fast detection is on this machine."""

from typing import TYPE_CHECKING, Annotated

import typer

from actionunits.cli import completions

if TYPE_CHECKING:
    from actionunits.bench.measure import Line

_FEWEST, _MOST = 16, 100_000


def bench(
    model: Annotated[
        str,
        typer.Option(
            help="Name of weights in the package, or the folder of a run.",
            autocompletion=completions.weights,
        ),
    ] = "default",
    frames: Annotated[int, typer.Option(help="Frames of the videos that are read.")] = 120,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Measure how fast detection is on this machine, stage by stage, and how it grows.

    It reads rendered people, which it makes into videos for the time being; a minute or two.
    """
    import json as encoder
    import platform
    import tempfile
    from pathlib import Path

    import psutil

    from actionunits.bench.measure import measured
    from actionunits.cli.terminal import terminal
    from actionunits.errors import UserError
    from actionunits.system.machine import cores

    if not _FEWEST <= frames <= _MOST:
        raise UserError(f"--frames: expected {_FEWEST} to {_MOST}, got {frames}")
    others = psutil.cpu_percent(0.5) / 100 * (psutil.cpu_count() or 1)
    machine = {
        "processor": _processor(),
        "system": platform.system(),
        "cores": cores(),
        "busy_before": round(others, 2),
        "model": model,
        "frames": frames,
    }
    lines = []
    with (
        tempfile.TemporaryDirectory() as folder,
        terminal(error=True).status("making videos") as status,
    ):
        for line in measured(model, frames, Path(folder)):
            lines.append(line)
            status.update(f"{line.section}: {line.what} {line.value:.1f} {line.unit}")
    if json:
        typer.echo(
            encoder.dumps({**machine, "lines": [each._asdict() for each in lines]}, indent=1)
        )
    else:
        _print(lines, machine)


def _processor() -> str:
    """Name of the processor, where the system tells it."""
    import platform

    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            names = [
                line.partition(":")[2].strip() for line in file if line.startswith("model name")
            ]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()


def _print(lines: "list[Line]", machine: dict[str, object]) -> None:
    from itertools import groupby

    from rich import box
    from rich.table import Table

    from actionunits.cli.terminal import terminal

    console = terminal()
    for section, group in groupby(lines, lambda line: line.section):
        table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
        table.add_column(section, min_width=30)
        table.add_column("", justify="right", min_width=8)
        table.add_column("")
        table.add_column("")
        for line in group:
            table.add_row(line.what, f"{line.value:.1f}", line.unit, line.beside)
        console.print(table)
    said = f"{machine['model']} on {machine['processor']}, cores: {machine['cores']}"
    if float(str(machine["busy_before"])) > 0.2:
        said += f"; OTHER PROGRAMS TOOK {machine['busy_before']} CORES before it began"
    console.print(said, highlight=False)
