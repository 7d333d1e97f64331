"""Values out of MATLAB files."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from scipy.io import loadmat

from actionunits.errors import DataError


def variable(file: Path, name: str) -> Any:
    """Return a variable, without axes of length 1.

    Raises:
        DataError: the file cannot be read, is of MATLAB's HDF5 kind or has no such variable.
    """
    with _reading(file, name):
        try:
            return loadmat(file, squeeze_me=True, variable_names=[name])[name]
        except NotImplementedError:
            raise DataError(f"{file}: is of MATLAB 7.3; save it with -v7") from None


def struct(file: Path, name: str, *fields: str) -> np.ndarray:
    """Return some fields of a struct array.

    Args:
        file: of any MATLAB since 5.
        name: of the variable.
        fields: that each entry must have.

    Returns:
        (E,) entries with these fields, whose values are without axes of length 1.

    Raises:
        DataError: the file cannot be read or has no such struct array.
    """
    found: dict[str, Any]
    with _reading(file, name):
        try:
            entries = np.atleast_1d(loadmat(file, squeeze_me=True, variable_names=[name])[name])
            found = {field: entries[field] for field in entries.dtype.names or ()}
        except NotImplementedError:  # MATLAB 7.3, whose files are HDF5
            with h5py.File(file) as stored:
                group = stored[name] if isinstance(stored[name], h5py.Group) else {}
                found = {each: _values(stored, group[each]) for each in fields if each in group}
    if not set(fields) <= found.keys():
        raise DataError(
            f"{file}: expected {name} to have {' and '.join(fields)}, found "
            f"{', '.join(found) or 'none of them'}"
        )
    chosen = np.empty(len(found[fields[0]]), [(field, object) for field in fields])
    for field in fields:
        for place, value in enumerate(found[field]):
            chosen[field][place] = value
    return chosen


def _values(stored: h5py.File, entries: h5py.Dataset) -> list[np.ndarray]:
    """One field of all entries: references to their values, or the value of an only one."""
    if entries.dtype == h5py.ref_dtype:
        return [_value(stored[reference]) for reference in entries[()].flat]
    return [_value(entries)]


def _value(stored: h5py.Dataset) -> np.ndarray:
    """An array; its axes are stored last to first, and of an empty one its shape."""
    values = np.asarray(stored[()])
    return np.zeros(values) if stored.attrs.get("MATLAB_empty") else np.squeeze(values.T)


@contextmanager
def _reading(file: Path, name: str) -> Iterator[None]:
    try:
        yield
    except DataError:
        raise
    except KeyError:
        raise DataError(f"{file}: expected the variable {name}, found none") from None
    except Exception as error:  # damaged files fail in many ways
        raise DataError(f"{file}: not a whole MATLAB file ({error})") from error
