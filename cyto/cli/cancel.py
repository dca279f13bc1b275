"""``cyto cancel``."""

from __future__ import annotations

import time

import click

from cyto.cli.options import run_argument

_EPILOG = """\b
Examples:
  cyto cancel                    the latest run in ./output
  cyto cancel /scratch/try1
"""
_PATIENCE_S = 120.0


@click.command("cancel", epilog=_EPILOG)
@run_argument
def command(run: str) -> int:
    """Stop a run from any shell: its processes, containers and Slurm jobs; results stay."""
    from cyto.engine import runs

    layout = runs.find_run(run)
    state = runs.read_run(layout)
    if state.finished is not None:
        click.echo(f"run {layout.run_id} has ended already")
        return 0
    if not state.driven:
        count = runs.cancel_lost(layout)
        click.echo(f"run {layout.run_id} had lost its driver; {count} submissions were cancelled")
        return 0
    runs.ask_to_stop(layout)
    end = time.monotonic() + _PATIENCE_S
    while time.monotonic() < end:
        state = runs.read_run(layout)
        if state.state != "running":
            word = "was stopped" if state.state == "stopped" else f"is {state.state}"
            click.echo(f"run {layout.run_id} {word}")
            return 0
        time.sleep(0.2)
    click.echo(f"run {layout.run_id} was asked to stop and has not done so yet", err=True)
    return 1
