"""BORIS's projects (``.boris``): JSON, format 7.0.

A project has an ethogram, the behaviours that are coded, and observations of videos, each with a
list of events: time in seconds, subject, behaviour, modifier, comment. Two events of a behaviour
that is a state are its start and its stop; those of one that is a point stand alone.
"""

import datetime
import json
from pathlib import Path
from typing import Any

import pandas as pd

from actionunits.errors import DataError
from actionunits.files.lists import decoded
from actionunits.files.stored import json_object
from actionunits.findings.codes.recording import Recording
from actionunits.findings.codes.stretches import Stretches, media, paired, stretches

_FORMAT = "7.0"
_PLAYERS = 8  # videos that an observation may have side by side


def read(path: Path, content: bytes) -> Stretches:
    """Read a project.

    Times are those of an observation's first video: the time offset that BORIS adds is taken off.

    Args:
        path: of the file, for errors.
        content: of the file.

    Raises:
        DataError: it is none.
    """
    try:
        project = json_object(decoded(content))
        ethogram = [(one["code"], str(one["type"])) for one in project["behaviors_conf"].values()]
        observations = project["observations"].items()
        videos = [_video(name, one) for name, one in observations]
        rows = [row for name, one in observations for row in _rows(name, one)]
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise DataError(f"{path}: expected a BORIS project (.boris): {error!r}") from error
    points = {code for code, kind in ethogram if kind.lower().startswith("point")}
    told = pd.DataFrame(rows, columns=["input", "time", "who", "label", "value"])
    told["time"] = pd.to_numeric(told["time"], errors="coerce")
    told["state"] = ["point" if label in points else "" for label in told["label"]]
    found, notes = paired(path, told)
    labels = [code for code, _ in ethogram]
    return stretches(found, labels, tiers=False, notes=notes, videos=videos)


def _video(name: str, observation: dict[str, Any]) -> str:
    first = (observation.get("file") or {}).get("1") or []
    return media(first[0]) if first else name


def _rows(name: str, observation: dict[str, Any]) -> list[tuple[Any, ...]]:
    video = _video(name, observation)
    offset = float(observation.get("time offset") or 0)
    return [
        (video, float(event[0]) - offset, str(event[1] or ""), str(event[2]), str(event[3] or ""))
        for event in observation["events"]
    ]


def write(recordings: list[Recording], path: Path, beside: Path) -> None:
    """Write a project with an observation a video, whose behaviours are AUs, subjects faces.

    Args:
        recordings: of one video or more.
        path: to write.
        beside: where the file will lie, from which videos are named.
    """
    aus = sorted({track.au for one in recordings for track in one.tracks})
    faces = sorted({track.face for one in recordings for track in one.tracks})
    project = {
        "time_format": "hh:mm:ss",
        "project_date": datetime.datetime.now().isoformat(timespec="seconds"),
        "project_name": beside.stem,
        "project_description": "",
        "project_format_version": _FORMAT,
        "subjects_conf": {
            str(n): {"key": "", "name": f"face {face}", "description": ""}
            for n, face in enumerate(faces)
        },
        "behaviors_conf": {
            str(n): {
                **{"type": "State event", "key": "", "code": au, "description": "", "color": ""},
                **{"category": "", "modifiers": {}, "excluded": "", "coding map": ""},
            }
            for n, au in enumerate(aus)
        },
        "observations": {name: _observation(one, beside) for name, one in _named(recordings)},
        "behavioral_categories": [],
        "behavioral_categories_config": {},
        "independent_variables": {},
        "coding_map": {},
        "behaviors_coding_map": [],
        "converters": {},
    }
    path.write_text(json.dumps(project, indent=1, ensure_ascii=False), encoding="utf-8")


def _named(recordings: list[Recording]) -> list[tuple[str, Recording]]:
    """Observations need names of their own, also where videos of two folders have the same."""
    names = [Path(one.name).stem for one in recordings]
    return [
        (name if names.count(name) == 1 else f"{name} {names[:place].count(name) + 1}", one)
        for place, (name, one) in enumerate(zip(names, recordings, strict=True))
    ]


def _observation(recording: Recording, beside: Path) -> dict[str, Any]:
    video = recording.link(beside)[1]
    events = [
        [time / 1000, f"face {track.face}", track.au, value, "", int(time / 1000 * recording.fps)]
        for track in recording.tracks
        for event in track.events
        for time, value in ((event.start, event.value), (event.end, event.value))
    ]
    return {
        "file": {str(n): [video] if n == 1 else [] for n in range(1, _PLAYERS + 1)},
        "type": "MEDIA",
        "date": datetime.datetime.now().isoformat(timespec="milliseconds"),
        "description": "",
        "time offset": 0.0,
        "events": sorted(events, key=lambda event: event[0]),
        "observation time interval": [0, 0],
        "independent_variables": {},
        "visualize_spectrogram": False,
        "visualize_waveform": False,
        "media_creation_date_as_offset": False,
        "media_scan_sampling_duration": 0,
        "image_display_duration": 1,
        "close_behaviors_between_videos": False,
        "media_info": {
            "length": {video: recording.length / 1000},
            "fps": {video: recording.fps},
            "hasVideo": {video: True},
            "hasAudio": {video: False},
            "offset": {"1": 0.0},
        },
    }
