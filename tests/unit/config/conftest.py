"""Files in which the place of the expected error is marked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

MARK = "¦"


@dataclass(frozen=True)
class Marked:
    """A file, and the line and column where ``¦`` stood in its text."""

    path: Path
    line: int
    column: int

    @property
    def place(self) -> tuple[str, int, int]:
        return str(self.path), self.line, self.column


Write = Callable[..., Marked]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a text without its mark; without a mark the place is line 1, column 1."""

    def write(text: str, name: str = "pipeline.x.yaml") -> Marked:
        before, _, _ = text.partition(MARK) if MARK in text else ("", "", "")
        path = tmp_path / name
        path.write_text(text.replace(MARK, ""), encoding="utf-8")
        return Marked(path, before.count("\n") + 1, len(before) - before.rfind("\n"))

    return write
