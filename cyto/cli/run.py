"""``cyto run``."""

from __future__ import annotations

import click

from cyto.cli.options import fresh_options, json_option, planning_options, print_problems
from cyto.errors import ConfigError

_EPILOG = """\b
Examples:
  cyto run pipeline.yaml
  cyto run pipeline.yaml --profile local --jobs 1 -v
  cyto run pipeline.yaml --set tasks.tcell_segmentation.params.diameter=30
  cyto run pipeline.yaml --only tcell_features -o /scratch/try1
  cyto run pipeline.yaml --from tcell_segmentation    though it was done before
  cyto run pipeline.yaml --profile cluster --detach     then: cyto status, cyto wait

\b
Exit codes: 0 done, 1 a task failed, 2 the files are wrong, 3 something needed is missing,
130 stopped.
"""


@click.command("run", epilog=_EPILOG)
@planning_options
@fresh_options
@click.option("-j", "--jobs", type=click.IntRange(1), metavar="N", help="At most N nodes at once.")
@click.option("--fail-fast", is_flag=True, help="Stop everything at the first failure.")
@click.option("-v", "--verbose", is_flag=True, help="Show what tools print, with the node's name.")
@click.option("--detach", is_flag=True, help="Go on in the background; see cyto status and wait.")
@json_option
def command(
    pipeline: str,
    profile: str | None = None,
    resources: str | None = None,
    output_dir: str | None = None,
    overrides: tuple[str, ...] = (),
    only: tuple[str, ...] = (),
    force: tuple[str, ...] = (),
    since: tuple[str, ...] = (),
    sample: tuple[str, ...] = (),
    jobs: int | None = None,
    fail_fast: bool = False,
    verbose: bool = False,
    detach: bool = False,
    as_json: bool = False,
) -> int:
    """Run a pipeline; what was done before is not done again."""
    from cyto.cli import running

    asked = {
        "pipeline": running.absolute(pipeline),
        "resources": running.absolute(resources),
        "profile": profile,
        "overrides": list(overrides),
        "output_dir": running.absolute(output_dir),
        "only": list(only),
        "sample": list(sample),
        "force": list(force),
        "since": list(since),
        "jobs": jobs,
        "fail_fast": fail_fast,
    }
    try:
        plan = running.plan_of({**asked, "pipeline": pipeline, "resources": resources})
    except ConfigError as error:
        if not as_json:
            raise
        print_problems(False, error.problems)
        return error.exit_code
    if detach:
        run_id = running.detach(plan, asked)
        click.echo(
            f"run {run_id} goes on in the background; 'cyto status {plan.output_dir}' shows it, "
            "'cyto wait' follows it to its end, 'cyto cancel' stops it"
        )
        return 0
    report = running.run_plan(plan, asked, verbose=verbose)
    running.show(report, as_json)
    running.keep_provenance(plan, report)
    return report.exit_code
