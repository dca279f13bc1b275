"""One folder in the place of another, with no moment in which neither is there."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
from pathlib import Path

from cyto.core.layout import aside

_CWD = -100  # AT_FDCWD
_EXCHANGE = 2  # RENAME_EXCHANGE


def replace_folder(new: Path, old: Path) -> None:
    """Put *new* where *old* is, and remove what was there.

    Where the file system can, the two change places in one step (`renameat2
    <https://man7.org/linux/man-pages/man2/rename.2.html>`_); elsewhere, as on NFS, a kill between
    two renames may leave nothing at *old*. Who has a file of the old folder open keeps it.
    """
    hidden = aside(old)
    if _exchange(new, old):
        new.rename(hidden)
    else:
        with contextlib.suppress(FileNotFoundError):
            old.rename(hidden)
        new.rename(old)
    shutil.rmtree(hidden, ignore_errors=True)


def _exchange(one: Path, other: Path) -> bool:
    """Let two paths change places; tell whether that could be done."""
    rename = getattr(ctypes.CDLL(None), "renameat2", None)
    if rename is None:
        return False
    failed = rename(_CWD, os.fsencode(one), _CWD, os.fsencode(other), _EXCHANGE)
    return not failed
