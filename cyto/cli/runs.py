"""``cyto runs``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cyto.cli.options import json_option

if TYPE_CHECKING:
    from cyto.engine.listing import RunLine

_EPILOG = """\b
Examples:
  cyto runs                      all runs that are remembered, wherever they were
  cyto runs results              those of one output folder
"""
_STYLE = {"done": "green", "failed": "red", "running": "cyan", "lost": "yellow"}


@click.command("runs", epilog=_EPILOG)
@click.argument("output_dir", metavar="[OUTPUT_DIR]", required=False)
@click.option(
    "-n", "count", type=click.IntRange(1), default=20, show_default=True, help="At most so many."
)
@json_option
def command(output_dir: str | None, count: int, as_json: bool) -> int:
    """List runs, the newest first: id, pipeline, when, how it ended, how long it took."""
    from cyto.engine.inventory import check_output_dir
    from cyto.engine.listing import list_runs

    folder = None if output_dir is None else Path(output_dir).absolute()
    if folder is not None:
        check_output_dir(folder)
    every = list_runs(folder)
    lines = every[:count]
    if as_json:
        import json

        click.echo(json.dumps([vars(line) for line in lines], indent=2))
    else:
        _print(lines, folder)
        if len(every) > count:
            click.echo(f"the latest {count} of {len(every)}; -n shows more")
    return 0


def _print(lines: list[RunLine], folder: Path | None) -> None:
    import time

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from cyto.core.units import format_duration

    console = Console()
    if not lines:
        console.print(f"Nothing has run yet{f' in {folder}' if folder else ''}.")
        return
    table = Table(pad_edge=False)
    for title in ("run", "pipeline", "started", "ended", "took", "nodes"):
        table.add_column(title, overflow="fold", no_wrap=title in {"run", "ended", "took"})
    if folder is None:
        table.add_column("output", overflow="fold")
    for line in lines:
        table.add_row(
            line.run,
            Text(Path(line.pipeline).name),
            time.strftime("%Y-%m-%d %H:%M", time.localtime(line.started)),
            Text(line.state, _STYLE.get(line.state, "")),
            "" if line.wall_s is None else format_duration(line.wall_s),
            str(line.nodes),
            *([Text(line.output_dir)] if folder is None else []),
        )
    console.print(table)
