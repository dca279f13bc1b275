"""``cyto build``."""

from __future__ import annotations

import click

_EPILOG = """\b
Examples:
  cyto build tasks                                  the image of all light tasks
  cyto build cellpose --runner apptainer            containers/images/cellpose.sif
  cyto build cellpose -- --build-arg DEVICE=gpu     what follows -- goes to docker build
  cyto build tasks --runner apptainer -- --from-docker cyto-tasks:latest
"""


@click.command("build", epilog=_EPILOG)
@click.argument("tool", metavar="TOOL")
@click.argument("arguments", nargs=-1)
@click.option(
    "--runner",
    type=click.Choice(["docker", "podman", "apptainer"]),
    default="docker",
    show_default=True,
    help="What to build for.",
)
@click.option("--tag", metavar="NAME", help="Name of the image, or path of the SIF.")
@click.option("--dry-run", is_flag=True, help="Print the command and run nothing.")
def command(
    tool: str, arguments: tuple[str, ...], runner: str, tag: str | None, dry_run: bool
) -> int:
    """Build the container image of a tool, from a checkout's containers/ folder."""
    import shlex

    from cyto.runners.building import build_command
    from cyto.runners.process import run_visible

    argv, folder = build_command(tool, runner, tag=tag, arguments=arguments)  # type: ignore[arg-type]
    click.echo(shlex.join(argv), err=not dry_run)
    return 0 if dry_run else run_visible(argv, folder=folder)
