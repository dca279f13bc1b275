"""What a run was, gathered from its record, the store and the plan, for its crate."""

from __future__ import annotations

import glob
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cyto.core.layout import RunLayout
from cyto.engine.fingerprint import identity_of
from cyto.engine.plan import Node, Plan
from cyto.engine.record import Event, read_events
from cyto.engine.store import Entry, Store
from cyto.errors import CytoError

_BEGIN = {"node_started", "chunk_started", "submitted", "adopted"}
Span = tuple[float | None, float | None]


@dataclass(frozen=True, kw_only=True)
class Product:
    """One value that a node made.

    Parameters
    ----------
    node, key, kind
        Whose it is, its name and its kind.
    files
        What was exported of it for people; empty where it is in the store alone.
    text
        What is in it, in words.
    identifier
        What the store knows it by.
    """

    node: str
    key: str
    kind: str
    files: tuple[Path, ...] = ()
    text: str = ""
    identifier: str = ""


@dataclass(frozen=True, kw_only=True)
class NodeFacts:
    """How one node ended.

    Parameters
    ----------
    node
        The node as planned.
    outcome, message
        As in its report; ``unfinished`` where the record has none.
    span
        When it began and ended, in seconds since the epoch; a result that was there already has
        the times of the run that made it, while that run's record is there.
    made_by
        The run that computed the result; empty where there is none.
    host
        The machine that computed it.
    image
        Identity of its environment, such as an image's digest.
    code
        Digest of the task's source.
    versions
        Of the libraries that the task used.
    cpu_s, peak_bytes
        What it used.
    products
        What it made.
    """

    node: Node
    outcome: str = "unfinished"
    message: str = ""
    span: Span = (None, None)
    made_by: str = ""
    host: str = ""
    image: str = ""
    code: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    cpu_s: float = 0.0
    peak_bytes: int = 0
    products: tuple[Product, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether its result is there."""
        return self.outcome in {"succeeded", "cached"}


@dataclass(frozen=True, kw_only=True)
class RunFacts:
    """What a run was.

    Parameters
    ----------
    layout, plan
        Its files and what was to be done.
    started, finished
        The events that began and ended it; *finished* is ``None`` when it was cut short.
    nodes
        In the plan's order.
    """

    layout: RunLayout
    plan: Plan
    started: Event
    finished: Event | None
    nodes: tuple[NodeFacts, ...]

    @property
    def state(self) -> str:
        """``done``, ``failed``, ``stopped`` or ``cut short``."""
        if self.finished is None:
            return "cut short"
        return {0: "done", 130: "stopped"}.get(self.finished["exit_code"], "failed")


def gather_facts(plan: Plan, layout: RunLayout) -> RunFacts:
    """Read what a run was."""
    events = list(read_events(layout.record))
    ends = {event["node"]: event for event in events if event["event"] == "node_finished"}
    store = Store(layout.store)
    entries = {name: _entry(store, end) for name, end in ends.items()}
    spans = _Spans(layout, events)
    identities = _Identities()
    nodes = [
        _node(node, ends.get(name), entries.get(name), spans, identities.of)
        for name, node in plan.nodes.items()
    ]
    finished = next((event for event in events if event["event"] == "run_finished"), None)
    return RunFacts(
        layout=layout, plan=plan, started=events[0], finished=finished, nodes=tuple(nodes)
    )


def _entry(store: Store, end: Event) -> Entry | None:
    try:
        return store.look(str(end["key"])) if end.get("key") else None
    except ValueError:  # damaged since; the next run makes it anew
        return None


def _node(
    node: Node,
    end: Event | None,
    entry: Entry | None,
    spans: _Spans,
    identity: Callable[[Node], str],
) -> NodeFacts:
    facts: Mapping[str, Any] = entry.facts if entry is not None else {}
    parts = facts.get("parts") or {}
    end = end or {}
    made_by = str(facts.get("run", ""))
    return NodeFacts(
        node=node,
        outcome=end.get("outcome", "unfinished"),
        message=end.get("message", ""),
        span=spans.of(node.name, made_by),
        made_by=made_by,
        host=facts.get("host", ""),
        image=parts.get("environment") or identity(node),
        code=parts.get("code", ""),
        versions=facts.get("versions") or {},
        cpu_s=facts.get("cpu_s") or end.get("cpu_s", 0.0),
        peak_bytes=end.get("peak_bytes", 0),
        products=tuple(_products(node, end, entry)) if entry is not None else (),
    )


class _Identities:
    """Digests of the images of nodes that made nothing, each asked for once."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str | None], str] = {}

    def of(self, node: Node) -> str:
        key = node.placement.environment, node.placement.image
        if key not in self._known:
            try:
                self._known[key] = identity_of(node.placement)
            except (CytoError, OSError):  # what failed may be just that
                self._known[key] = ""
        return self._known[key]


def _products(node: Node, end: Event, entry: Entry) -> Iterator[Product]:
    found = {finding["key"]: finding for finding in end.get("findings", ())}
    for key, ref in entry.outputs.items():
        finding = found.get(key, {})
        files = tuple(_files(Path(finding["path"]))) if finding else ()
        yield Product(
            node=node.name,
            key=key,
            kind=ref.kind,
            files=files,
            text=finding.get("text", ""),
            identifier=f"{entry.key}.{key}",
        )


def _files(exported: Path) -> Iterator[Path]:
    """Give the files of one exported result: a Parquet beside it, a network's for each frame."""
    stem, _, number = exported.stem.rpartition("_")
    if exported.suffix == ".adjlist" and number.isdigit():
        yield from sorted(exported.parent.glob(f"{glob.escape(stem)}_*.adjlist"))
        return
    beside = exported.with_suffix(".parquet")
    yield from (path for path in (exported, beside) if path.exists())


class _Spans:
    """When nodes began and ended, in this run and in the runs that made what it used again."""

    def __init__(self, layout: RunLayout, events: list[Event]) -> None:
        self._output_dir = layout.output_dir
        self._id = layout.run_id
        self._known = {layout.run_id: _spans(events)}

    def of(self, node: str, made_by: str) -> Span:
        run_id = made_by or self._id
        if run_id not in self._known:
            record = RunLayout(self._output_dir, run_id).record
            self._known[run_id] = _spans(read_events(record)) if record.exists() else {}
        return self._known[run_id].get(node, (None, None))


def _spans(events: Iterator[Event] | list[Event]) -> dict[str, Span]:
    begun: dict[str, float] = {}
    spans: dict[str, Span] = {}
    for event in events:
        if event["event"] in _BEGIN:
            for name in event.get("nodes") or [event["node"]]:
                begun.setdefault(name, event["time"])
        elif event["event"] == "node_finished" and event["node"] in begun:
            spans[event["node"]] = begun[event["node"]], event["time"]
    return spans
