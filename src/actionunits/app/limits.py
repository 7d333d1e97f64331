"""How large and how long an upload may be: looked at before anything of it is decoded."""

from pathlib import Path
from typing import NamedTuple

from actionunits import media
from actionunits.errors import UserError, printable


class Limits(NamedTuple):
    """Of one upload; `au detect` has none."""

    megabytes: float = 500.0
    minutes: float = 10.0

    def checked(self) -> "Limits":
        """Itself.

        Raises:
            UserError: a limit is not above 0.
        """
        for name, value in self._asdict().items():
            if not 0 < value <= 100_000:
                raise UserError(f"--{name}: expected more than 0, up to 100000; got {value:g}")
        return self

    def check(self, file: Path) -> float:
        """Refuse a file that is larger or longer; none of its pictures is decoded.

        Args:
            file: picture or video.

        Returns:
            Seconds that it promises; 0 for a picture, and where nobody knows. What turns out to be
            longer is read up to the limit.

        Raises:
            UserError: it is larger, or promises to be longer.
        """
        name, size = printable(file.name), file.stat().st_size / 1e6
        if size > self.megabytes:
            raise UserError(
                f"{name}: has {size:,.0f} MB, the page takes {self.megabytes:g}; read it with au "
                "detect, which has no limit, or start the page with --megabytes"
            )
        seconds = media.duration(str(file))
        if seconds > 60 * self.minutes:
            raise UserError(
                f"{name}: lasts {clock(seconds)}, the page takes {self.minutes:g} minutes; cut it, "
                "read it with au detect, which has no limit, or start the page with --minutes"
            )
        return seconds


def clock(seconds: float) -> str:
    """Time as people write it.

    >>> clock(7290), clock(75.4)
    ('2:01:30', '1:15')
    """
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
