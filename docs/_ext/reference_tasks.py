"""One section per task: its docstring, parameters with units, inputs and outputs."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

from reference_words import code, plain, table
from sphinx.ext.napoleon import Config, NumpyDocstring

from cyto.engine.tasks import shipped_tasks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cyto.task import Parameter, PipelineTask, Port

_NAPOLEON = Config(napoleon_use_param=True, napoleon_use_rtype=False)


def tasks_of(package: str) -> list[type[PipelineTask]]:
    """Give the shipped tasks of ``cyto.<package>``."""
    home = f"cyto.{package}."
    return [cls for cls in shipped_tasks() if cls.__module__.startswith(home)]


def task_table() -> str:
    """Give one line for every task, linked to its section."""
    rows = []
    for cls in shipped_tasks():
        page = cls.__module__.split(".")[1]
        link = f"[{code(cls.__name__)}](tasks-{page}.md#{cls.__name__.lower()})"
        rows.append((link, plain(_summary(cls)), code(f"{cls.__module__}.{cls.__name__}")))
    return table(("task", "what it does", "`module:` in a pipeline"), rows)


def tasks_page(package: str) -> str:
    """Give the sections of one package's tasks."""
    return "\n\n".join(_section(cls) for cls in tasks_of(package))


def _section(cls: type[PipelineTask]) -> str:
    first, _, rest = (inspect.getdoc(cls) or "").partition("\n")
    path = code(f"{cls.__module__}.{cls.__name__}")
    parts = [f"## {cls.__name__}", plain(first), f"{path}. {_facts(cls)}"]
    if cls.parameters:
        rows = [_parameter(name, p) for name, p in cls.parameters.items()]
        parts.append(table(("parameter", "type", "default", "unit", "meaning"), rows))
    parts.append(_ports("input", cls.inputs, cls.more_inputs))
    parts.append(_ports("output", cls.outputs, cls.more_outputs))
    text = str(NumpyDocstring(rest.strip("\n"), _NAPOLEON, what="class"))
    parts.append(f"````{{eval-rst}}\n{text}\n````")
    return "\n\n".join(part for part in parts if part)


def _facts(cls: type[PipelineTask]) -> str:
    needs = ", ".join(code(name) for name in cls.libraries) or "nothing but Python"
    frames = "may be shared out in chunks (`batch_size`)" if cls.framewise else "stay together"
    return f"Imports {needs}. Its frames {frames}."


def _parameter(name: str, parameter: Parameter) -> tuple[str, ...]:
    default = "must be given" if parameter.required else code(repr(parameter.default))
    kind = code(parameter.type_name)
    return code(name), kind, default, plain(parameter.unit), plain(parameter.help)


def _ports(side: str, ports: Mapping[str, Port], more: Port | None) -> str:
    named = [(code(key), port) for key, port in ports.items()]
    if more is not None:
        named.append(("any other key", more))
    rows = []
    for key, port in named:
        kind = code(port.kind) + (", may be left out" if port.optional else "")
        columns = ", ".join(code(name) for name in port.columns)
        tail = f". Columns: {columns}" if columns else ""
        rows.append((key, kind, plain(port.help) + tail))
    return table((side, "kind", "meaning"), rows) if rows else ""


def _summary(cls: type) -> str:
    return (inspect.getdoc(cls) or "").partition("\n")[0]
