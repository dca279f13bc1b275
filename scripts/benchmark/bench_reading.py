"""What the scaling's measurements say: speed-up, efficiency, and what limits them."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

GOOD = 0.85
"""An efficiency from here on is called good."""


@dataclass(frozen=True, kw_only=True)
class Point:
    """One stage at one number of workers; all of them medians but *least* and *most*.

    Parameters
    ----------
    workers, pieces
        N, and how many parts can be worked on at the same time.
    seconds, least, most
        From the first node's start to the last one's end.
    speedup, efficiency
        Over the first number of workers; efficiency is the share of the ideal.
    task_s
        Sum of the tasks' own times.
    cpu_s
        Sum of their processor times.
    """

    workers: int
    pieces: int
    seconds: float
    least: float
    most: float
    speedup: float
    efficiency: float
    task_s: float
    cpu_s: float


def points(
    measurements: Sequence[Mapping[str, Any]], pieces: Mapping[str, int]
) -> dict[str, list[Point]]:
    """Summarise by stage, in the order of the measurements, then by workers."""
    found: dict[str, list[Point]] = {}
    for stage in dict.fromkeys(m["stage"] for m in measurements):
        mine = [m for m in measurements if m["stage"] == stage]
        workers = sorted({m["workers"] for m in mine})
        first = _median(mine, workers[0], "seconds")
        found[stage] = [_point(mine, n, workers[0], first, pieces[stage]) for n in workers]
    return found


def _point(
    mine: Sequence[Mapping[str, Any]], workers: int, fewest: int, first: float, pieces: int
) -> Point:
    times = [m["seconds"] for m in mine if m["workers"] == workers]
    speedup = first / statistics.median(times)
    return Point(
        workers=workers,
        pieces=pieces,
        seconds=statistics.median(times),
        least=min(times),
        most=max(times),
        speedup=speedup,
        efficiency=speedup * fewest / workers,
        task_s=_median(mine, workers, "task_s"),
        cpu_s=_median(mine, workers, "cpu_s"),
    )


def _median(mine: Sequence[Mapping[str, Any]], workers: int, key: str) -> float:
    return statistics.median(m[key] for m in mine if m["workers"] == workers)


def what_limits(line: Sequence[Point], cpus: int | None) -> str:
    """Say in a sentence what keeps a stage from the ideal.

    Parameters
    ----------
    line
        A stage's points.
    cpus
        Cores that all workers share; ``None`` on a cluster.
    """
    if len(line) == 1:
        return "one number of workers says nothing about scaling"
    first = line[0]
    fair = [point for point in line if cpus is None or point.workers <= cpus]
    if len(fair) < 2:
        return f"this machine has {cpus} cores: more workers find none free"
    last = fair[-1]
    beyond = (
        f"; beyond {cpus} workers this machine has no cores" if fair[-1] is not line[-1] else ""
    )
    if min(point.seconds for point in line) <= 0:
        return "too short to measure"
    said = f"efficiency {last.efficiency:.0%} at {last.workers} workers"
    if last.efficiency >= GOOD:
        return f"{said}: good{beyond}"
    return f"{said}: {_reason(first, last)}{beyond}"


def _reason(first: Point, last: Point) -> str:
    """Share out the time that workers had and did not turn into work, and name the largest."""
    had = last.workers * last.seconds
    ideal = first.workers * first.seconds
    lost = had - ideal
    even = -(-last.pieces // last.workers) * last.workers / last.pieces
    uneven = ideal * (even - 1)
    more = max(0.0, last.cpu_s - first.cpu_s)
    slower = max(0.0, last.task_s - first.task_s - more)
    rest = max(0.0, lost - uneven - more - slower)
    causes = {
        f"there are {last.pieces} pieces, which {last.workers} workers cannot share evenly": uneven,
        "tasks compute longer: each worker loads its libraries, and caches are shared": more,
        "tasks wait for cores, memory or disk that others use": slower,
        "workers wait: until they have started, for each other's results, for the engine": rest,
    }
    cause, share = max(causes.items(), key=lambda item: item[1])
    return f"mostly {cause} ({share / lost:.0%} of the loss)" if lost > 0 else cause
