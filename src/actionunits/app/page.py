"""The page itself, of Gradio's blocks: who is asked what, and where the answer is shown."""

import logging
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import gradio as gr

from actionunits.app import attention, handlers, live, looks
from actionunits.app.handlers import message
from actionunits.app.limits import Limits
from actionunits.app.sessions import Session, Sessions
from actionunits.detect.paint import KINDS
from actionunits.errors import UserError

_log = logging.getLogger(__name__)

_HEAD = """
# Action Units
Everything stays on this machine: the page is served by your own computer, to this computer alone,
and asks nobody else for anything. What you drop here is deleted when you close the page.
"""
_LIMITS = "An upload may have {0.megabytes:g} MB and {0.minutes:g} minutes; au detect has no limit."
_QUEUE = 16  # who may wait at a time
_LIVE_EVERY = 0.1  # seconds
_LIVE_LONGEST = 600  # seconds

Update = dict[Any, Any]
"""New states of components, by component."""


def page(models: dict[str, str], sessions: Sessions, limits: Limits) -> gr.Blocks:
    """Build the page.

    Args:
        models: names of weights, by what they are called here; the first one is chosen.
        sessions: what the open pages have.
        limits: of an upload.
    """
    first = next(iter(models))
    blocks: gr.Blocks
    with gr.Blocks(title="actionunits", analytics_enabled=False, fill_width=True) as blocks:
        gr.Markdown(_HEAD, elem_classes="au-head")
        with gr.Tab("Photograph or clip"):
            _files(models, first, sessions, limits)
        with gr.Tab("Webcam"):
            _webcam(models, first)

        def leave(request: gr.Request) -> None:
            sessions.end(str(request.session_hash))

        blocks.unload(leave)
    blocks.queue(max_size=_QUEUE, api_open=False)
    return blocks


def _files(models: dict[str, str], first: str, sessions: Sessions, limits: Limits) -> None:
    with gr.Row():
        upload = gr.File(label="Photograph or clip", height=140, elem_id="au-upload")
        with gr.Column():
            chosen = gr.CheckboxGroup(list(models), value=[first], label="Weights, one or several")
            with gr.Row():
                start = gr.Button("Read", variant="primary", elem_id="au-read")
                stop = gr.Button("Stop", variant="stop", visible=False, elem_id="au-stop")
    status = _html("au-status", value=message(_LIMITS.format(limits)))
    with gr.Column(visible=False) as results:
        with gr.Row():
            overlays = gr.CheckboxGroup(list(KINDS), value=list(KINDS[:2]), label="On the picture")
            face = gr.Radio([], label="Face", elem_id="au-face")
        with gr.Column(elem_classes="au-grid"):
            player = _html("au-player", looks.PLAYER)
            still = _html("au-still")
            lanes = _html("au-lanes", looks.TIMELINE)
            bars = _html("au-bars")
        look = gr.Button("Masks and attention in this frame", visible=attention.is_installed())
        maps = _html("au-maps")
        gr.Markdown("### Download")
        files = _html("au-files")
        tell = gr.Button("Write a report", visible=handlers.has_reports(), elem_id="au-report")
    seconds = gr.State(0.0)

    def guarded(work: Callable[..., Update]) -> Callable[..., Update]:
        """What goes wrong is told on the page; a fault of ours on the terminal too."""

        @wraps(work)
        def run(*arguments: Any) -> Update:
            try:
                return work(*arguments)
            except UserError as error:
                told = str(error)
            except Exception as error:
                _log.exception("the page")
                told = f"a fault in actionunits ({type(error).__name__}); the terminal tells more"
            return {status: message(told, wrong=True), stop: gr.update(visible=False)}

        return run

    def of(request: gr.Request) -> Session:
        return sessions.of(str(request.session_hash))

    @guarded
    def take(file: str, request: gr.Request) -> Update:
        session = of(request)
        cleared = {upload: None, results: gr.update(visible=False)}
        try:
            return {status: handlers.take(session, Path(file), limits), **cleared}
        except UserError as error:
            return {status: message(str(error), wrong=True), **cleared}

    @guarded
    def begin(request: gr.Request) -> Update:
        of(request).begin()
        return {stop: gr.update(visible=True), results: gr.update(visible=False)}

    @guarded
    def read(
        names: list[str],
        drawn: list[str],
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> Update:
        session = of(request)
        shown = handlers.read(
            session,
            {name: models[name] for name in names},
            limits,
            lambda share, where: progress(share, desc=where),
        )
        main = shown.faces[0] if shown.faces else 0
        return {
            status: shown.status,
            player: gr.update(value=shown.player, visible=bool(shown.player)),
            lanes: gr.update(value=handlers.lanes(session, main), visible=bool(shown.player)),
            face: gr.update(
                choices=shown.faces, value=main, visible=len(shown.faces) > 1, interactive=True
            ),
            **pictured(session, 0.0, main, drawn),
            maps: "",
            files: handlers.downloads(session),
            seconds: 0.0,
            results: gr.update(visible=True),
            stop: gr.update(visible=False),
        }

    def pictured(session: Session, at: float, track: int, drawn: list[str]) -> Update:
        return dict(zip((still, bars), handlers.frame(session, at, track, drawn), strict=True))

    def halt(request: gr.Request) -> None:
        of(request).stop.set()

    @guarded
    def seek(track: int, drawn: list[str], request: gr.Request, event: gr.EventData) -> Update:
        at = float(event.seconds)
        return {**pictured(of(request), at, track, drawn), seconds: at, maps: ""}

    @guarded
    def redraw(at: float, track: int, drawn: list[str], request: gr.Request) -> Update:
        return pictured(of(request), at, track, drawn)

    @guarded
    def change(at: float, track: int, drawn: list[str], request: gr.Request) -> Update:
        lane = handlers.lanes(of(request), track)
        return {lanes: lane, **pictured(of(request), at, track, drawn)}

    @guarded
    def attend(at: float, request: gr.Request) -> Update:
        return {maps: handlers.attended(of(request), at, models)}

    @guarded
    def summed(
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> Update:
        session = of(request)
        handlers.report(session, models, lambda share, where: progress(share, desc=where))
        return {files: handlers.downloads(session)}

    quiet: dict[str, Any] = {"api_visibility": "private"}
    reading = {**quiet, "concurrency_id": "reading", "concurrency_limit": 1}
    looking = {**quiet, "concurrency_id": "looking", "concurrency_limit": 2}
    upload.upload(take, upload, [status, upload, results, stop], show_progress_on=status, **looking)
    gr.on(start.click, begin, None, [stop, results, status], queue=False, **quiet).then(
        read,
        [chosen, overlays],
        [status, player, lanes, face, still, bars, maps, files, seconds, results, stop],
        show_progress_on=status,
        **reading,
    )
    stop.click(halt, None, None, queue=False, **quiet)
    gr.on(
        [lanes.select, player.select],
        seek,
        [face, overlays],
        [still, bars, seconds, maps, status, stop],
        show_progress_on=still,
        trigger_mode="always_last",
        **looking,
    )
    now = [seconds, face, overlays]
    overlays.input(redraw, now, [still, bars, status, stop], **looking)
    face.input(change, now, [lanes, still, bars, status, stop], **looking)
    tell.click(summed, None, [files, status, stop], show_progress_on=files, **reading)
    look.click(attend, seconds, [maps, status, stop], show_progress_on=maps, **reading)


def _html(name: str, script: str | None = None, value: str = "") -> gr.HTML:
    """HTML of our own, and what it does in the browser."""
    return gr.HTML(value, elem_id=name, js_on_load=script, apply_default_css=False)


def _webcam(models: dict[str, str], first: str) -> None:
    single = live.models(models)
    gr.Markdown("Frames go from the webcam to this machine's own memory, and are kept nowhere.")
    with gr.Row():
        with gr.Column():
            camera = gr.Image(
                sources=["webcam"],
                streaming=True,
                type="numpy",
                label="Webcam",
                webcam_options=gr.WebcamOptions(mirror=False),
            )
            name = gr.Radio(list(single), value=first if first in single else None, label="Weights")
            still = _html("au-live")
        bars = _html("au-live-bars")

    def read(image: Any, chosen: str | None) -> tuple[str, str]:
        if image is None or chosen is None:
            return "", message("choose weights") if chosen is None else ""
        try:
            return live.read(image, chosen, single[chosen])
        except UserError as error:
            return "", message(str(error), wrong=True)

    camera.stream(
        read,
        [camera, name],
        [still, bars],
        stream_every=_LIVE_EVERY,
        time_limit=_LIVE_LONGEST,
        concurrency_id="live",
        concurrency_limit=2,
        show_progress="hidden",
        api_visibility="private",
    )
