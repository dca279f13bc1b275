"""The driver of ``cyto run --detach``, in a process of its own."""

from __future__ import annotations

import json

import click

from cyto.cli.running import keep_provenance, plan_of, run_plan, show
from cyto.errors import CytoError


def main(run_id: str, asked: str) -> int:
    """Run what was asked under a name that is already told; give the exit code."""
    words = json.loads(asked)
    try:
        plan = plan_of(words)
        report = run_plan(plan, words, run_id=run_id)
    except CytoError as error:
        click.echo(f"error: {error}", err=True)
        return error.exit_code
    show(report, as_json=False)
    keep_provenance(plan, report)
    return report.exit_code
