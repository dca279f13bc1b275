"""``cyto du``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cyto.cli.options import json_option, output_argument

if TYPE_CHECKING:
    from cyto.engine.inventory import Item

_EPILOG = """\b
Examples:
  cyto du results
  cyto du results --json
"""
_ROWS = {
    ("result", True): "older results",
    ("chunks", False): "chunks of results that are half there",
    ("chunks", True): "older chunks",
    ("channel", False): "decoded channels",
    ("channel", True): "older decoded channels",
    ("export", False): "exported results",
    ("export", True): "older exported results",
    ("log", False): "logs",
    ("jobs", True): "job folders",
    ("record", False): "records of runs",
    ("half-written", True): "half-written",
}


@click.command("du", epilog=_EPILOG)
@output_argument
@json_option
def command(output_dir: str, as_json: bool) -> int:
    """Show what takes the room in OUTPUT_DIR, which is ./output if not given.

    What is called older, job folders and what is half-written go with cyto clean.
    """
    from cyto.engine.inventory import take_inventory

    items = take_inventory(Path(output_dir).absolute())
    if as_json:
        _print_json(items)
    else:
        _print(items)
    return 0


def _print_json(items: Sequence[Item]) -> None:
    import json

    listed = [
        {
            "kind": item.kind,
            "name": item.name,
            "size": item.size,
            "used": item.used,
            "stale": item.stale,
            "paths": [str(path) for path in item.paths],
        }
        for item in items
    ]
    here = sum(item.size for item in items if item.kind != "cache")
    click.echo(json.dumps({"size": here, "items": listed}, indent=2))


def _print(items: Sequence[Item]) -> None:
    from rich.console import Console
    from rich.table import Table

    from cyto.core.units import format_memory

    table = Table(pad_edge=False)
    table.add_column("what", overflow="fold")
    table.add_column("number", justify="right")
    table.add_column("room", justify="right")
    current = [item for item in items if item.kind == "result" and not item.stale]
    for item in sorted(current, key=lambda item: -item.size):
        table.add_row(f"result of {item.name}", "1", format_memory(item.size))
    for (kind, stale), words in _ROWS.items():
        some = [item.size for item in items if (item.kind, item.stale) == (kind, stale)]
        if some:
            table.add_row(words, str(len(some)), format_memory(sum(some)))
    here = sum(item.size for item in items if item.kind != "cache")
    table.add_section()
    table.add_row("together", "", format_memory(here))
    for item in items:
        if item.kind == "cache":
            table.add_row(f"cache of all pipelines: {item.name}", "", format_memory(item.size))
    Console().print(table)
