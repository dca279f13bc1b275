"""``cyto status``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cyto.cli.options import json_option, run_argument

if TYPE_CHECKING:
    from cyto.engine.view import NodeView, RunView

_EPILOG = """\b
Examples:
  cyto status                    the latest run in ./output
  cyto status /scratch/try1
  cyto status 20261103-141502-9c1e

\b
Exit codes: 0 running or done, 1 a task failed, 3 its driver was lost, 130 stopped.
"""
_CODES = {"running": 0, "done": 0, "failed": 1, "lost": 3, "stopped": 130}


@click.command("status", epilog=_EPILOG)
@run_argument
@json_option
def command(run: str, as_json: bool) -> int:
    """Show how far a run is, on this machine or on the cluster."""
    from cyto.engine.runs import find_run
    from cyto.engine.view import read_view

    view = read_view(find_run(run))
    if as_json:
        import json

        facts = {"run": view.layout.run_id, "output_dir": str(view.layout.output_dir)}
        nodes = {name: _facts(node) for name, node in view.nodes.items()}
        click.echo(json.dumps({**facts, "state": view.state, "nodes": nodes}, indent=2))
    else:
        _print(view)
    return _CODES[view.state]


def _facts(node: NodeView) -> dict[str, object]:
    counts = {"done": node.done, "total": node.total}
    return {"state": node.state, **counts, "jobs": node.jobs, "text": _text(node)}


def _text(node: NodeView) -> str:
    """Say what a node waits for, or how it ended."""
    return str(node.end.get("message", "")) or node.text


def _print(view: RunView) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    host, pid = view.started["host"], view.started["pid"]
    words = {
        "running": f"is running (pid {pid} on {host})",
        "lost": f"has lost its driver (pid {pid} on {host}); 'cyto wait' goes on with it",
        "done": "is done",
        "failed": "has ended, with failures",
        "stopped": "was stopped",
    }[view.state]
    console.print(f"run {view.layout.run_id} {words}", highlight=False, soft_wrap=True)
    table = Table(pad_edge=False)
    for title in ("node", "state", "chunks", "jobs", ""):
        table.add_column(title, overflow="fold")
    for name, node in view.nodes.items():
        table.add_row(name, node.state, _chunks(node), " ".join(node.jobs), _text(node))
    console.print(table)


def _chunks(node: NodeView) -> str:
    return f"{node.done}/{node.total}" if node.total else ""
