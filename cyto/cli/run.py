"""``cyto run``."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import click

from cyto.cli.options import json_option, planning_options, print_problems
from cyto.errors import ConfigError

if TYPE_CHECKING:
    from cyto.engine.outcomes import RunReport
    from cyto.engine.plan import Plan

_EPILOG = """\b
Examples:
  cyto run pipeline.yaml
  cyto run pipeline.yaml --profile local --jobs 1 -v
  cyto run pipeline.yaml --set tasks.tcell_segmentation.params.diameter=30
  cyto run pipeline.yaml --only tcell_features -o /scratch/try1

\b
Exit codes: 0 done, 1 a task failed, 2 the files are wrong, 3 something needed is missing,
130 stopped.
"""


@click.command("run", epilog=_EPILOG)
@planning_options
@click.option("-j", "--jobs", type=click.IntRange(1), metavar="N", help="At most N nodes at once.")
@click.option("--fail-fast", is_flag=True, help="Stop everything at the first failure.")
@click.option("-v", "--verbose", is_flag=True, help="Show what tools print, with the node's name.")
@json_option
def command(
    pipeline: str,
    profile: str | None = None,
    resources: str | None = None,
    output_dir: str | None = None,
    overrides: tuple[str, ...] = (),
    only: tuple[str, ...] = (),
    jobs: int | None = None,
    fail_fast: bool = False,
    verbose: bool = False,
    as_json: bool = False,
) -> int:
    """Run a pipeline; what was done before is not done again."""
    from cyto.engine.checks import check_plan
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
    for warning in plan.warnings:
        click.echo(f"warning: {warning}", err=True)
    check_plan(plan)
    report = _run(plan, jobs, fail_fast, verbose)
    _show(report, as_json)
    return report.exit_code


def _run(plan: Plan, jobs: int | None, fail_fast: bool, verbose: bool) -> RunReport:
    from rich.console import Console

    from cyto.engine.durability import full_disk_explained
    from cyto.engine.manager import TaskManager
    from cyto.report.follow import LogFollower
    from cyto.report.terminal import RunPrinter

    with ExitStack() as stack:
        printer = stack.enter_context(RunPrinter(Console(stderr=True)))
        listeners = [printer]
        if verbose:
            listeners.append(stack.enter_context(LogFollower(printer.say)))  # type: ignore[arg-type]
        manager = TaskManager(plan, jobs=jobs, fail_fast=fail_fast, listeners=tuple(listeners))
        stack.enter_context(full_disk_explained(plan.output_dir))
        return manager.run()


def _show(report: RunReport, as_json: bool) -> None:
    if as_json:
        import json
        from dataclasses import asdict

        data = {**asdict(report), "output_dir": str(report.output_dir)}
        click.echo(json.dumps({**data, "exit_code": report.exit_code}, indent=2))
        return
    from rich.console import Console

    from cyto.report.terminal import print_report

    print_report(Console(), report)
