"""What former runs left in their records: which node had which result, and when."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cyto.core.layout import SAFE_NAME, RunLayout
from cyto.engine.record import Event

_HEAD = 96  # an event's name and time stand at the beginning of its line
_TIME = re.compile(rb'"time": ?(\d+(?:\.\d+)?)')


@dataclass(kw_only=True)
class History:
    """What the records of an output folder say.

    Parameters
    ----------
    results
        By pipeline file and node: the key of the newest result, for the nodes of each pipeline's
        last run, and of runs with ``--only`` after it.
    used
        When a run last had the result of that key, in seconds since the epoch.
    nodes
        Every node that ever ran.
    since
        When the oldest of the last runs began; 0 when there is none.
    cut
        Those of the last runs that were killed; what they did last may not be in their record.
    """

    results: dict[tuple[str, str], str] = field(default_factory=dict)
    used: dict[str, float] = field(default_factory=dict)
    nodes: set[str] = field(default_factory=set)
    since: float = 0.0
    cut: set[str] = field(default_factory=set)

    @property
    def current(self) -> set[str]:
        """Keys of the results that the same runs would use again."""
        return set(self.results.values())


def run_layouts(output_dir: Path) -> list[RunLayout]:
    """Give all runs that have a record, the newest first."""
    found = RunLayout(output_dir, "").runs.glob("*/events.jsonl")
    ordered = sorted(found, key=_began, reverse=True)
    return [RunLayout(output_dir, path.parent.name) for path in ordered]


def _began(record: Path) -> float:
    """Read when a run began: names tell the second alone, and copies lose the files' times."""
    with record.open("rb") as file:
        found = _TIME.search(file.read(_HEAD))
    return float(found[1]) if found else record.stat().st_mtime


def former_keys(output_dir: Path, nodes: Iterable[str]) -> tuple[dict[str, str], set[str]]:
    """Find the key of each node's newest result, reading no further back than needed.

    Returns
    -------
    Keys by node, and the nodes that only ever failed.
    """
    left, keys, failed = set(nodes), dict[str, str](), set[str]()
    for run in run_layouts(output_dir) if left else []:
        for event in _events(run.record, {"node_finished"}):
            name = str(event.get("node"))
            if name in left and event.get("key"):
                keys[name] = str(event["key"])
            elif name in left and event.get("outcome") == "failed":
                failed.add(name)
        left -= keys.keys()
        if not left:
            break
    return keys, failed - keys.keys()


def read_history(output_dir: Path) -> History:
    """Read all records of an output folder."""
    history = History()
    known: dict[str, set[str]] = {}
    whole: set[str] = set()
    for run in run_layouts(output_dir):
        pipeline, is_last, is_whole = "", False, False
        for event in _events(run.record, {"run_started", "node_finished", "run_finished"}):
            if event["event"] == "run_started":
                pipeline = Path(str(event.get("pipeline"))).name  # the project may have moved
                is_last, is_whole = pipeline not in whole, not event.get("only")
                _start(history, event, run.run_id, known.setdefault(pipeline, set()), is_last)
            elif event["event"] == "run_finished":
                history.cut.discard(run.run_id)
            elif event.get("key"):
                _finish(history, event, pipeline, known.get(pipeline, set()))
        if is_whole:
            whole.add(pipeline)
    return history


def _start(history: History, event: Event, run_id: str, known: set[str], is_last: bool) -> None:
    names = {name for name in event.get("nodes", ()) if _is_safe(name)}
    history.nodes |= names
    if is_last:
        known |= names
        history.cut.add(run_id)
        history.since = min(history.since or event["time"], event["time"])


def _is_safe(node: str) -> bool:
    """Tell whether a name is a node's, or a sample's and its node's."""
    parts = node.split("/")
    return len(parts) <= 2 and all(SAFE_NAME.fullmatch(part) for part in parts)


def _finish(history: History, event: Mapping[str, object], pipeline: str, known: set[str]) -> None:
    name, key = str(event["node"]), str(event["key"])
    if name in known:
        history.results.setdefault((pipeline, name), key)
    history.used[key] = max(history.used.get(key, 0.0), float(str(event["time"])))


def _events(record: Path, names: set[str]) -> Iterator[Event]:
    """Read the events of these names; a line that is not whole is as good as none."""
    with open(record, encoding="utf-8", errors="replace") as file:
        for line in file:
            if not any(f'"{name}"' in line[:_HEAD] for name in names):
                continue
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if isinstance(event, dict) and event.get("event") in names:
                yield event
