"""``cyto rerun``."""

from __future__ import annotations

from pathlib import Path

import click

from cyto.cli.options import json_option

_EPILOG = """\b
Examples:
  cyto rerun results                         from the output folder of a run
  cyto rerun deposit.zip -o again
  cyto rerun results --set channels.tcell.path=/new/place/tcell.tif

\b
Exit codes: those of cyto run; 3 when inputs are missing or have other contents.
"""


@click.command("rerun", epilog=_EPILOG)
@click.argument("crate", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output-dir",
    metavar="DIR",
    default="rerun",
    type=click.Path(path_type=Path),
    help="Where results go; ./rerun if not given.",
)
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Change one value, as for cyto run; channels.X.path=… says where inputs are now.",
)
@click.option("--profile", metavar="NAME", help="Another execution profile than the recorded one.")
@click.option("-v", "--verbose", is_flag=True, help="Show what tools print, with the node's name.")
@json_option
def command(
    crate: Path,
    output_dir: Path,
    overrides: tuple[str, ...],
    profile: str | None,
    verbose: bool,
    as_json: bool,
) -> int:
    """Run again what CRATE records: the same files, parameters and profile.

    CRATE is a run's output folder, its ro-crate-metadata.json, or a zip of the folder. Says what is
    not as it was, and in the end which results are the same.
    """
    from cyto.cli import running
    from cyto.report.crate_reading import read_crate
    from cyto.report.crate_rerun import asked_again, check_inputs, compared, differences

    recorded = read_crate(crate)
    target = output_dir.absolute()
    if target == (crate if crate.is_dir() else crate.parent).absolute():
        raise click.UsageError("the results would go into the crate itself; name another -o DIR")
    check_inputs(recorded, overrides)
    asked = asked_again(recorded, target, overrides=overrides, profile=profile)
    plan = running.plan_of(asked)
    for line in differences(recorded, plan):
        click.echo(f"warning: {line}", err=True)
    report = running.run_plan(plan, asked, verbose=verbose)
    running.show(report, as_json)
    running.keep_provenance(plan, report)
    same, other = compared(recorded, target)
    click.echo(_verdict(same, other), err=True)
    return report.exit_code


def _verdict(same: list[str], other: list[str]) -> str:
    if not same and not other:
        return "the recorded run had exported no files to compare with"
    if not other:
        return f"all {len(same)} files are the same as in the recorded run, byte by byte"
    listed = "\n  ".join(other[:20])
    return f"{len(same)} of {len(same) + len(other)} files are the same; these are not:\n  {listed}"
