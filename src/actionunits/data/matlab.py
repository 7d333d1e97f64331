"""Values out of MATLAB files."""

from pathlib import Path
from typing import Any

from scipy.io import loadmat

from actionunits.errors import DataError


def variable(file: Path, name: str) -> Any:
    """Return a variable, without axes of length 1.

    Raises:
        DataError: the file cannot be read, is of MATLAB's HDF5 kind or has no such variable.
    """
    try:
        return loadmat(file, squeeze_me=True, variable_names=[name])[name]
    except KeyError:
        raise DataError(f"{file}: expected the variable {name}, found none") from None
    except NotImplementedError:
        raise DataError(f"{file}: is of MATLAB 7.3; save it with -v7") from None
    except Exception as error:  # damaged files fail in many ways
        raise DataError(f"{file}: not a whole MATLAB file ({error})") from error
