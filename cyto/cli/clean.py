"""``cyto clean``."""

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
  cyto clean results                      what would go, and how much room that gives
  cyto clean results --yes
  cyto clean results --older 7d --yes     only what no run has used for a week
  cyto clean results --all --keep-outputs --yes    done: keep what is for people

\b
What goes: job folders of runs that ended; results that the last run of each pipeline does not
use, and channels decoded for them; exports of such results; what a kill left half-written.
With --all everything in .cyto, and the exports. Logs stay, and so does a file among the exports
that was changed since, or that pyCyto did not write.
"""


def _age(ctx: click.Context, param: click.Parameter, value: str | None) -> float:
    """Read ``7d`` or ``12h``; a bare number could mean anything."""
    from cyto.core.units import parse_duration

    if value is None:
        return 0.0
    try:
        if value.strip().replace(".", "").isdigit():
            raise ValueError
        return parse_duration(value)
    except ValueError:
        raise click.BadParameter(
            f"{value!r} is no age; write 7d, 12h or 30min", ctx, param
        ) from None


@click.command("clean", epilog=_EPILOG)
@output_argument
@click.option("--yes", is_flag=True, help="Remove it; without, only say what would go.")
@click.option(
    "--older", metavar="AGE", callback=_age, help="Only what was not used for so long: 7d, 12h."
)
@click.option("--keep-outputs", is_flag=True, help="Keep every exported result for people.")
@click.option("--all", "everything", is_flag=True, help="Remove what the last run uses, too.")
@json_option
def command(
    output_dir: str, yes: bool, older: float, keep_outputs: bool, everything: bool, as_json: bool
) -> int:
    """Remove what no run has a use for any more; says what would go unless --yes is given.

    Refuses while a run works in OUTPUT_DIR, which is ./output if not given.
    """
    from cyto.engine.cleaning import choose, remove
    from cyto.engine.inventory import check_output_dir, take_inventory
    from cyto.engine.lock import RunLock

    folder = Path(output_dir).absolute()
    with RunLock(check_output_dir(folder).lock):
        items = choose(
            take_inventory(folder), everything=everything, older_s=older, keep_outputs=keep_outputs
        )
        left = remove(items) if yes else []
    if as_json:
        _print_json(items, yes, left)
    else:
        _print(items, yes, left)
    return 1 if left else 0


def _print_json(items: Sequence[Item], removed: bool, left: Sequence[Path]) -> None:
    import json

    data = {
        "removed": removed,
        "size": sum(item.size for item in items),
        "items": [
            {"kind": i.kind, "name": i.name, "size": i.size, "paths": [str(p) for p in i.paths]}
            for i in items
        ],
        "left": [str(path) for path in left],
    }
    click.echo(json.dumps(data, indent=2))


def _print(items: Sequence[Item], removed: bool, left: Sequence[Path]) -> None:
    from cyto.core.units import format_memory

    for item in items:
        click.echo(f"{format_memory(item.size):>10}  {_WORDS[item.kind]}{item.name}")
    for path in left:
        click.echo(f"could not be removed: {path}", err=True)
    if not items:
        click.echo("Nothing to remove.")
        return
    size = format_memory(sum(item.size for item in items))
    if removed:
        click.echo(f"Removed {len(items)} things: {size}.")
    else:
        click.echo(f"Would remove {len(items)} things: {size}. Add --yes to do it.")


_WORDS = {
    "result": "result of ",
    "chunks": "chunks of a result that is half there, ",
    "channel": "decoded channel ",
    "export": "exported result of ",
    "jobs": "job folders of run ",
    "record": "record of run ",
    "half-written": "half-written ",
}
