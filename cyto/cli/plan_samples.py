"""What `cyto plan` shows of a pipeline that runs once per sample."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from cyto.engine.plan import plain_name

if TYPE_CHECKING:
    from rich.console import Console

    from cyto.engine.plan import Node, Plan, Source

_SHOWN = 40


def once_per_node(plan: Plan) -> dict[str, Node]:
    """Give each node once, as the pipeline file names it, whatever the number of samples."""
    if not plan.samples:
        return dict(plan.nodes)
    found: dict[str, Node] = {}
    for node in plan.nodes.values():
        name = plain_name(node.name)
        if name not in found:
            found[name] = replace(
                node,
                name=name,
                inputs={key: _plain(source) for key, source in node.inputs.items()},
                dependencies=tuple(dict.fromkeys(map(plain_name, node.dependencies))),
            )
    return found


def _plain(source: Source) -> Source:
    return replace(source, name=plain_name(source.name))


def print_samples(console: Console, plan: Plan) -> None:
    """Print the first samples with their conditions, and what is wrong with their images."""
    from rich.markup import escape
    from rich.table import Table

    faults: dict[str, str] = {}
    for name, fault in plan.faults.items():
        faults.setdefault(name.partition("/")[0], fault.message)
    conditions = list(next(iter(plan.samples.values())))
    table = Table(pad_edge=False)
    for title in ("sample", *conditions, *(("fault",) if faults else ())):
        table.add_column(escape(title), overflow="fold")
    for name, given in list(plan.samples.items())[:_SHOWN]:
        cells = [name, *("" if given[c] is None else str(given[c]) for c in conditions)]
        table.add_row(*map(escape, [*cells, *([faults.get(name, "")] if faults else [])]))
    console.print(table)
    if len(plan.samples) > _SHOWN:
        console.print(f"and {len(plan.samples) - _SHOWN} more samples; --json lists all")
