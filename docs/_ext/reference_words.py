"""Markdown that the reference pages are made of."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence


def table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Give a Markdown table; cells hold Markdown, and a bar in them is kept."""
    lines = ["| " + " | ".join(titles) + " |", "|" + "---|" * len(titles)]
    lines += ["| " + " | ".join(_cell(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return re.sub(r"\s*\n\s*", " ", text).replace("|", "\\|") or " "


def code(text: str) -> str:
    """Give *text* as code, whatever backticks it holds."""
    ticks = "``" if "`" in text else "`"
    pad = " " if ticks == "``" else ""
    return f"{ticks}{pad}{text}{pad}{ticks}"


def plain(text: str) -> str:
    """Give *text*, which may hold ```code```, with what Markdown would read otherwise escaped."""
    parts = re.split(r"(`[^`]*`)", text)
    safe = [
        part if i % 2 else re.sub(r"([*_<>{}\[\]])", r"\\\1", part) for i, part in enumerate(parts)
    ]
    return "".join(safe)
