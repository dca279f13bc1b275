"""What tests of the science share: the helpers beside them, and the real data."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
for folder in (HERE, HERE.parent):
    if str(folder) not in sys.path:
        sys.path.append(str(folder))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Give the folder of real data: ``$CYTO_SHARED_DATA``, or ``../shared/data``."""
    folder = Path(os.environ.get("CYTO_SHARED_DATA") or HERE.parents[2] / "shared" / "data")
    if not folder.is_dir():
        word = f"no real data in {folder}; set CYTO_SHARED_DATA to the folder that has them"
        if os.environ.get("CI"):
            pytest.fail(word)
        pytest.skip(word)
    return folder
