"""``cyto doctor``."""

from __future__ import annotations

from pathlib import Path

import click

from cyto.cli.options import json_option

_EPILOG = """\b
Examples:
  cyto doctor
  cyto doctor --image cellpose:latest --runner docker
  cyto doctor --slurm --partition short --option account=lab
  cyto doctor --image containers/images/cellpose.sif --runner apptainer --json
"""


@click.command("doctor", epilog=_EPILOG)
@click.option("--image", metavar="NAME", help="Check that this image can run tasks.")
@click.option(
    "--runner",
    metavar="NAME",
    help="Environment of --image: docker, podman, apptainer; guessed from the name.",
)
@click.option(
    "--python", default="python3", show_default=True, help="Program that is Python in the image."
)
@click.option("--slurm", is_flag=True, help="Let a small job look around on a compute node.")
@click.option("--partition", "partitions", metavar="NAME", multiple=True, help="Of --slurm.")
@click.option(
    "--option",
    "options",
    metavar="NAME=VALUE",
    multiple=True,
    help="One more of sbatch that your site wants, such as account=lab.",
)
@click.option(
    "--wait",
    "limit_s",
    metavar="SECONDS",
    type=click.FloatRange(min=1),
    default=120.0,
    show_default=True,
    help="How long --slurm waits for each answer.",
)
@json_option
def command(
    image: str | None,
    runner: str | None,
    python: str,
    slurm: bool,
    partitions: tuple[str, ...],
    options: tuple[str, ...],
    limit_s: float,
    as_json: bool,
) -> int:
    """Say what this machine can run tasks with, and what to do where it cannot.

    With --slurm, run it in the folder that results will go to: the job looks for it. Exits with 3
    when what --image or --slurm asks about cannot run tasks.
    """
    from cyto.engine.doctor import check_image, check_machine, check_slurm

    if slurm or partitions or options:
        findings = check_slurm(partitions, _given(options), Path.cwd(), limit_s)
    elif image is None:
        findings = check_machine()
    else:
        chosen = runner or ("apptainer" if image.endswith(".sif") else "docker")
        findings = check_image(image, chosen, tuple(python.split()))
    code = 0 if all(finding.fine or not finding.needed for finding in findings) else 3
    if as_json:
        import json

        click.echo(json.dumps([vars(finding) for finding in findings], indent=2))
        return code
    for finding in findings:
        sign = click.style("✓", fg="green") if finding.fine else click.style("✗", fg="yellow")
        click.echo(f"{sign} {finding.name}: {finding.text}")
        if finding.hint:
            click.echo(f"    {finding.hint}")
    return code


def _given(options: tuple[str, ...]) -> dict[str, str]:
    """Read ``NAME=VALUE``; a name alone is a flag."""
    pairs = (option.lstrip("-").partition("=") for option in options)
    return {name: value for name, _, value in pairs}
