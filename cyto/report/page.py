"""The report of a run: made from its record, written where people find it."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cyto.core.layout import RunLayout
from cyto.engine.store import Store
from cyto.engine.view import NodeView, RunView, read_view
from cyto.report.data import environments_part, graph_part, node_part, run_part
from cyto.report.details import Details
from cyto.report.document import document
from cyto.report.tables import Tables

_NAMED = 5
_MARK = b'<meta name="generator" content="pyCyto '
_HEAD_BYTES = 4096


class Page:
    """The parts of a run's page, by name: ``run``, ``graph``, ``node:3``, ``pictures``.

    Parameters
    ----------
    view
        The run, which may go on.
    """

    def __init__(self, view: RunView) -> None:
        self.view = view
        self._details = Details(view, Store(view.layout.store))
        self._notes: dict[str, list[str]] = {}

    def parts(self) -> dict[str, Any]:
        """Give all parts."""
        found = {**self.graph(), **self.nodes(_failed_first(self.view)), **self.results()}
        return {**self.run(), **dict(sorted(found.items(), key=_in_order)), **self.about()}

    def run(self) -> dict[str, Any]:
        """Give what is said of the run as a whole."""
        notes = [note for notes in self._notes.values() for note in notes]
        short = self._details.short
        if short:
            more = f" and {len(short) - _NAMED} more" if len(short) > _NAMED else ""
            notes.append(f"logs of {', '.join(short[:_NAMED])}{more}")
        return {"run": run_part(self.view, notes)}

    def graph(self) -> dict[str, Any]:
        """Give the picture of the graph."""
        return {"graph": graph_part(self.view)}

    def nodes(self, nodes: Iterable[NodeView]) -> dict[str, Any]:
        """Give what is said of some nodes; details of those that ended."""
        parts: dict[str, Any] = {}
        for node in nodes:
            parts[f"node:{node.index}"] = node_part(self.view, node)
            parts[f"detail:{node.index}"] = self._details.of(node)
        return parts

    def results(self) -> dict[str, Any]:
        """Give plots and pictures of what there is so far."""
        return {"found": self._found(), "pictures": self._pictures()}

    def _found(self) -> dict[str, Any]:
        try:
            from cyto.report._plots import make_plots

            plots, figures, faults = make_plots(Tables(self.view, self._details))
        except Exception as error:  # noqa: BLE001 - a page without plots is better than none
            self._notes["plots"] = [f"plots: {type(error).__name__}: {error}"]
            return {"plots": [], "figures": []}
        self._notes["plots"] = faults
        return {"plots": [asdict(plot) for plot in plots], "figures": figures}

    def _pictures(self) -> dict[str, Any]:
        try:
            from cyto.report._movies import make_movies

            movies, left = make_movies(self.view, self._details)
        except Exception as error:  # noqa: BLE001 - as above
            self._notes["pictures"] = [f"pictures: {type(error).__name__}: {error}"]
            return {"movies": []}
        self._notes["pictures"] = left
        return {"movies": movies}

    def about(self) -> dict[str, Any]:
        """Give what tasks ran in."""
        return {"about": environments_part(self.view, self._details)}


def _failed_first(view: RunView) -> list[NodeView]:
    """Order the nodes so that those that failed have the page's room for their logs."""
    return sorted(view.nodes.values(), key=lambda node: node.state != "failed")


def _in_order(part: tuple[str, Any]) -> tuple[str, int]:
    kind, _, index = part[0].partition(":")
    return kind, int(index or 0)


def write_report(layout: RunLayout) -> Path:
    """Make the report of a run, in the run's own folder; that of the latest run is shown above.

    Returns
    -------
    The path that people are told: ``report.html`` in the output folder, if it is of this run. A
    file of that name that is no page of ours stays as it is.

    Raises
    ------
    UnavailableError
        The record does not say how the run began.
    OSError
        The file cannot be written.
    """
    return write_page(layout, Page(read_view(layout)).parts())


def write_page(layout: RunLayout, parts: Mapping[str, Any]) -> Path:
    """Write a page that was made."""
    text = document(parts)
    _replace(layout.own_report, text)
    later = (path.parent.name for path in layout.runs.glob("*/events.jsonl"))
    if any(run_id > layout.run_id for run_id in later) or not _is_ours(layout.report):
        return layout.own_report
    _share(layout.own_report, layout.report)
    return layout.report


def _is_ours(page: Path) -> bool:
    """Tell whether nothing is lost when *page* is replaced."""
    try:
        with page.open("rb") as file:
            return _MARK in file.read(_HEAD_BYTES)
    except FileNotFoundError:
        return True
    except OSError:
        return False


def _replace(path: Path, text: str) -> None:
    """Write a file that appears whole."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _share(path: Path, shown: Path) -> None:
    """Give a file a second name, or a copy where the file system has no hard links."""
    part = shown.with_name(f".{shown.name}.{secrets.token_hex(8)}.tmp")
    try:
        try:
            os.link(path, part)
        except OSError:
            shutil.copyfile(path, part)
        part.replace(shown)
    finally:
        with contextlib.suppress(FileNotFoundError):
            part.unlink()
