"""Praat's TextGrids, whose intervals fill a tier without a gap; those without text are pauses."""

import re
from pathlib import Path

import pandas as pd

from actionunits.errors import DataError
from actionunits.files.lists import decoded
from actionunits.findings.codes.recording import Recording, Track
from actionunits.findings.codes.stretches import Stretches, stretches

_TOKEN = re.compile(r'"((?:[^"]|"")*)"|(?<![\w\[])(-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)(?![\w\]])')


def read(path: Path, content: bytes) -> Stretches:
    """Read a TextGrid as Praat saves it, long or short.

    Both kinds have the same texts and numbers in the same order, and differ in what stands between.

    Args:
        path: of the file, for errors.
        content: of the file.

    Raises:
        DataError: it is none.
    """
    text = decoded(content)
    tokens = [found[1] if found[2] is None else float(found[2]) for found in _TOKEN.finditer(text)]
    if tokens[:2] != ["ooTextFile", "TextGrid"]:
        raise DataError(f"{path}: expected a TextGrid of Praat, saved as text")
    rows, labels = [], []
    take = iter(tokens[4:])  # after the two times of the whole
    try:
        for _ in range(int(float(next(take)))):
            kind, name = str(next(take)), str(next(take))
            labels.append(name)
            next(take), next(take)
            for _ in range(int(float(next(take)))):
                start = float(next(take))
                end = float(next(take)) if kind == "IntervalTier" else start
                rows.append((start, end, name, str(next(take)).replace('""', '"')))
    except (StopIteration, ValueError, RuntimeError) as error:
        raise DataError(f"{path}: the TextGrid ends early or is damaged") from error
    found = pd.DataFrame(rows, columns=["start", "end", "label", "value"])
    return stretches(found[found["value"].str.strip() != ""], labels, tiers=True)


def write(recording: Recording, path: Path) -> None:
    """Write the events of one video: an interval tier an AU and face.

    Args:
        recording: of one video.
        path: to write.
    """
    end = recording.length / 1000
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "xmin = 0"]
    lines += [f"xmax = {end}", "tiers? <exists>", f"size = {len(recording.tracks)}", "item []:"]
    for number, track in enumerate(recording.tracks, start=1):
        intervals = _filled(track, recording.length)
        lines += [
            f"    item [{number}]:",
            '        class = "IntervalTier"',
            f'        name = "{track.name}"',
            "        xmin = 0",
            f"        xmax = {end}",
            f"        intervals: size = {len(intervals)}",
        ]
        for place, (start, stop, text) in enumerate(intervals, start=1):
            lines += [
                f"        intervals [{place}]:",
                f"            xmin = {start / 1000}",
                f"            xmax = {stop / 1000}",
                f'            text = "{text}"',
            ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _filled(track: Track, length: int) -> list[tuple[int, int, str]]:
    """Events, and the pauses between them; an event without an intensity has its AU's name."""
    intervals: list[tuple[int, int, str]] = []
    at = 0
    for event in track.events:
        if event.start > at:
            intervals.append((at, event.start, ""))
        intervals.append((event.start, event.end, event.value or track.au))
        at = event.end
    return [*intervals, (at, length, "")] if at < length else intervals
