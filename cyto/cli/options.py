"""Options that several commands share."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import click

from cyto.errors import Problem

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
        "--only", multiple=True, metavar="NODE", help="This node and what it needs; again for more."
    ),
)
run_argument = click.argument("run", metavar="[RUN]", default="output")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for a program.")


def print_problems(valid: bool, problems: Iterable[Problem]) -> None:
    """Print what is wrong with the files as JSON."""
    listed = [vars(problem) for problem in problems]
    click.echo(json.dumps({"valid": valid, "problems": listed}, indent=2))


def planning_options(function: _Function) -> _Function:
    """Add the options that say which pipeline, and how."""
    for decorate in reversed(_PLANNING):
        function = decorate(function)
    return function
