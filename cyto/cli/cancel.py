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
    from cyto.engine.lock import is_driven
    from cyto.engine.view import read_view

    layout = runs.find_run(run)
    view = read_view(layout)
    if view.finished:
        click.echo(f"run {layout.run_id} has ended already")
        return 0
    if not view.driven:
        count = runs.cancel_lost(layout)
        click.echo(f"run {layout.run_id} had lost its driver; {count} submissions were cancelled")
        return 0
    runs.ask_to_stop(layout)
    end = time.monotonic() + _PATIENCE_S
    while is_driven(layout):
        if time.monotonic() > end:
            click.echo(f"run {layout.run_id} was asked to stop and has not done so yet", err=True)
            return 1
        time.sleep(0.2)
    state = read_view(layout).state
    click.echo(f"run {layout.run_id} {'was stopped' if state == 'stopped' else f'is {state}'}")
    return 0
