"""Paths as people write them."""

from __future__ import annotations

from pathlib import Path


def expanded(path: str | Path) -> Path:
    """Replace a leading ``~`` by the home folder; an unknown user's stays as written."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)
