"""``cyto tasks``."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cyto.cli.options import json_option
from cyto.errors import ConfigError, Problem, TaskInputError, nearest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cyto.task import Parameter, PipelineTask, Port

_EPILOG = """\b
Examples:
  cyto tasks                                   list every task
  cyto tasks Watershed                         one task, by its name
  cyto tasks mylab.tasks.MyTask --json         your own, installed or in this folder
"""


@click.command("tasks", epilog=_EPILOG)
@click.argument("name", required=False)
@json_option
def command(name: str | None, as_json: bool) -> int:
    """List the tasks, or explain one: parameters, inputs, outputs."""
    from cyto.engine.tasks import shipped_tasks

    tasks = {cls.__name__: cls for cls in shipped_tasks()}
    chosen = list(tasks.values()) if name is None else [_find(name, tasks)]
    if as_json:
        import json

        click.echo(json.dumps([_facts(cls) for cls in chosen], indent=2))
    elif name is None:
        _print_list(chosen)
    else:
        _print_one(chosen[0])
    return 0


def _find(name: str, tasks: Mapping[str, type[PipelineTask]]) -> type[PipelineTask]:
    from cyto.task import PipelineTask, load_task

    if name in tasks:
        return tasks[name]
    hint = nearest(name, tasks, what="task")
    if "." in name:
        if (here := str(Path.cwd())) not in sys.path:
            sys.path.append(here)  # one's own lie beside the pipeline file
        try:
            cls = load_task(name)
        except TaskInputError as error:
            raise ConfigError([Problem(error.message, error.hint)]) from error
        if issubclass(cls, PipelineTask):
            return cls
        hint = "it is a plain class, which declares nothing"
    raise ConfigError([Problem(f"there is no task {name!r}", hint)])


def _print_list(tasks: list[type[PipelineTask]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(pad_edge=False)
    for title in ("task", "what it does", "module"):
        table.add_column(title, overflow="fold")
    for cls in tasks:
        table.add_row(cls.__name__, _summary(cls), path_of(cls))
    Console().print(table)


def _print_one(cls: type[PipelineTask]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    console.print(f"[bold]{path_of(cls)}[/bold]", highlight=False)
    console.print(escape(inspect.getdoc(cls) or ""), highlight=False)
    table = Table(title="Parameters", title_justify="left", pad_edge=False)
    for title in ("name", "type", "default", "unit", "meaning"):
        table.add_column(title, overflow="fold")
    for name, parameter in cls.parameters.items():
        default = "must be given" if parameter.required else repr(parameter.default)
        table.add_row(
            name,
            escape(parameter.type_name),
            escape(default),
            parameter.unit,
            escape(parameter.help),
        )
    console.print(table)
    for title, ports in (("Inputs", _inputs(cls)), ("Outputs", cls.outputs)):
        table = Table(title=title, title_justify="left", pad_edge=False)
        for column in ("key", "kind", "meaning"):
            table.add_column(column, overflow="fold")
        for key, port in ports.items():
            optional = " (optional)" if port.optional else ""
            table.add_row(escape(key), port.kind + optional, escape(port.help))
        console.print(table)


def _inputs(cls: type[PipelineTask]) -> dict[str, Port]:
    more = {"any other key": cls.more_inputs} if cls.more_inputs else {}
    return {**cls.inputs, **more}


def _facts(cls: type[PipelineTask]) -> dict[str, Any]:
    return {
        "task": path_of(cls),
        "summary": _summary(cls),
        "framewise": cls.framewise,
        "libraries": list(cls.libraries),
        "parameters": {name: _parameter(p) for name, p in cls.parameters.items()},
        "inputs": {key: vars(port) for key, port in cls.inputs.items()},
        "more_inputs": vars(cls.more_inputs) if cls.more_inputs else None,
        "outputs": {key: vars(port) for key, port in cls.outputs.items()},
    }


def _parameter(parameter: Parameter) -> dict[str, Any]:
    facts: dict[str, Any] = {"type": parameter.type_name, "required": parameter.required}
    if not parameter.required:
        facts["default"] = parameter.default
    return {**facts, "unit": parameter.unit, "help": parameter.help}


def _summary(cls: type) -> str:
    return (inspect.getdoc(cls) or "").partition("\n")[0]


def path_of(cls: type) -> str:
    """Give the dotted path that a pipeline names a task by."""
    return f"{cls.__module__}.{cls.__qualname__}"
