"""Fill the reference pages from the code, so that they cannot say anything else.

A line ``<!-- generated: WHAT -->`` in a page is replaced, when Sphinx reads it, by what
`GENERATORS` gives for it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from reference_errors import errors_page
from reference_formats import format_page
from reference_tasks import task_table, tasks_page

if TYPE_CHECKING:
    from collections.abc import Callable

    import click
    from sphinx.application import Sphinx

GENERATORS: dict[str, Callable[..., str]] = {
    "format": format_page,
    "tasks": tasks_page,
    "task-table": task_table,
    "errors": errors_page,
}
_MARK = re.compile(r"^<!-- generated: (?P<words>[\w -]+) -->$", re.MULTILINE)


def filled(text: str) -> str:
    """Replace every mark in *text*."""

    def fill(match: re.Match[str]) -> str:
        name, *words = match["words"].split()
        return GENERATORS[name](*words)

    return _MARK.sub(fill, text)


def _on_source_read(app: Sphinx, docname: str, source: list[str]) -> None:  # noqa: ARG001
    source[0] = filled(source[0])


def _on_epilog(app: Sphinx, ctx: click.Context, lines: list[str]) -> None:  # noqa: ARG001
    """Show a command's examples as they are, in columns; sphinx-click would fold them."""
    shown: list[str] = []
    for part in (ctx.command.epilog or "").replace("\b\n", "").strip("\n").split("\n\n"):
        head, _, rest = part.partition("\n")
        examples = rest.startswith(" ")
        shown += [head, "", ".. code-block:: text", ""] if examples else [part.replace("\n", " ")]
        shown += [*(f"   {line.strip()}" for line in rest.splitlines() if examples), ""]
    lines[:] = shown


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension; what it reads is code, so nothing is taken from an older build."""
    app.connect("source-read", _on_source_read)
    app.connect("sphinx-click-process-epilog", _on_epilog)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
