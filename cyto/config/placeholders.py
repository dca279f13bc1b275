"""``{sample}`` in a channel's path: found, checked and filled in."""

from __future__ import annotations

import glob
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

MAGIC = re.compile(r"[*?\[]")
_PART = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


def placeholders(text: str) -> tuple[str, ...]:
    """List the names in braces.

    Raises
    ------
    ValueError
        A brace stands alone, or nothing stands between two; says which and what to do.
    """
    names = []
    for part in _PART.finditer(text):
        if part[0] in {"{", "}"}:
            where = f"the {part[0]!r} at character {part.start() + 1} has no other brace"
            raise ValueError(f"{where}; write {part[0] * 2!r} for the character itself")
        if part[1] is not None:
            if not part[1].strip():
                raise ValueError("nothing stands between '{' and '}'; write {sample}, for instance")
            names.append(part[1].strip())
    return tuple(dict.fromkeys(names))


def filled(text: str, values: Mapping[str, str], *, pattern: bool = False) -> str:
    """Put *values* in place of the names in braces; ``{{`` and ``}}`` become single braces.

    Parameters
    ----------
    pattern
        The text may be a glob: where it is one, the values stand for themselves in it.
    """
    is_glob = pattern and bool(MAGIC.search(_PART.sub("", text)))

    def fill(part: re.Match[str]) -> str:
        if part[1] is None:
            return part[0][0]
        value = values[part[1].strip()]
        return glob.escape(value) if is_glob else value

    return _PART.sub(fill, text)


def escaped(text: str) -> str:
    """Write *text* so that `filled` gives it back."""
    return text.replace("{", "{{").replace("}", "}}")
