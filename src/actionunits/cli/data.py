"""``au data``: data sets as they were handed out."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Check data sets as they were handed out.", no_args_is_help=True)
Name = Annotated[
    str, typer.Argument(help="bp4d, bp4d_plus, disfa, disfa_right, or csv for your own list.")
]
Root = Annotated[Path, typer.Argument(help="Folder of the data set; the file of a list.")]


@app.command()
def check(
    name: Name,
    root: Root,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Count subjects, frames and rates, and compare them with the published lists."""
    from actionunits.data import read_raw
    from actionunits.data.check import check as compare

    found = compare(read_raw(name, root))
    if json:
        typer.echo(found.to_json(), nl=False)
        return
    from rich.console import Console

    Console().print(found.to_table())
