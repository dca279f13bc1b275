"""The comments of a YAML text, which its data do not have."""

from __future__ import annotations

import re
from dataclasses import dataclass

import yaml

_COMMENT = re.compile(r"#[^\r\n]*")


@dataclass(frozen=True, kw_only=True)
class Comment:
    """One comment.

    Parameters
    ----------
    line
        Where it stands, from 1.
    text
        From its ``#`` on.
    alone
        Whether nothing stands before it in its line.
    """

    line: int
    text: str
    alone: bool


def comments_of(text: str) -> list[Comment]:
    """Find the comments of a text that is YAML: what stands between its tokens."""
    found: list[Comment] = []
    end = 0
    for token in yaml.scan(text, Loader=yaml.SafeLoader):
        found += _between(text, end, token.start_mark.index)
        end = max(end, token.end_mark.index)
    return [*found, *_between(text, end, len(text))]


def _between(text: str, start: int, stop: int) -> list[Comment]:
    return [
        Comment(
            line=text.count("\n", 0, match.start()) + 1,
            text=match[0].rstrip(),
            alone=not text[text.rfind("\n", 0, match.start()) + 1 : match.start()].strip(),
        )
        for match in _COMMENT.finditer(text, start, stop)
    ]
