"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary name beside *path* that takes its place when the block ends well.

    Makes the folder when it is not there. Whatever goes wrong, an older file at *path* is
    untouched and the temporary one is gone.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f".{secrets.token_hex(8)}.tmp"
    try:
        yield temporary
        os.replace(temporary, path)  # noqa: PTH105 (a path object's replace() says no more)
    finally:
        temporary.unlink(missing_ok=True)
