"""``au detect --engine ray``, ``au plan``, ``au tables`` and ``au compact``."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

if TYPE_CHECKING:
    import pandas as pd

    from actionunits.scale.plan import Estimate
    from actionunits.scale.probe import Probe
    from actionunits.scale.schedule import Count

Inputs = Annotated[
    list[str],
    typer.Argument(help="Folders, patterns, files, or lists of them (CSV, Parquet); URLs too."),
]
Place = Annotated[str, typer.Argument(help="Folder or URL that au detect --engine ray wrote.")]
_SHOWN = 40  # rows on the terminal
_STRONG = 4  # columns of AUs on the terminal
_TOLD = 10  # problems on the terminal


class Cluster(NamedTuple):
    """Where a run is computed, and what a core and hour there costs."""

    address: str | None
    workers: int | None
    price: float


def detect(
    engine: str,
    paths: Sequence[str],
    out: str | None,
    refused: Sequence[str],
    cluster: Cluster,
    options: dict[str, Any],
    *,
    retry: bool,
    overwrite: bool,
) -> None:
    """Read many inputs by many workers."""
    from functools import partial

    from actionunits.cli.terminal import terminal
    from actionunits.errors import UserError, printable

    if engine != "ray":
        raise UserError(f"--engine: expected ray, found {engine}; without it one process reads")
    if refused:
        raise UserError(f"--engine ray goes without {refused[0]}; leave one of them out")
    if out is None or Path(out).suffix.lower() in {".csv", ".parquet"}:
        raise UserError(
            f"--engine ray writes a folder of parts: expected --out FOLDER or URL, found {out}"
        )
    from actionunits.scale import cluster as rays
    from actionunits.scale.engine import detect as read
    from actionunits.scale.schedule import Clock
    from actionunits.scale.storage import is_remote
    from actionunits.scale.work import Settings

    rays.ray_or_say()
    place = out if is_remote(out) else str(Path(out).absolute())
    settings = Settings(place, **{**options, "device": options["device"] or "cpu"})
    errors, problems = terminal(error=True), list[UserError]()
    start = partial(
        rays.pool,
        address=cluster.address,
        workers=cluster.workers,
        gpu=settings.device not in {None, "cpu"},
    )
    clock = Clock(cluster.price)
    with _bar() as bar:
        task = bar.add_task("", total=None, said="")

        def tell(count: "Count", workers: int) -> None:
            clock.tick(workers)
            bar.update(task, total=count.inputs, completed=count.settled, said=clock.line(count))

        try:
            count = read(
                *(paths, settings, start, problems.append, tell), retry=retry, overwrite=overwrite
            )
        except KeyboardInterrupt:
            bar.stop()
            errors.print("au: stopped; what is done is kept, the same command goes on")
            raise typer.Exit(130) from None
    errors.print(_summary(count, clock), soft_wrap=True)
    errors.print(f"written: {printable(out)}; au tables reads it", soft_wrap=True)
    told = [str(problem) for problem in problems] + count.failed
    told += [f"{path}: quarantined, since it crashed its workers" for path in count.quarantined]
    if told:
        more = len(told) - _TOLD
        shown = [UserError(text) for text in told[:_TOLD]]
        if more > 0:
            shown.append(UserError(f"and {more:,} more, in {out}/manifest.parquet"))
        raise ExceptionGroup(f"inputs that went wrong: {len(told)}", shown)


def _summary(count: "Count", clock: Any) -> str:
    from actionunits.errors import counted

    if not count.inputs:
        return "all inputs were read already; --retry reads those again that failed"
    said = f"{counted(count.done, 'input')}, {counted(count.rows, 'row')}; {clock.line(count)}"
    if count.crashes or count.lost:
        said += f"; {counted(count.crashes, 'crash')}, {counted(count.lost, 'task')} read again"
    return said.replace("crashs", "crashes")


def _bar() -> Any:
    from rich import progress

    from actionunits.cli.terminal import terminal

    console = terminal(error=True)
    return progress.Progress(
        progress.BarColumn(bar_width=20),
        progress.MofNCompleteColumn(),
        progress.TextColumn("{task.fields[said]}", markup=False),
        console=console,
        transient=True,
        disable=not console.is_terminal,  # else it leaves an empty line
    )


def plan(
    paths: Inputs,
    model: Annotated[str, typer.Option(help="As for au detect.")] = "default",
    sample: Annotated[int, typer.Option(min=2, help="Inputs to read a moment of.")] = 20,
    cores: Annotated[int, typer.Option(min=1, help="That will work.")] = 1,
    price: Annotated[
        float, typer.Option("--price-per-core-hour", min=0, help="In any currency.")
    ] = 0.0,
    seed: Annotated[int, typer.Option(help="Same seed, same sample.")] = 0,
) -> None:
    """Estimate hours, disk and price of au detect --engine ray, from a sample of the inputs.

    Intervals are those in which the true value is by 19 in 20 chances, as far as the sample goes;
    a machine that is busy now will be said to be slow.
    """
    from actionunits.cli.terminal import terminal
    from actionunits.errors import UserError, printable
    from actionunits.scale import manifest
    from actionunits.scale import plan as plans
    from actionunits.scale.probe import probed
    from actionunits.scale.work import Settings

    errors = terminal(error=True)

    def report(problem: UserError) -> None:
        errors.print(f"au: {printable(str(problem))}", soft_wrap=True)

    inputs = manifest.read(paths, report)
    predictor = Settings("", model=model, device="cpu").predictor()
    with _bar() as bar:
        chosen = plans.sample(inputs, sample, seed)
        task, probes = bar.add_task("", total=len(chosen), said="looked at"), []
        for probe in probed(predictor, chosen, report):
            probes.append(probe)
            bar.advance(task)
    if not probes:
        raise UserError("no input of the sample could be read; mend the first ones said above")
    told = plans.estimate(inputs, probes)
    terminal().print(_plan_table(inputs, probes, told, cores, price))


def _plan_table(
    inputs: "pd.DataFrame",
    probes: "Sequence[Probe]",
    told: "Any",
    cores: int,
    price: float,
) -> Any:
    from rich import box
    from rich.table import Table

    from actionunits.errors import counted

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), title_justify="left")
    table.title = f"{counted(len(inputs), 'input')}, {len(probes)} of them looked at"
    for name, justify in (("", "left"), ("estimate", "right"), ("95 % interval", "right")):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]

    def add(name: str, value: "Estimate", amount: "Callable[[float], str]") -> None:
        table.add_row(name, amount(value.mean), f"{amount(value.low)} to {amount(value.high)}")

    hours = told["seconds"].times(1 / 3600)
    add("core-hours", hours, _amount)
    add(f"hours on {counted(cores, 'core')}", hours.times(1 / cores), _amount)
    add("frames", told["frames"], "{:,.0f}".format)
    add("rows", told["rows"], "{:,.0f}".format)
    add("megabytes written", told["size"].times(1e-6), _amount)
    if price:
        add("price", hours.times(price), "{:,.2f}".format)
    sizes = sorted({f"{each.width} x {each.height}" for each in probes})
    more = f" and {len(sizes) - 4} more" if sizes[4:] else ""
    table.caption = (
        f"{', '.join(sizes[:4])}{more} pixels; {told['faces'].mean:.2f} faces a frame; "
        f"inputs of {inputs['size'].sum() / 1e6:,.1f} MB"
    )
    table.caption_justify = "left"
    return table


def _amount(value: float) -> str:
    """A number of any size, of which two digits say enough."""
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def tables(
    place: Place,
    columns: Annotated[
        list[str] | None, typer.Option(metavar="NAME,...", help="Columns; all without it.")
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(metavar="CONDITION", help="Such as AU12_r>=2; several must all hold."),
    ] = None,
    files: Annotated[
        list[str] | None, typer.Option(metavar="PATTERN", help="Of inputs, such as `'*/anna/*'`.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="CSV or Parquet to write.")] = None,
    failed: Annotated[
        bool, typer.Option("--failed", help="List the inputs that went wrong, and why.")
    ] = False,
) -> None:
    """Read rows of what au detect --engine ray wrote, a part at a time."""
    from actionunits.cli.outputs import check_output
    from actionunits.scale import parts, query
    from actionunits.scale.parts import Output

    if out is not None:
        check_output(out, [], (".csv", ".parquet"))
    output = Output(place)
    records = output.records()
    known = query.columns(output, records)
    wanted = query.Query(
        tuple(name for names in columns or () for name in names.split(",")),
        tuple(map(query.condition, where or ())),
        tuple(files or ()),
    )
    if failed:
        wrong = records[~parts.stale(records) & (records["state"] != parts.DONE)]
        _show_failed(wrong, output.missing())
        return
    if out is None:
        shown = wanted._replace(columns=wanted.columns or tuple(_few(known)))
        _show(query.rows(output, shown, records), shown.columns)
        return
    from actionunits.errors import counted

    rows = query.rows(output, wanted, records)
    count = query.write(rows, parts.schema(wanted.columns or known), out)
    typer.echo(f"{counted(count, 'row')}; written: {out}", err=True)


def _few(columns: Sequence[str]) -> list[str]:
    """Columns that fit a terminal: which row it is, and how strong each AU is of the first ones."""
    strong = [name for name in columns if name.endswith("_r")]
    first = ["input", "frame", "face_id", "timestamp", *strong[:_STRONG]]
    return [name for name in first if name in columns]


def _show(rows: Any, columns: Sequence[str]) -> None:
    from itertools import islice

    from rich import box
    from rich.table import Table

    from actionunits.cli.terminal import terminal
    from actionunits.errors import printable

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in columns:
        table.add_column(name, justify="left" if name == "input" else "right")
    found = (row for part in rows for row in part.select(list(columns)).to_pylist())
    for row in islice(found, _SHOWN):
        shown = {**row, "input": Path(str(row.get("input", ""))).name}
        table.add_row(*(printable(_cell(shown[name])) for name in columns))
    console = terminal()
    console.print(table)
    if next(found, None) is not None:
        console.print(f"the first {_SHOWN} rows; --out FILE writes all")
    elif not table.row_count:
        console.print("no row is so")


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3f}".rstrip("0").rstrip(".")
    return "" if value is None else str(value)


def _show_failed(*records: "pd.DataFrame") -> None:
    from actionunits.cli.terminal import terminal
    from actionunits.errors import counted, printable

    console = terminal()
    for some in records:
        for state, why in zip(some["state"], some["why"], strict=True):
            console.print(f"{state}: {printable(str(why))}", soft_wrap=True)
    console.print(f"{counted(sum(map(len, records)), 'input')} that went wrong")


def compact(
    place: Place,
    rows: Annotated[int, typer.Option(min=1000, help="Of a part.")] = 1_000_000,
) -> None:
    """Make few large parts of many small ones; what they hold stays the same."""
    from actionunits.errors import counted
    from actionunits.scale.lock import only_run
    from actionunits.scale.parts import Output

    output = Output(place)
    if not output.holds("settings.json"):
        from actionunits.errors import DataError

        raise DataError(f"{place}: holds no rows that au detect --engine ray wrote")
    with only_run(output):
        before, after = output.compact(rows)
    typer.echo(f"{counted(before, 'part')} before, {after:,} now", err=True)
