"""Files and folders that appear whole or not at all; `leftovers` knows their temporary names."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

_TOLD: ContextVar[Callable[[Path, Path], None] | None] = ContextVar("told", default=None)


@contextmanager
def telling(told: Callable[[Path, Path], None]) -> Iterator[None]:
    """Call *told* with each path just before something appears there, and where that is still."""
    token = _TOLD.set(told)
    try:
        yield
    finally:
        _TOLD.reset(token)


def _tell(path: Path, temporary: Path) -> None:
    told = _TOLD.get()
    if told is not None:
        told(path, temporary)


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
        _tell(path, temporary)
        os.replace(temporary, path)  # noqa: PTH105 (a path object's replace() says no more)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Give a temporary folder beside *path* that takes its place when the block ends well.

    What was at *path* before, a folder, is moved away just before and deleted after. Whatever
    goes wrong in the block, it is untouched and the temporary folder is gone.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    token = secrets.token_hex(8)
    temporary, old = path.parent / f".{token}.tmp", path.parent / f".{token}.old"
    try:
        temporary.mkdir()
        yield temporary
        _tell(path, temporary)
        if path.is_dir():
            path.rename(old)
        try:
            temporary.rename(path)
        except OSError:
            if old.is_dir():
                old.rename(path)
            raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        if old.is_symlink():
            old.unlink()
        shutil.rmtree(old, ignore_errors=True)
