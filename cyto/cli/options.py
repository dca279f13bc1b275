"""Options that several commands share."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from cyto.errors import Problem

if TYPE_CHECKING:
    from cyto.engine.plan import Plan

_Function = TypeVar("_Function", bound=Callable[..., Any])

_PLANNING = (
    click.argument("pipeline", metavar="PIPELINE"),
    click.option("--profile", metavar="NAME", help="Execution profile; wins over the files."),
    click.option("--resources", metavar="FILE", help="Resources file, instead of the one beside."),
    click.option("-o", "--output-dir", metavar="DIR", help="Where results go."),
    click.option(
        "--set",
        "overrides",
        multiple=True,
        metavar="KEY=VALUE",
        help="Change one value: --set tasks.X.params.diameter=30, --set channels.tcell.path=a.tif. "
        "Can be given again.",
    ),
    click.option(
        "--only",
        multiple=True,
        metavar="NODE",
        help="This node and what it needs; SAMPLE/NODE for one sample; again for more.",
    ),
    click.option(
        "--sample", multiple=True, metavar="NAME", help="This sample alone; again for more."
    ),
)
_FRESH = (
    click.option(
        "--force",
        multiple=True,
        metavar="NODE",
        help="Compute this node again, and none that depends on it; again for more.",
    ),
    click.option(
        "--from",
        "since",
        multiple=True,
        metavar="NODE",
        help="Compute this node again, and all that depend on it; again for more.",
    ),
)


def _here() -> str:
    """Name the output folder that is meant where none is named."""
    return "." if Path(".cyto").is_dir() else "output"


run_argument = click.argument("run", metavar="[RUN]", default=_here)
output_argument = click.argument("output_dir", metavar="[OUTPUT_DIR]", default=_here)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for a program.")


def print_warnings(plan: Plan) -> None:
    """Print what is odd, and which samples have faults that leave the others alone."""
    for warning in plan.warnings:
        click.echo(f"warning: {warning}", err=True)
    for fault in plan.faults.values():
        click.echo(f"error: {fault}", err=True)


def print_problems(valid: bool, problems: Iterable[Problem]) -> None:
    """Print what is wrong with the files as JSON."""
    listed = [vars(problem) for problem in problems]
    click.echo(json.dumps({"valid": valid, "problems": listed}, indent=2))


def planning_options(function: _Function) -> _Function:
    """Add the options that say which pipeline, and how."""
    for decorate in reversed(_PLANNING):
        function = decorate(function)
    return function


def fresh_options(function: _Function) -> _Function:
    """Add the options that say what is computed although it was done before."""
    for decorate in reversed(_FRESH):
        function = decorate(function)
    return function
