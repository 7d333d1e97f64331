"""What was read, in few lines: how often and how strongly each AU occurred on each face."""

from collections.abc import Collection
from pathlib import Path

import numpy as np
from rich.table import Table
from rich.text import Text

from actionunits.aus import STARRED, AUSet
from actionunits.detect.tables import Bar
from actionunits.errors import counted, printable
from actionunits.types import Reading


class Summary:
    """Counts over the frames of each face that were read confidently enough, at constant memory.

    Args:
        aus: label axis of the readings.
    """

    def __init__(self, aus: AUSet) -> None:
        self._aus = aus
        self._faces: dict[tuple[str, int], _Face] = {}
        self.frames = 0
        self.without_face = 0

    def add(self, reading: Reading) -> None:
        """Count one frame."""
        self.frames += 1
        self.without_face += not reading.faces
        for position, face in enumerate(reading.faces):
            key = (reading.frame.source, face.track)
            counts = self._faces.setdefault(key, _Face(len(self._aus)))
            if reading.doubtful[position]:
                counts.doubtful += 1
                continue
            strength = (reading.probability if reading.intensity is None else reading.intensity)[
                position
            ]
            counts.frames += 1
            counts.present += reading.present[position]
            stronger = strength > counts.peak
            counts.peak = np.where(stronger, strength, counts.peak)
            counts.seconds = np.where(stronger, reading.frame.seconds, counts.seconds)

    def tables(self, sources: Collection[str], most: int = 6) -> list[Table]:
        """Return a table a face of these sources, of the `most` faces seen longest."""
        faces = [item for item in self._faces.items() if item[0][0] in sources]
        seen = sorted(faces, key=lambda item: -item[1].frames - item[1].doubtful)[:most]
        return [self._table(*key, counts) for key, counts in sorted(seen)]

    def line(self) -> str:
        """Return one line on everything that was read."""
        return (
            f"frames: {self.frames}, without a face: {self.without_face}; faces: {len(self._faces)}"
        )

    def _table(self, source: str, track: int, counts: "_Face") -> Table:
        frames = counted(counts.frames, "frame")
        unread = f", {counts.doubtful} more not sure enough" if counts.doubtful else ""
        title = f"{printable(Path(source).name)}, face {track}: {frames}{unread}"
        table = Table(title=Text(title, "table.title"), title_justify="left")
        table.add_column("AU", justify="right")
        table.add_column("name")
        for heading in ("present", "peak", "at"):
            table.add_column(heading, justify="right")
        table.add_column("")
        table.caption = STARRED if self._aus.experimental else None
        share = counts.present / max(counts.frames, 1)
        for i, au in enumerate(self._aus):
            table.add_row(
                self._aus.label(au),
                au.name,
                f"{share[i]:.0%}",
                f"{counts.peak[i]:.1f}" if counts.frames else "",
                f"{counts.seconds[i]:.2f} s" if counts.frames else "",
                Bar(share[i]),
                style="bold" if share[i] >= 0.1 else "",
            )
        return table


class _Face:
    """Counts of one face; arrays are (A,)."""

    def __init__(self, aus: int) -> None:
        self.frames = self.doubtful = 0
        self.present = np.zeros(aus)
        self.peak = np.full(aus, -np.inf)
        self.seconds = np.zeros(aus)
