"""``au app``: the page in the browser."""

from typing import Annotated

import typer


def app(
    model: Annotated[
        list[str] | None,
        typer.Option(help="Folder of a run of yours, offered beside the weights of the package."),
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="To listen on; by default a free one.")
    ] = None,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the page in the browser.")
    ] = True,
    megabytes: Annotated[float, typer.Option(help="The largest upload.")] = 500.0,
    minutes: Annotated[float, typer.Option(help="The longest upload.")] = 10.0,
) -> None:
    """Read photographs, clips and the webcam in a page in the browser, on this machine alone.

    The page is served to this machine and to no other; nothing leaves it, and uploads are deleted
    when the page is closed. Ctrl-C ends it.
    """
    from threading import Event

    from actionunits.app.limits import Limits
    from actionunits.app.serve import serve
    from actionunits.cli.terminal import terminal

    console = terminal(error=True)

    def tell(address: str) -> None:
        console.print(f"the page is at {address}, for this machine alone; Ctrl-C ends it")

    serve(model or (), Limits(megabytes, minutes), port, browser, tell, Event())
