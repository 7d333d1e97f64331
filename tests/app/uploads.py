"""What people drop on the page."""

import shutil
from pathlib import Path


def uploaded(file: Path, tmp_path: Path, name: str | None = None) -> Path:
    """A copy where Gradio would have put it: in a folder that is named after its content."""
    folder = tmp_path / "gradio" / "0123abc"
    folder.mkdir(parents=True)
    return Path(shutil.copy(file, folder / (name or file.name)))
