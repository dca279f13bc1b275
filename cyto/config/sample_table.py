"""Samples from a CSV: one per row, the other columns are conditions."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cyto.config.source import read_text
from cyto.errors import ConfigError, Problem

if TYPE_CHECKING:
    from cyto._typing import JSON

NAME_COLUMN = "sample"
"""The column, or key, with a sample's name; without one it is the first column."""
# 007 and numbers of twenty digits are names
_WHOLE = re.compile(r"-?(0|[1-9]\d{0,17})")
_NUMBER = re.compile(r"-?(0|[1-9]\d{0,17})(\.\d+)?([eE][+-]?\d{1,2})?")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row: the sample's name, the other columns as values and as text, and its place."""

    name: str
    conditions: Mapping[str, JSON]
    values: Mapping[str, str]
    place: Problem


def read_table(path: Path) -> list[Row]:
    """Read a CSV of samples: UTF-8, a header, fields parted by comma, semicolon or tab.

    A column whose fields are all numbers holds numbers; a number with a leading zero is a text.
    An empty field is a missing value.

    Raises
    ------
    ConfigError
        The file cannot be read (the problem has no line then); it has no rows; a column has no
        name, or two have the same; a row has another number of fields than the header.
    """
    lines = _lines(path)
    if not lines:
        raise ConfigError([_problem(path, 1, "the samples file is empty", "write a header first")])
    (first, header), rows = lines[0], lines[1:]
    problems = _header_problems(path, first, header)
    problems += [
        _problem(path, number, f"{len(row)} fields where the header has {len(header)}")
        for number, row in rows
        if len(row) != len(header)
    ]
    if not rows:
        problems.append(_problem(path, first, "there is a header and no sample", "add rows to it"))
    if problems:
        raise ConfigError(problems)
    at = header.index(NAME_COLUMN) if NAME_COLUMN in header else 0
    columns = {
        name: _typed([row[i] for _, row in rows]) for i, name in enumerate(header) if i != at
    }
    return [
        Row(
            name=row[at],
            conditions={name: column[i] for name, column in columns.items()},
            values={name: row[j] for j, name in enumerate(header) if j != at},
            place=_problem(path, number, ""),
        )
        for i, (number, row) in enumerate(rows)
    ]


def _lines(path: Path) -> list[tuple[int, list[str]]]:
    """Give the rows that are not blank, each with the number of its line."""
    text = read_text(path, "samples")
    head = text.lstrip("\r\n").partition("\n")[0]
    delimiter = next((mark for mark in ",;\t" if mark in head), ",")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    found = []
    try:
        for row in reader:
            fields = [each.strip() for each in row]
            if any(fields):
                found.append((reader.line_num, fields))
    except csv.Error as error:
        raise ConfigError([_problem(path, reader.line_num, f"is no CSV: {error}")]) from error
    return found


def _header_problems(path: Path, line: int, header: Sequence[str]) -> list[Problem]:
    problems = [
        _problem(path, line, f"column {i} has no name")
        for i, name in enumerate(header, 1)
        if not name
    ]
    twice = {name for name in header if name and header.count(name) > 1}
    return problems + [
        _problem(path, line, f"two columns are named {name!r}") for name in sorted(twice)
    ]


def _typed(fields: Sequence[str]) -> list[JSON]:
    """Turn a column into numbers where all that is there are numbers."""
    given = [each for each in fields if each]
    kind: type = str
    if given and all(_WHOLE.fullmatch(each) for each in given):
        kind = int
    elif given and all(_NUMBER.fullmatch(each) for each in given):
        kind = float
    return [kind(each) if each else None for each in fields]


def _problem(path: Path, line: int, message: str, hint: str = "") -> Problem:
    return Problem(message, hint, file=str(path), line=line)
