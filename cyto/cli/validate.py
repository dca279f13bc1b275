"""``cyto validate``."""

from __future__ import annotations

import click

from cyto.cli.options import json_option, planning_options, print_problems
from cyto.errors import ConfigError

_EPILOG = """\b
Examples:
  cyto validate pipeline.yaml
  cyto validate pipeline.yaml --profile container --json
"""


@click.command("validate", epilog=_EPILOG)
@planning_options
@json_option
def command(
    pipeline: str,
    profile: str | None,
    resources: str | None,
    output_dir: str | None,
    overrides: tuple[str, ...],
    only: tuple[str, ...],
    as_json: bool,
) -> int:
    """Check a pipeline, its resources, tasks, parameters and images; runs nothing."""
    from cyto.engine.planning import make_plan

    try:
        plan = make_plan(
            pipeline,
            resources=resources,
            profile=profile,
            overrides=overrides,
            output_dir=output_dir,
            only=only,
        )
    except ConfigError as error:
        if not as_json:
            raise
        print_problems(False, error.problems)
        return error.exit_code
    if as_json:
        print_problems(True, plan.warnings)
        return 0
    for warning in plan.warnings:
        click.echo(f"warning: {warning}", err=True)
    click.echo(f"{plan.pipeline.name}: {len(plan.nodes)} nodes, all right")
    return 0
