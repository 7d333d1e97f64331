"""What lies beside the project where it is developed; elsewhere a test that uses it skips."""

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"
PHOTOS = SHARED / "photos"
photos = pytest.mark.skipif(not PHOTOS.is_dir(), reason=f"no real photographs at {PHOTOS}")
