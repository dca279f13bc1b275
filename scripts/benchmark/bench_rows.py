"""Rows of the overhead's table: ours and what stands beside it, timed in turn, and judged."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

SLOW_S = 60.0
"""A peer that takes longer than this at its first run is not run again."""


class CannotRunError(Exception):
    """Something that is to be timed is not to be had here; the message says what."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """Something to time: *run* gives its value, in the row's unit."""

    name: str
    run: Callable[[], float]


@dataclass(frozen=True, kw_only=True)
class Aim:
    """What the issue asks for.

    Parameters
    ----------
    limit
        The value that ours may have at most, in the row's unit, or, with *beside*, how many times
        the first entry beside it. With *faster*, how many times faster than it ours must be.
    beside, faster
        What *limit* means.
    plus
        What ours may take on top of it, in the row's unit.
    text
        The aim in words.
    """

    limit: float
    text: str
    beside: bool = False
    faster: bool = False
    plus: float = 0.0

    def met(self, ours: Sequence[float], theirs: Sequence[float]) -> bool:
        """Judge medians; of ratios where the aim is one."""
        if self.faster:
            return ratio(theirs, ours) >= self.limit
        if self.beside:
            return ratio([value - self.plus for value in ours], theirs) <= self.limit
        return statistics.median(ours) <= self.limit


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table.

    Parameters
    ----------
    title, unit
        What is timed, and in what.
    ours
        What the engine does.
    beside
        Floors and peers; a ratio in the aim is that to the first.
    aim
        ``None`` where the issue has none.
    missing
        What else would stand here, and why it does not.
    """

    title: str
    unit: str
    ours: Entry
    beside: Sequence[Entry] = ()
    aim: Aim | None = None
    missing: dict[str, str] = field(default_factory=dict)


@dataclass(eq=False)
class _Series:
    entry: Entry
    values: list[float] = field(default_factory=list)
    fault: str = ""
    again: bool = True

    def take(self) -> None:
        try:
            self.values.append(self.entry.run())
        except CannotRunError as error:
            self.fault, self.again = str(error), False

    def as_dict(self) -> dict[str, Any]:
        return {"name": self.entry.name, **summary(self.values)}


def measure(row: Row, runs: int, seconds: Callable[[], float], *, aims: bool = True) -> dict:
    """Run everything once for the caches, then *runs* times in turn.

    Parameters
    ----------
    seconds
        A clock: what is slow is run once only, but ours and what the aim compares it with.
    aims
        Whether to judge.

    Raises
    ------
    CannotRunError
        Ours could not run.
    """
    every = [_Series(entry) for entry in (row.ours, *row.beside)]
    judged = every[: 2 if row.aim and (row.aim.beside or row.aim.faster) else 1]
    for series in every:
        started = seconds()
        series.take()
        if series.fault and series is every[0]:
            raise CannotRunError(series.fault)
        if series not in judged and seconds() - started > SLOW_S:
            series.again = False
        elif not series.fault:
            series.values.clear()
    for _ in range(runs):  # in turn, so that the machine's moods hit all
        for series in every:
            if series.again:
                series.take()
    ours, *others = every
    if not ours.values:
        raise CannotRunError(ours.fault)
    missing = {**row.missing, **{s.entry.name: s.fault for s in others if s.fault}}
    return {
        "title": row.title,
        "unit": row.unit,
        "ours": ours.as_dict(),
        "beside": [
            {**s.as_dict(), "ratio": ratio(ours.values, s.values)} for s in others if s.values
        ],
        "aim": row.aim.text if row.aim else "",
        "met": _met(row, ours, others) if aims else None,
        "missing": missing,
    }


def _met(row: Row, ours: _Series, others: Sequence[_Series]) -> bool | None:
    if row.aim is None:
        return None
    needs_floor = row.aim.beside or row.aim.faster
    if needs_floor and not (others and others[0].values):
        return None
    return row.aim.met(ours.values, others[0].values if others else ())


def summary(values: Sequence[float]) -> dict[str, Any]:
    """Give the three numbers of a series, and the values themselves."""
    if not values:
        return {"runs": 0}
    return {
        "runs": len(values),
        "min": min(values),
        "median": statistics.median(values),
        "max": max(values),
        "values": list(values),
    }


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Give the median ratio of runs side by side, or of medians where one ran less."""
    if len(ours) != len(theirs):
        return statistics.median(ours) / statistics.median(theirs)
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
