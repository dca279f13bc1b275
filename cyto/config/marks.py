"""Places in a file, by the path of a key."""

from __future__ import annotations

from dataclasses import dataclass

KeyPath = tuple[str | int, ...]
"""Keys and list positions from the top of a file: ``("tasks", "tcell", "tags", 0)``."""


@dataclass(frozen=True)
class Mark:
    """Where one key and its value are written; lines and columns count from 1.

    Parameters
    ----------
    key, value
        Line and column. A value that starts on a later line than its key (a block) is said to be
        where its key is, which is where a person looks. An item of a list has no key of its own.
    origin
        What to name instead of a file and a line, such as ``--set seed=3``; empty for a file.
    """

    key: tuple[int, int] = (1, 1)
    value: tuple[int, int] = (1, 1)
    origin: str = ""


def dotted(path: KeyPath) -> str:
    """Write a path for people: ``tasks.tcell.tags.0``."""
    return ".".join(str(part) for part in path)
