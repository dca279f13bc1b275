"""A run as its record tells it, event by event: what every page and plot is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cyto.core.layout import RunLayout
from cyto.engine.lock import is_driven
from cyto.engine.outcomes import ending
from cyto.engine.plan import plain_name
from cyto.engine.record import Event, read_events
from cyto.errors import UnavailableError


@dataclass(kw_only=True)
class Span:
    """One stretch of work: a node, an attempt or a chunk of it.

    Parameters
    ----------
    begin, end
        Seconds since the epoch; *end* is ``None`` while it runs.
    frames
        The chunk's first frame and the one after its last; ``None`` for a whole node.
    chunk, attempt
        Which one.
    host, worker
        Where; *host* is empty for the driver's own machine.
    ok
        Whether it succeeded, as far as known.
    job
        Its job folder.
    """

    begin: float
    end: float | None = None
    frames: tuple[int, int] | None = None
    chunk: int | None = None
    attempt: int = 0
    host: str = ""
    worker: str = ""
    ok: bool = True
    job: str = ""


@dataclass(kw_only=True)
class NodeView:
    """What is known of a node so far.

    Parameters
    ----------
    index, name
        Its place in the run's order, and its name.
    facts
        What ``run_started`` says of it.
    state
        ``waiting``, ``running``, ``submitted``, ``lost``, or its outcome.
    end
        Its ``node_finished`` event; empty before.
    spans
        What ran of it, in this run.
    jobs
        Slurm's numbers.
    text
        What it waits for.
    done, total
        Chunks; 0 where it runs as a whole.
    attempts
        The messages of attempts that were not the last.
    script
        What was submitted to the cluster.
    """

    index: int
    name: str
    facts: Mapping[str, Any]
    state: str = "waiting"
    end: Mapping[str, Any] = field(default_factory=dict)
    finished: float | None = None
    spans: list[Span] = field(default_factory=list)
    jobs: list[str] = field(default_factory=list)
    text: str = ""
    done: int = 0
    total: int = 0
    attempts: list[str] = field(default_factory=list)
    script: str = ""

    @property
    def plain(self) -> str:
        """The name that the pipeline file has for it."""
        return plain_name(self.name)

    @property
    def sample(self) -> str:
        """Its sample; empty for none."""
        return self.name.rpartition("/")[0]

    @property
    def begun(self) -> float | None:
        """When it began, as far as known."""
        return min((span.begin for span in self.spans), default=None)


class RunView:
    """What the record of a run says, up to the last event that was added.

    Parameters
    ----------
    layout
        The run's files, where they are now.
    """

    def __init__(self, layout: RunLayout) -> None:
        self.layout = layout
        self.started: Mapping[str, Any] = {}
        self.finished: Mapping[str, Any] = {}
        self.driven = True
        self.nodes: dict[str, NodeView] = {}
        self.channels: dict[str, Mapping[str, Any]] = {}
        self.last = 0.0

    @property
    def state(self) -> str:
        """``running``, ``lost``, ``done``, ``failed`` or ``stopped``."""
        if not self.finished:
            return "running" if self.driven else "lost"
        return ending(self.finished["exit_code"])

    def moved(self, path: str) -> Path:
        """Give the place where a path of the output folder is now: the folder may have moved."""
        was = Path(str(self.started.get("output_dir", "")))
        named = Path(path)
        if named.is_absolute() and named.is_relative_to(was):
            return self.layout.output_dir / named.relative_to(was)
        return named

    def add(self, event: Event) -> set[str]:
        """Take in one event; give the names of the nodes that it changes."""
        self.last = max(self.last, float(event.get("time", 0.0)))
        handler = getattr(self, f"_on_{event.get('event')}", None)
        names: set[str] | None = handler(event) if handler is not None else None
        return names or set()

    def end_lost(self) -> None:
        """Mark what was left running when the driver was lost."""
        for node in self.nodes.values():
            if node.state in {"running", "submitted"}:
                node.state = "lost"

    def _on_run_started(self, event: Event) -> set[str]:
        self.started = event
        self.nodes = {
            name: NodeView(index=index, name=name, facts=facts)
            for index, (name, facts) in enumerate(event["nodes"].items())
        }
        return set(self.nodes)

    def _on_run_finished(self, event: Event) -> None:
        self.finished = event

    def _on_channel_read(self, event: Event) -> None:
        self.channels[event["channel"]] = event["ref"]

    def _on_node_started(self, event: Event) -> set[str]:
        node = self.nodes[event["node"]]
        node.state = "running"
        self._close(node, None, event["time"])
        node.spans.append(_begun(event))
        return {node.name}

    def _on_node_split(self, event: Event) -> set[str]:
        node = self.nodes[event["node"]]
        node.state, node.total = "running", event["chunks"]
        node.done = node.total - event["left"]
        return {node.name}

    def _on_chunk_started(self, event: Event) -> set[str]:
        node = self.nodes[event["node"]]
        node.state = "running"
        self._close(node, event["chunk"], event["time"])
        node.spans.append(_begun(event))
        return {node.name}

    def _on_chunk_finished(self, event: Event) -> set[str]:
        node = self.nodes[event["node"]]
        span = _last(node, event["chunk"])
        if span is None or span.end is not None:  # on a cluster nobody says when it began
            span = _ended(event)
            node.spans.append(span)
        span.end, span.ok = event["time"], not event["reason"]
        span.frames = _pair(event.get("frames"))
        node.done += not event["reason"]
        return {node.name}

    def _on_job_finished(self, event: Event) -> set[str]:
        node = self.nodes[event["node"]]
        node.spans.append(_ended(event))
        return {node.name}

    def _on_attempt_failed(self, event: Event) -> set[str]:
        node = self.nodes[event["node"]]
        node.attempts.append(event["message"])
        if node.spans:
            node.spans[-1].ok = False
        return {node.name}

    def _on_submitted(self, event: Event) -> set[str]:
        for name in event["nodes"]:
            node = self.nodes[name]
            node.state, node.script = "submitted", event.get("script", "")
            node.jobs.append(event["job"])
            if len(event["nodes"]) == 1 and event["requests"] > 1:
                node.total = node.total or event["requests"]
        return set(event["nodes"])

    def _on_adopted(self, event: Event) -> set[str]:
        node = self.nodes[event["node"]]
        node.state = "submitted"
        node.jobs.append(event["job"])
        return {node.name}

    def _on_waiting(self, event: Event) -> set[str]:
        waiting = [node for node in self.nodes.values() if event["job"] in node.jobs]
        for node in waiting:
            node.text = event["text"]
        return {node.name for node in waiting}

    def _on_node_finished(self, event: Event) -> set[str]:
        node = self.nodes[event["node"]]
        node.state, node.end, node.finished = event["outcome"], event, event["time"]
        node.text = ""
        for span in node.spans:
            if span.end is None:
                span.end, span.ok = event["time"], event["outcome"] == "succeeded"
        return {node.name}

    @staticmethod
    def _close(node: NodeView, chunk: int | None, at: float) -> None:
        """End an attempt that another one follows."""
        span = _last(node, chunk)
        if span is not None and span.end is None:
            span.end, span.ok = at, False


def _begun(event: Event) -> Span:
    return Span(
        begin=event["time"],
        chunk=event.get("chunk"),
        attempt=event["attempt"],
        worker=event["worker"],
        job=event["job"],
    )


def _ended(event: Event) -> Span:
    """Make a span of work that is known by its end alone."""
    return Span(
        begin=event["time"] - event["wall_s"],
        end=event["time"],
        chunk=event.get("chunk"),
        host=event.get("host", ""),
        ok=not event["reason"],
        job=event.get("folder", ""),
    )


def _last(node: NodeView, chunk: int | None) -> Span | None:
    return next((span for span in reversed(node.spans) if span.chunk == chunk), None)


def _pair(frames: Any) -> tuple[int, int] | None:
    return (int(frames[0]), int(frames[1])) if frames else None


def read_view(layout: RunLayout) -> RunView:
    """Read what a run's record says so far.

    Raises
    ------
    UnavailableError
        The record does not begin as one.
    """
    view = RunView(layout)
    driven = is_driven(layout)
    for event in read_events(layout.record):
        if not view.started and event.get("event") != "run_started":
            break
        view.add(event)
    if not view.started:
        raise UnavailableError(f"{layout.record} does not say how the run began")
    view.driven = driven
    if view.finished or not driven:
        view.end_lost()
    return view
