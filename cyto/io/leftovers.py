"""What writers that were killed leave behind: files and folders under temporary names."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

_TEMPORARY = re.compile(r"\.[0-9a-f]{16}\.(tmp|old)")  # as cyto/io/whole.py names them


def remove_leftovers(folder: Path) -> None:
    """Remove temporary files and folders in *folder*; only while nobody writes there."""
    for path in folder.glob(".*"):
        if not _TEMPORARY.fullmatch(path.name):
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
