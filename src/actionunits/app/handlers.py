"""What the page asks for, as functions of an open page: a file in, HTML and files out."""

import shutil
from collections.abc import Collection, Mapping
from functools import partial
from html import escape
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from actionunits.app import figures, reading
from actionunits.app.attention import attention
from actionunits.app.limits import Limits, clock
from actionunits.app.reading import Progress, Result
from actionunits.app.sessions import Session
from actionunits.app.timeline import timeline
from actionunits.errors import UserError, counted, printable

_CANNOT_PLAY = (
    "This browser cannot play the file. Click the timeline: its frames are shown all the same."
)


class Shown(NamedTuple):
    """What the page shows of a result.

    Attributes:
        status: what was read, and what went wrong.
        player: the video, empty for a picture.
        faces: identity numbers, the one seen longest first.
    """

    status: str
    player: str
    faces: list[int]


def take(session: Session, file: Path, limits: Limits) -> str:
    """Take an upload over, and say what it is.

    Raises:
        UserError: it is too large or too long; it is deleted then.
    """
    taken = session.take(file)
    try:
        seconds = limits.check(taken)
    except UserError:
        session.forget()
        raise
    lasts = f", {clock(seconds)}" if seconds else ""
    return message(f"{taken.name}{lasts}: ready to be read")


def read(session: Session, chosen: Mapping[str, str], limits: Limits, progress: Progress) -> Shown:
    """Read the upload of a page with the chosen weights.

    Args:
        session: the page; its result is what was read.
        chosen: names of weights, by what they are called here.
        limits: of an upload.
        progress: is told where it is.

    Raises:
        UserError: see `reading.read`; or nothing was uploaded.
    """
    if session.upload is None:
        raise UserError("drop a photograph or a clip first")
    file = session.upload
    result = reading.read(file, chosen, limits, progress, session.stop)
    if session.upload != file:
        raise UserError(f"{file.name}: was taken away while it was read; read the new one")
    session.result = result
    first = result.said[0]
    faces = result.faces()
    many = len(first.readings)
    what = [counted(many, "frame" if result.moves else "picture")]
    what += [f"up to {first.seconds[-1]:.2f} s"] if result.moves else []
    what += [counted(len(faces), "face") if faces else "no face was found"]
    what += ["the first picture is shown, the table has all"] if many > 1 > result.moves else []
    notes = dict.fromkeys(note for said in result.said for note in said.notes)
    status = message(f"{result.file.name}: {', '.join(what)}", *notes)
    return Shown(status, _player(result), faces)


def frame(
    session: Session, seconds: float, face: int, overlays: Collection[str]
) -> tuple[str, str]:
    """The frame of a time with overlays, and the AUs of a face in it.

    Args:
        session: a page with a result.
        seconds: from the start of the video.
        face: identity number.
        overlays: of `paint.KINDS`.

    Raises:
        UserError: there is no result, or the frame cannot be decoded any more.
    """
    result = of(session)
    seen = [said.at(seconds) for said in result.said]
    image = figures.picture(result.file, seen[0].reading.frame)
    shown = seen[0].reading.frame
    caption = f"frame {shown.number + 1}, {shown.seconds:.2f} s" if result.moves else ""
    return figures.still(image, seen, overlays, caption), figures.bars(seen, face)


def lanes(session: Session, face: int) -> str:
    """AUs of a face over time; empty for a picture.

    Raises:
        UserError: there is no result.
    """
    result = of(session)
    if not result.moves:
        return ""
    seconds = result.said[0].seconds
    step = (seconds[-1] - seconds[0]) / max(len(seconds) - 1, 1)
    return timeline(result.said, face, float(seconds[-1] + step))


def attended(session: Session, seconds: float, models: Mapping[str, str]) -> str:
    """What the models attend to in the frame of a time, as HTML.

    Args:
        session: a page with a result.
        seconds: from the start of the video.
        models: names of weights, by what they are called here.

    Raises:
        UserError: see `attention.attention`.
    """
    result = of(session)
    seen = [said.at(seconds) for said in result.said]
    image = figures.picture(result.file, seen[0].reading.frame)
    return attention(image, [(each, models[each.model]) for each in seen])


def has_reports() -> bool:
    """Whether there is what reports need."""
    return all(find_spec(name) for name in ("actionunits.report", "bokeh"))


def report(session: Session, models: Mapping[str, str], progress: Progress) -> None:
    """Write a report of what each of the models read, to be downloaded.

    Args:
        session: a page with a result, which gets the reports.
        models: names of weights, by what they are called here.
        progress: is told where it is.

    Raises:
        UserError: there is no result, or the report cannot be written.
    """
    from actionunits.report import write

    result = of(session)
    for said in result.said:
        out = said.csv.with_suffix(".html")
        write(
            [said.csv],
            out,
            videos=[result.file],
            model=models[said.model],
            progress=partial(_told, progress, said.model),
        )
        if session.result is not result:
            shutil.rmtree(out.parent)  # which went before, and came back with the report
            raise UserError(f"{result.file.name}: was taken away while its report was written")


def _told(progress: Progress, model: str, _: str, done: float) -> None:
    progress(done, f"{model}: report")


def downloads(session: Session) -> str:
    """Tables and reports as links.

    Raises:
        UserError: there is no result.
    """
    files = [
        file
        for said in of(session).said
        for file in (said.csv, said.csv.with_suffix(".html"))
        if file.is_file()
    ]
    links = "".join(
        f'<li><a href="{address(file)}" download="{escape(file.name)}">'
        f"{escape(printable(file.name))}</a> {file.stat().st_size / 1e3:,.0f} kB</li>"
        for file in files
    )
    return f'<ul class="au-files">{links}</ul>'


def address(file: Path) -> str:
    """Where the page finds a file of its own."""
    return f"gradio_api/file={quote(str(file))}"


def of(session: Session) -> Result:
    """The result of a page.

    Raises:
        UserError: there is none.
    """
    if session.result is None:
        raise UserError("nothing has been read yet, or the page was closed meanwhile: upload again")
    return session.result


def message(text: str, *more: str, wrong: bool = False) -> str:
    """A message as HTML, with what has to be told besides."""
    lines = "".join(f"<li>{escape(printable(each))}</li>" for each in more)
    role, kind = ("alert", "au-wrong") if wrong else ("status", "au-said")
    rest = f"<ul>{lines}</ul>" if lines else ""
    return f'<div class="{kind}" role="{role}">{escape(printable(text))}{rest}</div>'


def _player(result: Result) -> str:
    if not result.moves:
        return ""
    return (
        f'<video controls playsinline preload="metadata" src="{address(result.file)}"></video>'
        f'<p class="au-note" hidden>{_CANNOT_PLAY}</p>'
    )
