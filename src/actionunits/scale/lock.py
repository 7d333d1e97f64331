"""One run an output: two would do each other's work."""

import json
import platform
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from actionunits.errors import UserError
from actionunits.files import alone
from actionunits.scale.parts import Output
from actionunits.scale.storage import is_remote

BEAT = 20.0
"""Seconds from one sign of life of a run to the next."""
_NAME = "lock.json"
_DEAD = 4  # beats without a sign


@contextmanager
def only_run(output: Output, beat: float = BEAT) -> Iterator[None]:
    """Keep other runs from writing into an output until the block ends.

    A folder is locked by the system, and the lock ends with its process. A store knows no locks: a
    file says who writes and is written anew every `beat` seconds; one that is older than four of
    them is of a run that died. Two runs that begin in the same instant see each other at the
    second look. Should one go on all the same, nothing is lost: equal inputs have equal parts.

    Args:
        output: of the run.
        beat: seconds; only of stores.

    Raises:
        UserError: another run writes there, or nobody may.
    """
    if not is_remote(output.place):
        with alone(Path(output.place)):
            yield
        return
    mine = {"host": platform.node(), "token": secrets.token_hex(8), "beat": beat}
    _refuse(output, mine["token"])
    try:
        _sign(output, mine)
    except OSError as error:
        raise UserError(
            f"cannot write {output.place}: {error.strerror or error}; allow it, or choose another "
            "place"
        ) from error
    time.sleep(min(beat, 1.0))
    _refuse(output, mine["token"])
    ended = threading.Event()

    def live() -> None:
        while not ended.wait(beat):
            with suppress(OSError):  # the next sign may come through
                _sign(output, mine)

    thread = threading.Thread(target=live, name="lock", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        with suppress(OSError):  # it grows old by itself
            output.remove(_NAME)


def _sign(output: Output, mine: dict[str, object]) -> None:
    text = json.dumps({**mine, "time": time.time()})
    output.put(_NAME, lambda file: file.write_text(text, encoding="utf-8"))


def _refuse(output: Output, token: object) -> None:
    """Raise if somebody else is alive there."""
    try:
        with output.open(_NAME) as file:
            found = json.loads(file.read())
        age, known = time.time() - found["time"], found["token"]
        host, alive = found["host"], age < _DEAD * found["beat"]
    except FileNotFoundError:
        return
    except (ValueError, KeyError, TypeError):
        return  # nobody of ours
    if known != token and alive:
        raise UserError(
            f"{output.place}: a run on {host} writes there, {age:.0f} s ago the last time; wait "
            "for its end, or give another folder"
        )
