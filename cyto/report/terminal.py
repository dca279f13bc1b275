"""A run on the terminal: live where there is one, plain lines elsewhere, tables at the end."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

from cyto.core.units import format_duration, format_memory
from cyto.engine.outcomes import Outcome, RunReport
from cyto.engine.record import Event

_STYLE = {
    "succeeded": "green",
    "cached": "cyan",
    "failed": "bold red",
    "skipped": "yellow",
    "cancelled": "yellow",
}
_SIGN = {"succeeded": "✓", "cached": "=", "failed": "✗", "skipped": "-", "cancelled": "!"}


class RunPrinter:
    """Show the events of a run as they come.

    Use it as a context manager, and call it with every event.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress: Progress | None = None
        self._overall: TaskID | None = None
        self._tasks: dict[str, TaskID] = {}
        self._nodes: dict[str, dict[str, object]] = {}
        self._done = 0

    def __enter__(self) -> RunPrinter:
        if self._console.is_terminal:
            self._progress = Progress(
                SpinnerColumn(),
                TextColumn("{task.description}"),
                BarColumn(bar_width=24),
                TextColumn("{task.fields[note]}"),
                TimeElapsedColumn(),
                console=self._console,
                transient=True,
            )
            self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._progress is not None:
            self._progress.stop()

    def __call__(self, event: Event) -> None:
        """Show one event."""
        handler = getattr(self, f"_on_{event['event']}", None)
        if handler is not None:
            handler(event)

    def say(self, node: str, line: str) -> None:
        """Show one line that a node's tool printed."""
        self._console.print(f"[dim]{escape(node)} |[/dim] {escape(line)}", highlight=False)

    def _on_run_started(self, event: Event) -> None:
        self._nodes = event["nodes"]
        self._line(
            f"run {event['run']}: {len(self._nodes)} nodes, profile {event['profile']} "
            f"({event['profile_reason']}), output in {event['output_dir']}"
        )
        if self._progress is not None:
            self._overall = self._progress.add_task("all nodes", total=len(self._nodes), note="")

    def _on_node_started(self, event: Event) -> None:
        node = event["node"]
        place = _place(self._nodes[node])
        if self._progress is None:
            self._line(f"  > {node}: started on {place}")
            return
        old = self._tasks.get(node)
        if old is not None:
            self._progress.remove_task(old)
        self._tasks[node] = self._progress.add_task(f"  {escape(node)}", total=None, note=place)

    def _on_node_split(self, event: Event) -> None:
        node, count, left = event["node"], event["chunks"], event["left"]
        place = _place(self._nodes[node])
        if self._progress is None:
            done = f", {count - left} of them done before" if count > left else ""
            self._line(f"  > {node}: started on {place} in {count} chunks{done}")
            return
        self._tasks[node] = self._progress.add_task(
            f"  {escape(node)}", total=count, completed=count - left, note=place
        )

    def _on_chunk_finished(self, event: Event) -> None:
        if self._progress is not None and event["node"] in self._tasks and not event["reason"]:
            self._progress.advance(self._tasks[event["node"]])

    def _on_submitted(self, event: Event) -> None:
        nodes, count = event["nodes"], event["elements"]
        named = nodes[0] if len(nodes) == 1 else f"{nodes[0]} and {len(nodes) - 1} more"
        array = f", an array of {count}" if count > 1 else ""
        self._line(f"  > {named}: submitted as job {event['job']}{array}")
        self._begin_on_cluster(nodes, event["requests"])

    def _on_adopted(self, event: Event) -> None:
        self._line(f"  > {event['node']}: goes on with job {event['job']}")
        self._begin_on_cluster([event["node"]], event["requests"])

    def _on_waiting(self, event: Event) -> None:
        if event["text"]:
            self._line(f"  . job {event['job']}: {event['text']}")

    def _begin_on_cluster(self, nodes: list[str], requests: int) -> None:
        for node in nodes if self._progress is not None else ():
            if node not in self._tasks and self._progress is not None:
                total = requests if len(nodes) == 1 and requests > 1 else None
                self._tasks[node] = self._progress.add_task(
                    f"  {escape(node)}", total=total, note=_place(self._nodes[node])
                )

    def _on_attempt_failed(self, event: Event) -> None:
        self._line(f"  ! {event['node']}: attempt {event['attempt'] + 1}: {event['message']}")

    def _on_node_finished(self, event: Event) -> None:
        self._done += 1
        node, outcome = event["node"], event["outcome"]
        width = len(str(len(self._nodes)))
        text = f"[{self._done:>{width}}/{len(self._nodes)}] {_SIGN[outcome]} {node}: {outcome}"
        if outcome == "succeeded":
            text += f" in {format_duration(event['wall_s'])}"
        if event["message"]:
            text += f": {event['message']}"
        self._line(text, _STYLE[outcome])
        if self._progress is not None:
            if node in self._tasks:
                self._progress.remove_task(self._tasks.pop(node))
            if self._overall is not None:
                self._progress.advance(self._overall)

    def _line(self, text: str, style: str = "") -> None:
        self._console.print(escape(text), style=style, highlight=False, soft_wrap=True)


def print_report(console: Console, report: RunReport) -> None:
    """Print what was found, then what failed, then one line that sums up."""
    findings = [(node, found) for node in report.nodes.values() for found in node.findings]
    if findings:
        table = _table("Found", "node", "what", "found")
        for node, found in findings:
            table.add_row(node.node, found.key, escape(found.text))
        console.print(table)
        console.print("[bold]Files[/bold]")
        for _, found in findings:  # whole, so that they can be copied
            console.print(f"  {_short(found.path)}", highlight=False, soft_wrap=True)
    failed = [node for node in report.nodes.values() if node.outcome is Outcome.FAILED]
    if failed:
        table = _table("Failed", "node", "why", "log")
        for node in failed:
            table.add_row(node.node, escape(node.message), _short(node.log))
        console.print(table)
    console.print(_summary(report), highlight=False, soft_wrap=True)


def _summary(report: RunReport) -> str:
    counts = {o: sum(n.outcome is o for n in report.nodes.values()) for o in Outcome}
    if counts[Outcome.CACHED] == len(report.nodes):
        return f"Nothing was left to do: all {len(report.nodes)} nodes were done before."
    parts = [f"{count} {outcome.value}" for outcome, count in counts.items() if count]
    memory = max((node.peak_bytes for node in report.nodes.values()), default=0)
    end = {0: "Done", 130: "Stopped"}.get(report.exit_code, "Ended")
    peak = f", at most {format_memory(memory)} in one node" if memory else ""
    return f"{end} in {format_duration(report.wall_s)}: {', '.join(parts)}{peak}."


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _place(node: dict[str, object]) -> str:
    image = f" {node['image']}" if node.get("image") else ""
    launcher = "" if node.get("launcher", "local") == "local" else f"{node['launcher']}, "
    return f"{launcher}{node['environment']}{image}"


def _short(path: str) -> str:
    """Give a path relative to the current folder when it lies below it."""
    here = Path.cwd()
    full = Path(path)
    return escape(str(full.relative_to(here) if full.is_relative_to(here) else full))
