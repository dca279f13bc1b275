"""``cyto status``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cyto.cli.options import json_option, run_argument

if TYPE_CHECKING:
    from cyto.engine.runs import NodeState, RunState

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
    from cyto.engine.runs import find_run, read_run

    state = read_run(find_run(run))
    if as_json:
        import json

        nodes = {name: vars(node) for name, node in state.nodes.items()}
        facts = {"run": state.layout.run_id, "output_dir": str(state.layout.output_dir)}
        click.echo(json.dumps({**facts, "state": state.state, "nodes": nodes}, indent=2))
    else:
        _print(state)
    return _CODES[state.state]


def _print(state: RunState) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    host, pid = state.started["host"], state.started["pid"]
    words = {
        "running": f"is running (pid {pid} on {host})",
        "lost": f"has lost its driver (pid {pid} on {host}); 'cyto wait' goes on with it",
        "done": "is done",
        "failed": "has ended, with failures",
        "stopped": "was stopped",
    }[state.state]
    console.print(f"run {state.layout.run_id} {words}", highlight=False, soft_wrap=True)
    table = Table(pad_edge=False)
    for title in ("node", "state", "chunks", "jobs", ""):
        table.add_column(title, overflow="fold")
    for name, node in state.nodes.items():
        table.add_row(name, node.state, _chunks(node), " ".join(node.jobs), node.text)
    console.print(table)


def _chunks(node: NodeState) -> str:
    return f"{node.done}/{node.total}" if node.total else ""
