"""``cyto wait``."""

from __future__ import annotations

import time

import click

from cyto.cli.options import json_option, run_argument
from cyto.errors import RunLockedError

_EPILOG = """\b
Examples:
  cyto wait                      the latest run in ./output
  cyto wait /scratch/try1 && cyto plan pipeline.yaml

\b
A run whose driver was lost (a login node restarted, kill -9) is taken up again: jobs that are
still in the cluster's queue are gone on with, and what was done is not done again.
"""


@click.command("wait", epilog=_EPILOG)
@run_argument
@click.option("-v", "--verbose", is_flag=True, help="Show what tools print, with the node's name.")
@json_option
def command(run: str, verbose: bool, as_json: bool) -> int:
    """Follow a run to its end, and exit as it does; take up one that lost its driver."""
    from rich.console import Console

    from cyto.cli import running
    from cyto.engine.runs import find_run, follow_events, report_of
    from cyto.report.terminal import RunPrinter

    layout = find_run(run)
    while True:
        with RunPrinter(Console(stderr=True)) as printer:
            ended = follow_events(layout, printer)
        if ended:
            report = report_of(layout)
            running.show(report, as_json)
            return report.exit_code
        click.echo(f"run {layout.run_id} has lost its driver and is taken up again", err=True)
        try:
            plan, report = running.take_up(layout, verbose)
            break
        except RunLockedError:  # somebody else was quicker: follow what they do
            time.sleep(0.5)
            layout = find_run(str(layout.output_dir))
    running.show(report, as_json)
    running.keep_provenance(plan, report)
    return report.exit_code
