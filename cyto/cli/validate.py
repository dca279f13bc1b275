"""``cyto validate``."""

from __future__ import annotations

import click

from cyto.cli.options import json_option, planning_options, print_problems, print_warnings
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
    sample: tuple[str, ...],
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
            sample=sample,
        )
    except ConfigError as error:
        if not as_json:
            raise
        print_problems(False, error.problems)
        return error.exit_code
    code = ConfigError.exit_code if plan.faults else 0
    if as_json:
        print_problems(not plan.faults, [*plan.faults.values(), *plan.warnings])
        return code
    print_warnings(plan)
    samples = f"{len(plan.samples)} samples, " if plan.samples else ""
    end = "all right" if not plan.faults else f"{len(plan.faults)} channels of samples have faults"
    click.echo(f"{plan.pipeline.name}: {samples}{len(plan.nodes)} nodes, {end}")
    return code
