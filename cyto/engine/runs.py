"""Runs seen from outside their driver: found, read, asked to end, taken up again."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from cyto.core.layout import RunLayout, cache_folder
from cyto.engine.claims import Claims, withdraw
from cyto.engine.history import run_layouts
from cyto.engine.lock import is_driven
from cyto.engine.outcomes import Finding, NodeReport, Outcome, RunReport
from cyto.engine.record import Event, RunRecord, read_event, read_events
from cyto.engine.view import read_view
from cyto.errors import UnavailableError

_PAUSE_S = 0.2


def remember_run(layout: RunLayout, pipeline: Path) -> None:
    """Note where a run is, so that it can be named by its id; failing to is no reason to stop."""
    line = {"run": layout.run_id, "output_dir": str(layout.output_dir), "pipeline": str(pipeline)}
    try:
        path = cache_folder() / "runs.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
    except OSError:
        return


def find_run(named: str) -> RunLayout:
    """Find a run.

    Parameters
    ----------
    named
        An output folder, of which the latest run is meant; or a run's id.

    Raises
    ------
    UnavailableError
        There is no such run.
    """
    folder = Path(named).absolute()
    if (folder / ".cyto").is_dir():
        newest = next(iter(run_layouts(folder)), None)
        if newest is None:
            raise UnavailableError(f"nothing has run yet in {folder}")
        return newest
    for line in _remembered():
        if line.get("run") == named:
            layout = RunLayout(Path(line["output_dir"]), named)
            if layout.record.exists():
                return layout
    raise UnavailableError(
        f"there is no run {named!r}: it is neither an output folder nor the id of a run",
        hint="name the output folder, such as 'output', or an id that 'cyto run' printed",
    )


def remembered_layouts() -> list[RunLayout]:
    """Give the runs that the cache remembers and whose records are still there."""
    found = {}
    for line in _remembered():
        if {"run", "output_dir"} <= line.keys():
            layout = RunLayout(Path(str(line["output_dir"])), str(line["run"]))
            if layout.record.exists():
                found[layout.record] = layout
    return list(found.values())


def _remembered() -> Iterator[dict[str, Any]]:
    try:
        text = (cache_folder() / "runs.jsonl").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    for line in text.splitlines():
        known = read_event(line)
        if known is not None:
            yield known


def follow_events(layout: RunLayout, listener: Callable[[Event], None]) -> bool:
    """Hand every event of a run to *listener*, past and to come.

    Returns
    -------
    Whether the run ended; ``False`` when its driver was lost before.
    """
    place = 0
    while True:
        driven = is_driven(layout)  # asked first: what it wrote last is read after
        with layout.record.open("rb") as file:
            file.seek(place)
            text = file.read()
        whole = text[: text.rfind(b"\n") + 1]
        place += len(whole)
        for line in whole.splitlines():
            event = read_event(line)
            if event is None:
                continue
            listener(event)
            if event["event"] == "run_finished":
                return True
        if not driven:
            return False
        time.sleep(_PAUSE_S)


def report_of(layout: RunLayout) -> RunReport:
    """Make the report of a run from its record."""
    reports, names, end = {}, [], {}
    for event in read_events(layout.record):
        if event["event"] == "run_started":
            names = list(event["nodes"])
        elif event["event"] == "node_finished":
            reports[event["node"]] = _report(event)
        elif event["event"] == "run_finished":
            end = event
    return RunReport(
        run_id=layout.run_id,
        output_dir=layout.output_dir,
        nodes={name: reports[name] for name in names if name in reports},
        wall_s=end.get("wall_s", 0.0),
        stopped=end.get("stopped", True),
    )


def _report(event: Event) -> NodeReport:
    return NodeReport(
        node=event["node"],
        outcome=Outcome(event["outcome"]),
        message=event["message"],
        reason=event["reason"],
        log=event["log"],
        wall_s=event["wall_s"],
        cpu_s=event["cpu_s"],
        peak_bytes=event["peak_bytes"],
        findings=tuple(Finding(**found) for found in event["findings"]),
    )


def ask_to_stop(layout: RunLayout) -> None:
    """Ask the driver of a run, on whatever host, to stop everything."""
    layout.stop_request.touch()


def cancel_lost(layout: RunLayout) -> int:
    """Cancel what a lost driver left on the cluster, and end its record; give how many jobs.

    Raises
    ------
    UnavailableError
        The cluster does not answer.
    """
    view, claims = read_view(layout), Claims(layout.submissions)
    count = sum(withdraw(folder) for folder in claims.folders())
    claims.clear()
    record = RunRecord(layout.record)
    for name, node in view.nodes.items():
        if not node.end:
            report = NodeReport(node=name, outcome=Outcome.CANCELLED, message="was cancelled")
            record.write("node_finished", **report.as_event())
    record.write("run_finished", exit_code=130, stopped=True, wall_s=0.0)
    record.close()
    return count
