"""The weights that come with the package; each folder is a checkpoint with its model card."""

from pathlib import Path

from actionunits.errors import CheckpointError

_HERE = Path(__file__).parent


def list_weights() -> list[str]:
    """Names of the checkpoints in the package, sorted."""
    return sorted(path.parent.name for path in _HERE.glob("*/card.json"))


def locate(name_or_path: str | Path) -> Path:
    """Folder of a checkpoint.

    Args:
        name_or_path: one of `list_weights`, or the folder of a checkpoint or of a run.

    Raises:
        CheckpointError: there is neither such a name nor such a folder.
    """
    if str(name_or_path) in list_weights():
        return _HERE / str(name_or_path)
    if Path(name_or_path).is_dir():
        return Path(name_or_path)
    raise CheckpointError(
        f"{name_or_path}: no such checkpoint; give the folder of a run or one of the names "
        f"{', '.join(list_weights())}"
    )
