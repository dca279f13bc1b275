"""Rows of a benchmark: timed in turn with what stands beside them, and printed."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

SLOW_S = 5.0
"""A reference whose first run takes longer is not run again."""


@dataclass(frozen=True)
class Work:
    """Something to time: *run* does it, *found* says in a few words what came out.

    One run is *frames* frames; times are of one. *rival*: whether others made it.
    """

    name: str
    run: Callable[[], Any]
    found: Callable[[Any], str] = lambda _: ""
    frames: int = 1
    rival: bool = True


@dataclass(frozen=True)
class Row:
    """One line of the issue's table: the task, its references, its aim."""

    title: str
    ours: Work
    references: Sequence[Work] = ()
    aim_ms: float | None = None
    aim_faster: float | None = None


@dataclass
class Timing:
    """Times of one work in ms, and how many times longer it took than the task did."""

    name: str
    found: str = ""
    ms: list[float] = field(default_factory=list)
    faster: float | None = None

    def as_dict(self) -> dict[str, Any]:
        numbers = {
            "runs": len(self.ms),
            "min_ms": min(self.ms),
            "median_ms": statistics.median(self.ms),
            "max_ms": max(self.ms),
        }
        more = {} if self.faster is None else {"faster": self.faster}
        return {"name": self.name, **numbers, **more, "found": self.found}


def measure(row: Row, runs: int, *, aims: bool = True) -> dict[str, Any]:
    """Time *row*: everything once for the caches, then *runs* times in turn."""
    works = [row.ours, *row.references]
    timings, again = [], []
    for work in works:
        timing = Timing(work.name)
        elapsed, result = _timed(work)
        timing.found = work.found(result)
        slow = work is not row.ours and elapsed > SLOW_S * 1000
        if slow:
            timing.ms.append(elapsed)
        else:
            again.append((work, timing))
        timings.append(timing)
    for _ in range(runs):  # in turn, so that the machine's moods hit all
        for work, timing in again:
            timing.ms.append(_timed(work)[0])
    for timing in timings[1:]:
        timing.faster = _ratio(timing.ms, timings[0].ms)
    ours, *others = (timing.as_dict() for timing in timings)
    return {
        "row": row.title,
        "ours": ours,
        "references": others,
        "aim": _aim(row),
        "met": _met(row, ours, others) if aims else None,
    }


def _timed(work: Work) -> tuple[float, Any]:
    started = time.perf_counter()
    result = work.run()
    return (time.perf_counter() - started) * 1000 / work.frames, result


def _ratio(theirs: list[float], ours: list[float]) -> float:
    """Give the median ratio of runs side by side, or of medians where one ran less."""
    if len(theirs) != len(ours):
        return statistics.median(theirs) / statistics.median(ours)
    return statistics.median(a / b for a, b in zip(theirs, ours, strict=True))


def _aim(row: Row) -> str:
    words = [] if row.aim_ms is None else [f"≤ {row.aim_ms:,.0f} ms"]
    if row.aim_faster is not None:
        words.append(f"≥ {row.aim_faster:g} ×")
    return ", ".join(words)


def _met(row: Row, ours: dict[str, Any], others: list[dict[str, Any]]) -> bool | None:
    """Judge medians; an aim in times is that over every rival."""
    verdicts = []
    if row.aim_ms is not None:
        verdicts.append(ours["median_ms"] <= row.aim_ms)
    if row.aim_faster is not None:
        rivals = [other for other, work in zip(others, row.references, strict=True) if work.rival]
        verdicts += [other["faster"] >= row.aim_faster for other in rivals]
    return all(verdicts) if verdicts else None


HEAD = f"{'ms':<46}{'min':>9}{'median':>9}{'max':>9}{'× ours':>9}   {'aim':<20}{'met':<5}found"


def lines(result: dict[str, Any]) -> list[str]:
    """Write one row: the task, and below it what was timed beside it."""
    verdict = {True: "yes", False: "NO", None: "–"}[result["met"]]
    aim = f"   {result['aim'] or '–':<20}{verdict:<5}"
    written = [_line(result["row"], result["ours"], aim)]
    written += [_line(f"    {other['name']}", other, " " * 28) for other in result["references"]]
    return written


def _line(title: str, timing: dict[str, Any], aim: str) -> str:
    numbers = "".join(f"{_short(timing[f'{name}_ms']):>9}" for name in ("min", "median", "max"))
    ratio = f"{_short(timing['faster'])}" if "faster" in timing else ""
    once = " (one run)" if timing["runs"] == 1 else ""
    return f"{title:<46}{numbers}{ratio:>9}{aim}{timing['found']}{once}".rstrip()


def _short(number: float) -> str:
    return (
        f"{number:,.0f}" if number >= 100 else f"{number:.1f}" if number >= 10 else f"{number:.2f}"
    )
