"""The program ``cyto``."""

from __future__ import annotations

import importlib
import os
import sys
import traceback

import click

from cyto._version import VERSION
from cyto.errors import CytoError

_COMMANDS = (
    "run", "rerun", "status", "wait", "cancel", "view", "validate", "plan", "du", "clean", "doctor",
    "tasks", "build", "schema", "sample",
)  # fmt: skip
_EPILOG = """\b
Examples:
  cyto sample demo                          simulate an assay to play with
  cyto run pipelines/pipeline.quickstart.yaml
  cyto plan pipeline.yaml --profile hybrid  what would run, where, and why
  cyto doctor                               what this machine can run
"""


class _Commands(click.Group):
    """Load a command's module when it is asked for, so that starting costs nothing."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"cyto.cli.{cmd_name}").command
        return command


@click.group(
    cls=_Commands,
    invoke_without_command=True,
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(VERSION, prog_name="cyto")
@click.option("-p", "--pipeline", metavar="FILE", help="Run this pipeline, as 'cyto run' does.")
@click.option("--profile", metavar="NAME", help="With --pipeline: the execution profile.")
@click.option("-v", "--verbose", is_flag=True, help="With --pipeline: show what tools print.")
@click.pass_context
def cli(ctx: click.Context, pipeline: str | None, profile: str | None, verbose: bool) -> None:
    """Live-cell microscopy of immune cells killing cancer cells, turned into numbers.

    A pipeline file says what to compute; a resources file beside it says where each task runs.
    """
    if ctx.invoked_subcommand is not None:
        if pipeline:
            raise click.UsageError(f"--pipeline does not go with {ctx.invoked_subcommand!r}")
        return
    if pipeline is None:
        click.echo(ctx.get_help())
        return
    from cyto.cli.run import command

    ctx.invoke(command, pipeline=pipeline, profile=profile, verbose=verbose)


def main(argv: list[str] | None = None) -> None:
    """Run the program and exit: 0 done, 1 a task failed, 2 bad input, 3 something is missing."""
    sys.exit(_run(argv))


def _run(argv: list[str] | None) -> int:
    try:
        code = cli.main(args=argv, prog_name="cyto", standalone_mode=False)
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("stopped", err=True)
        return 130
    except CytoError as error:
        click.echo(f"error: {error}", err=True)
        return error.exit_code
    except BrokenPipeError:  # the reader, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # noqa: BLE001 - people read errors, not tracebacks
        _own_fault(error)
        return 70
    return code if isinstance(code, int) else 0


def _own_fault(error: Exception) -> None:
    if os.environ.get("CYTO_DEBUG"):
        traceback.print_exc()
    click.echo(
        f"error: pyCyto itself failed: {type(error).__name__}: {error}\n"
        "    this is a fault of pyCyto; CYTO_DEBUG=1 shows where, for a report",
        err=True,
    )
