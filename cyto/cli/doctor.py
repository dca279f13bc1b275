"""``cyto doctor``."""

from __future__ import annotations

import click

from cyto.cli.options import json_option

_EPILOG = """\b
Examples:
  cyto doctor
  cyto doctor --image cellpose:latest --runner docker
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
@json_option
def command(image: str | None, runner: str | None, python: str, as_json: bool) -> int:
    """Say what this machine can run tasks with, and what to do where it cannot.

    Exits with 3 when the image that --image names cannot run tasks.
    """
    from cyto.engine.doctor import check_image, check_machine

    if image is None:
        findings, code = check_machine(), 0
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
