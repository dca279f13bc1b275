"""Runs seen from outside their driver: found, read, asked to end, taken up again."""

from __future__ import annotations

import fcntl
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cyto.core.layout import RunLayout, cache_folder
from cyto.engine.claims import Claims, withdraw
from cyto.engine.outcomes import Finding, NodeReport, Outcome, RunReport
from cyto.engine.record import Event, RunRecord, read_event, read_events
from cyto.errors import UnavailableError

_PAUSE_S = 0.2


@dataclass(kw_only=True)
class NodeState:
    """What the record says of a node so far.

    Parameters
    ----------
    state
        ``waiting``, ``running``, ``submitted``, or its outcome.
    done, total
        Chunks; 0 where it runs as a whole.
    jobs
        Slurm's numbers.
    text
        What it waits for, or why it failed.
    """

    state: str = "waiting"
    done: int = 0
    total: int = 0
    jobs: list[str] = field(default_factory=list)
    text: str = ""


@dataclass(kw_only=True)
class RunState:
    """What the record says of a run so far.

    Parameters
    ----------
    layout
        Its files.
    started
        The event that began it.
    nodes
        By name.
    finished
        The event that ended it; ``None`` while it goes on, or when its driver was lost.
    driven
        Whether a driver works in its folder.
    """

    layout: RunLayout
    started: Event
    nodes: dict[str, NodeState]
    finished: Event | None
    driven: bool

    @property
    def state(self) -> str:
        """``running``, ``lost``, ``done``, ``failed`` or ``stopped``."""
        if self.finished is None:
            return "running" if self.driven else "lost"
        return {0: "done", 130: "stopped"}.get(self.finished["exit_code"], "failed")


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
        runs = sorted(p.parent.name for p in (folder / ".cyto" / "runs").glob("*/events.jsonl"))
        if not runs:
            raise UnavailableError(f"nothing has run yet in {folder}")
        return RunLayout(folder, runs[-1])
    for line in _remembered():
        if line.get("run") == named:
            layout = RunLayout(Path(line["output_dir"]), named)
            if layout.record.exists():
                return layout
    raise UnavailableError(
        f"there is no run {named!r}: it is neither an output folder nor the id of a run",
        hint="name the output folder, such as 'output', or an id that 'cyto run' printed",
    )


def _remembered() -> Iterator[dict[str, Any]]:
    try:
        text = (cache_folder() / "runs.jsonl").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    for line in text.splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            continue


def is_driven(layout: RunLayout) -> bool:
    """Tell whether a driver, on any host that shares the files, works in the output folder."""
    try:
        with open(layout.lock, "a", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return False
    except OSError:
        return layout.lock.exists()


def read_run(layout: RunLayout) -> RunState:
    """Read what a run's record says so far.

    Raises
    ------
    UnavailableError
        The record does not begin as one.
    """
    driven = is_driven(layout)
    events = list(read_events(layout.record))
    if not events or events[0]["event"] != "run_started":
        raise UnavailableError(f"{layout.record} does not say how the run began")
    nodes = {name: NodeState() for name in events[0]["nodes"]}
    finished = None
    for event in events:
        if event["event"] == "run_finished":
            finished = event
        _note(event, nodes)
    return RunState(layout=layout, started=events[0], nodes=nodes, finished=finished, driven=driven)


def _note(event: Event, nodes: Mapping[str, NodeState]) -> None:
    kind, node = event["event"], nodes.get(event.get("node", ""))
    if kind == "submitted":
        for name in event["nodes"]:
            nodes[name].state = "submitted"
            nodes[name].jobs.append(event["job"])
            if len(event["nodes"]) == 1 and event["requests"] > 1:
                nodes[name].total = nodes[name].total or event["requests"]
    elif kind == "waiting":
        for each in nodes.values():
            if event["job"] in each.jobs:
                each.text = event["text"]
    elif node is None:
        return
    elif kind in {"node_started", "node_split"}:
        node.state, node.total = "running", event.get("chunks", 0)
        node.done = node.total - event.get("left", node.total)
    elif kind == "adopted":
        node.state = "submitted"
        node.jobs.append(event["job"])
    elif kind == "chunk_finished":
        node.done += not event["reason"]
    elif kind == "node_finished":
        node.state, node.text = event["outcome"], event["message"]


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
    state, claims = read_run(layout), Claims(layout.submissions)
    count = sum(withdraw(folder) for folder in claims.folders())
    claims.clear()
    record = RunRecord(layout.record)
    for name, node in state.nodes.items():
        if node.state in {"waiting", "running", "submitted"}:
            report = NodeReport(node=name, outcome=Outcome.CANCELLED, message="was cancelled")
            record.write("node_finished", **report.as_event())
    record.write("run_finished", exit_code=130, stopped=True, wall_s=0.0)
    record.close()
    return count
