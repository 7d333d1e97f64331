"""ELAN's files: EAF 3.0, the annotation format of the Max Planck Institute for Psycholinguistics.

A document has a header with the videos, time slots in milliseconds, and tiers of annotations. An
annotation lies between two slots, or belongs to an annotation of the tier above, whose time it has.
Slots without a time are spread between their neighbours, as ELAN does.
"""

import datetime
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pandas as pd

from actionunits.errors import DataError
from actionunits.findings.codes.recording import Recording
from actionunits.findings.codes.stretches import Stretches, media, stretches

_SCHEMA = "http://www.mpi.nl/tools/elan/EAFv3.0.xsd"
_INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"
_TYPE = "action unit"


def read(path: Path, content: bytes) -> Stretches:
    """Read an ``.eaf`` file.

    Times are those of the first video: its ``TIME_ORIGIN``, by which ELAN shifts it, is added.

    Args:
        path: of the file, for errors.
        content: of the file.

    Raises:
        DataError: it is none.
    """
    try:
        root = ET.fromstring(content)
    except (ET.ParseError, LookupError, ValueError) as error:  # also of encodings that are none
        raise DataError(f"{path}: expected an ELAN file (.eaf): {error}") from error
    if root.tag != "ANNOTATION_DOCUMENT":
        raise DataError(f"{path}: expected an ELAN file (.eaf), found XML that begins <{root.tag}>")
    header = root.find("HEADER")
    units = "milliseconds" if header is None else header.get("TIME_UNITS", "milliseconds")
    if units != "milliseconds":
        raise DataError(
            f"{path}: expected times in milliseconds, found {units}; save it with a newer ELAN"
        )
    video = None if header is None else header.find("MEDIA_DESCRIPTOR")
    name = None if video is None else media(video.get("MEDIA_URL") or "") or None
    origin = 0.0 if video is None else _number(video.get("TIME_ORIGIN")) or 0.0
    slots = _slots(root)
    spans: dict[str, list[float]] = {}  # of annotations by their identifier
    above: dict[str, str] = {}
    for tier in root.iter("TIER"):
        for one in tier.iter("ALIGNABLE_ANNOTATION"):
            between = [one.get(f"TIME_SLOT_REF{end}", "") for end in (1, 2)]
            spans[one.get("ANNOTATION_ID", "")] = [slots.get(name, np.nan) for name in between]
        for one in tier.iter("REF_ANNOTATION"):
            above[one.get("ANNOTATION_ID", "")] = one.get("ANNOTATION_REF", "")
    rows: list[tuple[object, ...]] = []
    for tier in root.iter("TIER"):
        label, who = tier.get("TIER_ID", ""), tier.get("PARTICIPANT", "")
        for one in (*tier.iter("ALIGNABLE_ANNOTATION"), *tier.iter("REF_ANNOTATION")):
            identifier = one.get("ANNOTATION_ID", "")
            value = one.findtext("ANNOTATION_VALUE") or ""
            start, end = spans.get(_root(identifier, above), [np.nan, np.nan])
            rows.append((name, who, start, end, label, value))
    found = pd.DataFrame(rows, columns=["input", "who", "start", "end", "label", "value"])
    ends = ["start", "end"]
    found[ends] = (found[ends].astype(float) + origin) / 1000
    labels = [tier.get("TIER_ID", "") for tier in root.iter("TIER")]
    return stretches(found, labels, tiers=True, videos=[name] if name else [])


def _slots(root: ET.Element) -> dict[str, float]:
    """Milliseconds of each time slot."""
    slots = [
        (s.get("TIME_SLOT_ID", ""), _number(s.get("TIME_VALUE"))) for s in root.iter("TIME_SLOT")
    ]
    times = pd.Series([time for _, time in slots], dtype=float).interpolate(limit_area="inside")
    return dict(zip([name for name, _ in slots], times, strict=True))


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


def _root(annotation: str, above: dict[str, str]) -> str:
    """The annotation that has times, of which this one is a part."""
    seen: set[str] = set()
    while annotation in above and annotation not in seen:
        seen.add(annotation)
        annotation = above[annotation]
    return annotation


def write(recording: Recording, path: Path, beside: Path) -> None:
    """Write the events of one video: a tier an AU and face, also without events.

    Args:
        recording: of one video.
        path: to write.
        beside: where the file will lie, from which the video is named.
    """
    now = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
    root = ET.Element(
        "ANNOTATION_DOCUMENT",
        {
            **{"AUTHOR": "", "DATE": now, "FORMAT": "3.0", "VERSION": "3.0"},
            **{"xmlns:xsi": _INSTANCE, "xsi:noNamespaceSchemaLocation": _SCHEMA},
        },
    )
    address, relative = recording.link(beside)
    header = ET.SubElement(root, "HEADER", {"MEDIA_FILE": "", "TIME_UNITS": "milliseconds"})
    relative = relative if relative.startswith("../") else f"./{relative}"  # as ELAN writes it
    of = {"MEDIA_URL": address, "MIME_TYPE": recording.kind, "RELATIVE_MEDIA_URL": relative}
    ET.SubElement(header, "MEDIA_DESCRIPTOR", of)
    happened = [event for track in recording.tracks for event in track.events]
    last = ET.SubElement(header, "PROPERTY", {"NAME": "lastUsedAnnotationId"})
    last.text = str(len(happened))
    order = ET.SubElement(root, "TIME_ORDER")
    times = sorted(time for event in happened for time in (event.start, event.end))
    for number, time in enumerate(times, start=1):
        slot = {"TIME_SLOT_ID": f"ts{number}", "TIME_VALUE": str(time)}
        ET.SubElement(order, "TIME_SLOT", slot)
    free = {time: place + 1 for place, time in reversed(list(enumerate(times)))}

    def slot_of(time: int) -> str:
        free[time] += 1  # each end of each event has a slot of its own, as ELAN wants
        return f"ts{free[time] - 1}"

    number = 0
    for track in recording.tracks:
        tier = {"LINGUISTIC_TYPE_REF": _TYPE, "TIER_ID": track.name}
        tier["PARTICIPANT"] = f"face {track.face}"
        element = ET.SubElement(root, "TIER", tier)
        for event in track.events:
            number += 1
            between = {"TIME_SLOT_REF1": slot_of(event.start), "TIME_SLOT_REF2": slot_of(event.end)}
            one = ET.SubElement(ET.SubElement(element, "ANNOTATION"), "ALIGNABLE_ANNOTATION")
            one.attrib.update({"ANNOTATION_ID": f"a{number}", **between})
            ET.SubElement(one, "ANNOTATION_VALUE").text = event.value
    kind = {"GRAPHIC_REFERENCES": "false", "LINGUISTIC_TYPE_ID": _TYPE, "TIME_ALIGNABLE": "true"}
    ET.SubElement(root, "LINGUISTIC_TYPE", kind)
    ET.indent(root, "    ")
    path.write_bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n")
