"""Files: whole or not there, sealed, and read with care; their names as text."""

from actionunits.files.whole import alone, atomic, folder, private, writing

__all__ = ["alone", "atomic", "folder", "private", "writing"]
