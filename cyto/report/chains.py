"""Which table of cells follows which, and where cells were left out on the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from cyto.report.tables import Table

Name = str
"""Of a node in the pipeline file."""


def is_of_cells(table: Table) -> bool:
    """Tell whether a table has one row per cell and frame."""
    return table.key == "dataframe" and table.has("frame", "label")


class Chains:
    """The tables of cells of a run, each with those that it was made of.

    Parameters
    ----------
    found
        All tables.
    feeds
        For each node those that make its inputs.
    """

    def __init__(self, found: Sequence[Table], feeds: Mapping[Name, set[Name]]) -> None:
        self._rows: dict[Name, dict[str, int | None]] = {}
        for table in filter(is_of_cells, found):
            self._rows.setdefault(table.node.plain, {})[table.node.sample] = table.rows
        self._before = {
            name: sorted(feeds.get(name, set()) & self._rows.keys()) for name in self._rows
        }

    def named(self, found: Sequence[Table]) -> list[Table]:
        """Give tables whose populations tell apart what are not the same cells.

        A node that left cells out, of a table or of the labels that it was made of, names them.
        """
        first: dict[str, Name] = {}
        named = []
        for table in found:
            population = table.population
            if is_of_cells(table):
                root = self._root(table.node.plain)
                whole = not self._before[root]
                if not whole or not self._same(first.setdefault(population, root), root):
                    population = f"{population}, {root}"
            named.append(replace(table, population=population))
        return named

    def last(self, found: Sequence[Table]) -> list[Table]:
        """Leave out tables that another of *found* follows with the same cells."""
        names = {table.node.plain for table in found} & self._before.keys()
        passed = {
            before for name in names for before in self._before[name] if self._same(before, name)
        }
        return [table for table in found if table.node.plain not in passed]

    def _root(self, name: Name) -> Name:
        """Name the first table of the same cells."""
        for before in self._before[name]:
            if self._same(before, name):
                return self._root(before)
        return name

    def _same(self, one: Name, other: Name) -> bool:
        """Tell whether both have the same cells, in all samples that have both."""
        return all(
            rows is None or self._rows[other].get(sample) in {None, rows}
            for sample, rows in self._rows[one].items()
        )
