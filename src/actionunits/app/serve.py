"""The page on this machine's own address, and nothing of it anywhere else.

Uploads and what Gradio stores lie in one folder that its owner alone can read, and that goes when
the server ends. The browser is told to load nothing from elsewhere, and the server answers to no
name but its own, so that no other page in the browser can ask it.
"""

import logging
import os
import socket
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from threading import Event
from typing import Any

from actionunits.app import reading
from actionunits.app.limits import Limits
from actionunits.app.sessions import Sessions
from actionunits.errors import UserError
from actionunits.files import private

HOST = "127.0.0.1"
_HEADERS = {
    "content-security-policy": "default-src 'self'; img-src 'self' data: blob:; media-src 'self' "
    "data: blob:; font-src 'self' data:; style-src 'self' 'unsafe-inline'; script-src 'self' "
    "'unsafe-inline' 'unsafe-eval' blob:; worker-src 'self' blob:; connect-src 'self' data: blob:; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'self'; object-src 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
_PORTS = range(7860, 7960)  # of which the first free one is taken


def serve(
    more: Sequence[str],
    limits: Limits,
    port: int | None,
    browser: bool,
    tell: Callable[[str], None],
    until: Event,
) -> None:
    """Serve the page until it is told to end, or Ctrl-C.

    Args:
        more: folders of runs to offer besides the weights of the package.
        limits: of an upload.
        port: to listen on; None takes a free one.
        browser: open the page in the browser.
        tell: is told the address.
        until: ends it.

    Raises:
        UserError: Gradio is not installed, the port is taken, or a limit or a folder is none.
        CheckpointError: one of `more` is no checkpoint.
    """
    if find_spec("gradio") is None:
        raise UserError(
            "the page needs gradio, which is not installed: pip install 'actionunits[app]'"
        )
    models = reading.models(more)
    limits.checked()
    number = _free(port)
    with private() as folder:
        _prepare(folder)
        import gradio as gr
        from starlette.middleware import Middleware
        from starlette.middleware.trustedhost import TrustedHostMiddleware

        from actionunits.app import looks
        from actionunits.app.page import page

        sans = [gr.themes.Font(name) for name in ("Helvetica Neue", "Arial", "sans-serif")]
        mono = [gr.themes.Font(name) for name in ("Menlo", "Consolas", "monospace")]
        blocks = page(models, Sessions(folder), limits)
        middleware = [
            Middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"]),
            Middleware(_Headers),
        ]
        _, address, _ = blocks.launch(
            server_name=HOST,
            server_port=number,
            share=False,
            inbrowser=browser,
            quiet=True,
            prevent_thread_lock=True,
            show_error=False,
            max_file_size=round(limits.megabytes * 1e6),
            enable_monitoring=False,
            mcp_server=False,
            ssr_mode=False,
            pwa=False,
            footer_links=[],
            theme=gr.themes.Default(primary_hue="blue", font=sans, font_mono=mono),
            css=looks.CSS,
            app_kwargs={"middleware": middleware, "docs_url": None, "redoc_url": None},
        )
        # Without it the terminal hears nothing while a page listens to what is warned of.
        logging.getLogger("actionunits").addHandler(logging.StreamHandler())
        try:
            tell(address)
            until.wait()
        finally:
            blocks.close(verbose=False)


def _free(port: int | None) -> int:
    """A port that can be listened on, this one or any."""
    wanted = _PORTS if port is None else [port]
    for number in wanted:
        with socket.socket() as tried, suppress(OSError):
            if os.name == "posix":  # elsewhere it would hide that somebody listens
                tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind((HOST, number))
            return number
    raise UserError(
        f"--port: {HOST}:{wanted[0]}{'' if port else f' to {wanted[-1]}'} cannot be listened on, "
        "mostly because another program does; give another number"
    )


def _prepare(folder: Path) -> None:
    """Have all temporary files in a folder, and Gradio keep to itself, before it is imported."""
    tempfile.tempdir = str(folder)
    os.environ |= {
        "GRADIO_TEMP_DIR": str(folder),
        "GRADIO_ANALYTICS_ENABLED": "False",
        "GRADIO_RUN_HISTORY": "False",
        "no_proxy": _with_host("no_proxy"),
        "NO_PROXY": _with_host("NO_PROXY"),
    }


def _with_host(variable: str) -> str:
    """What is asked for without a proxy, this machine among it."""
    return ",".join(filter(None, [os.environ.get(variable), HOST]))


class _Headers:
    """Adds headers to all answers."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Mapping[str, Any], receive: Any, send: Any) -> None:
        async def answer(message: Any) -> None:
            if message["type"] == "http.response.start":
                added = [(k.encode(), v.encode()) for k, v in _HEADERS.items()]
                message = {**message, "headers": [*message.get("headers", ()), *added]}
            await send(message)

        await self._app(scope, receive, answer)
