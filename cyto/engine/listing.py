"""Runs in a list: of one output folder, or all that the cache remembers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cyto.core.layout import RunLayout
from cyto.engine.history import run_layouts
from cyto.engine.lock import is_driven
from cyto.engine.outcomes import ending
from cyto.engine.record import Event, read_event
from cyto.engine.runs import remembered_layouts

_END = 4096  # the last event of a record is short


@dataclass(frozen=True, kw_only=True)
class RunLine:
    """One run in a list.

    Parameters
    ----------
    run, output_dir, pipeline
        Its id, its folder, and its pipeline file.
    started
        Seconds since the epoch.
    state
        ``running``, ``lost``, ``done``, ``failed`` or ``stopped``.
    wall_s
        How long it took; ``None`` where it has not ended.
    nodes
        How many it has.
    """

    run: str
    output_dir: str
    pipeline: str
    started: float
    state: str
    wall_s: float | None
    nodes: int


def list_runs(output_dir: Path | None) -> list[RunLine]:
    """Give the runs of an output folder, or with ``None`` all that are remembered and still there.

    Returns
    -------
    The newest first.

    Notes
    -----
    Reads the first and the last line of each record alone.
    """
    layouts: Iterable[RunLayout]
    layouts = remembered_layouts() if output_dir is None else run_layouts(output_dir)
    lines = [line for line in map(_line, layouts) if line is not None]
    return sorted(lines, key=lambda line: line.started, reverse=True)


def _line(layout: RunLayout) -> RunLine | None:
    ends = _ends(layout.record)
    if ends is None or ends[0].get("event") != "run_started":
        return None
    first, last = ends
    ended = last is not None and last.get("event") == "run_finished"
    return RunLine(
        run=layout.run_id,
        output_dir=str(layout.output_dir),
        pipeline=str(first.get("pipeline", "")),
        started=float(first["time"]),
        state=_state(layout, last if ended else None),
        wall_s=float(last["wall_s"]) if ended and last is not None else None,
        nodes=len(first.get("nodes", ())),
    )


def _state(layout: RunLayout, last: Event | None) -> str:
    if last is not None:
        return ending(last["exit_code"])
    # one run at a time works in a folder: the lock is that of the newest
    newest = next(iter(run_layouts(layout.output_dir)), None)
    return "running" if newest == layout and is_driven(layout) else "lost"


def _ends(record: Path) -> tuple[Event, Event | None] | None:
    """Read the first and the last event of a record."""
    try:
        with record.open("rb") as file:
            first = read_event(file.readline())
            size = file.seek(0, 2)
            file.seek(max(0, size - _END))
            tail = file.read()
    except OSError:
        return None
    lines = tail[: tail.rfind(b"\n")].splitlines()
    return None if first is None else (first, read_event(lines[-1]) if lines else None)
