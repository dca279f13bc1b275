"""``cyto report``."""

from __future__ import annotations

import click

from cyto.cli.options import run_argument

_EPILOG = """\b
Examples:
  cyto report                    of the latest run in ./output
  cyto report /scratch/try1
  cyto report 20261103-141502-9c1e

\b
Every run leaves its report when it ends; this makes it again, such as after a newer pyCyto was
installed, for a run whose driver was lost, or for one that still goes on.
"""


@click.command("report", epilog=_EPILOG)
@run_argument
def command(run: str) -> int:
    """Make the page about a run, report.html; it needs no network."""
    from cyto.cli.running import near
    from cyto.engine.runs import find_run
    from cyto.report.page import write_report

    click.echo(near(write_report(find_run(run))))
    return 0
