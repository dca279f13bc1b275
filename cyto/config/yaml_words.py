"""What a YAML parser complains of, in words that help."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cyto.errors import Problem

if TYPE_CHECKING:
    import yaml

_WORDS = (
    (
        r"mapping values are not allowed",
        "a ':' stands where no key can be",
        "check the indentation, and put text that holds ': ' in quotes",
    ),
    (
        r"cannot start any token",
        "{char} cannot begin a value",
        "put the value in quotes",
    ),
    (
        r"undefined alias",
        "there is no anchor for the alias {word}",
        "write &name before *name, or put text that begins with * in quotes",
    ),
    (r"another document|a single document", "a second document begins here", "one file holds one"),
    (r"(did not find )?expected ',' or '[]}]'", "a bracket is not closed",
     "close it, and put commas between the items"),
    (r"unexpected end of stream", "text in quotes is not closed", "add the closing quote"),
    (
        r"did not find expected key|expected <block end>|expected '-' indicator",
        "this line does not belong to the lines above it",
        "check the indentation, and that every quote and bracket is closed",
    ),
    (
        r"(block )?sequence entries are not allowed",
        "a list item ('- ') cannot follow on this line",
        "begin the list on its own line",
    ),
    (r"could not find expected ':'", "a key has no ':' after it", "write 'key: value'"),
    (r"unknown escape character", "an unknown escape in double quotes",
     "use single quotes, or write \\\\ for a backslash"),
    (r"duplicate anchor|second occurrence", "an anchor (&name) is written twice", ""),
    (r"nesting depth", "brackets are nested too deep", ""),
)  # fmt: skip


def explain(error: yaml.YAMLError, text: str, file: str) -> Problem:
    """Say where YAML breaks off and what is likely wrong.

    Parameters
    ----------
    error
        What PyYAML (or libyaml) raised.
    text, file
        The text that it read and the file's name.
    """
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    line, column = (mark.line, mark.column) if mark else (0, 0)
    lines = text.splitlines() or [""]
    if line >= len(lines):  # libyaml points behind the last line
        line, column = len(lines) - 1, len(lines[-1])
    message, hint = _words(getattr(error, "problem", None) or str(error), lines[line], column)
    return Problem(f"not YAML: {message}", hint, file, line + 1, column + 1)


def _words(problem: str, line: str, column: int) -> tuple[str, str]:
    char = line[column : column + 1]
    if char == "\t" or (line[:column].isspace() and "\t" in line[:column]):
        return "a tab in the indentation", "indent with spaces"
    word = re.match(r"\S*", line[column:])
    for pattern, message, hint in _WORDS:
        if re.search(pattern, problem):
            return message.format(char=repr(char), word=word[0] if word else ""), hint
    return problem, ""
