"""How long cells live, group by group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Optional

from cyto.errors import TaskInputError
from cyto.postprocessing._checks import (
    cell_columns,
    require_columns,
    require_finite,
    require_numbers,
    require_one_row,
)
from cyto.task import Param, PipelineTask, Port
from cyto.task.ports import CONTEXT_KEYS

if TYPE_CHECKING:
    from cyto._typing import TaskData


class Survival(PipelineTask):
    """Estimate survival curves by Kaplan and Meier, and compare groups by log-rank tests.

    The inputs are tables of `CellDeath`, freely named; each is a group of that name, as in
    ``inputs: {control: control_death.dataframe, treated: treated_death.dataframe}``. With
    ``group_column``, that column tells the groups instead. A cell is followed from its start to
    its death, or, censored, to the last frame in which it is seen. In a table with a column
    ``sample``, as of a node with ``collect``, a cell is a ``track_id`` of one sample, and
    ``group_column`` may be ``sample`` or one of its conditions.

    ``dataframe``, the curves, one row per group and time at which a cell died or was lost:
    ``group``, ``frames`` (since the start), ``survival``, ``lower``, ``upper`` (confidence band,
    pointwise), ``at_risk`` (cells followed up to then), ``deaths``, ``censored``.

    ``comparison``, one row per two groups: ``group_a``, ``group_b``, ``statistic`` (chi-squared,
    1 degree of freedom), ``p_value`` (two-sided, not corrected for several comparisons).

    ``summary``, one row per group: ``group``, ``cells`` (followed), ``deaths``, ``censored``,
    ``left_out`` (not followed: dead at their start, or without one), ``median_frames`` (missing
    when over half survive).

    ``lifetimes``, one row per cell followed: ``group``, ``sample`` (where there are), ``track_id``,
    ``start_frame``, ``frames``, ``died``.

    Times are in frames; beside them stand ``time_s`` and ``median_s`` where the frame interval is
    known.

    Parameters
    ----------
    group_column
        Column with the group of each cell (its first row counts); with several inputs, groups are
        then named ``<input>:<group>``. ``None``: each input is one.
    origin
        ``track``: time runs from the cell's first frame. ``movie``: only cells of the first frame
        (of their sample) are followed, so that time is the movie's.
    start_column
        Time runs from the first frame in which this column is true, as ``contact`` of
        `ResultTable`; cells for which it never is are left out. ``None``: see ``origin``.
    confidence
        Of the band, between 0 and 1.

    Raises
    ------
    TaskInputError
        No table; a column is missing or holds no numbers; a cell has two rows in a frame, or one
        that does not say whether it is alive; ``group_column`` is empty, or mixes numbers and
        texts.

    Notes
    -----
    The band is the exponential Greenwood interval of lifelines. Cells of one movie are not
    independent, as the test takes them to be; compare movies where you can. Grouping cells by
    what happens to them later, as by ever being touched, makes the group immortal until then: use
    ``start_column``. About 1 s for the first call, which imports lifelines.

    References
    ----------
    Kaplan and Meier, J. Am. Stat. Assoc. 53, 457 (1958), doi:10.1080/01621459.1958.10501452.
    Davidson-Pilon, J. Open Source Softw. 4, 1317 (2019), doi:10.21105/joss.01317 (lifelines).
    """

    group_column: Optional[str] = Param(
        None, help="column that tells the groups; null: each input is a group"
    )
    origin: Literal["track", "movie"] = Param(
        "track", help="where time begins: the cell's first frame, or the movie's"
    )
    start_column: Optional[str] = Param(
        None, help="time begins where this column is first true, as 'contact'"
    )
    confidence: float = Param(0.95, gt=0, lt=1, help="of the band around the curve")

    inputs: ClassVar[Mapping[str, Port]] = {}
    more_inputs: ClassVar[Port] = Port(
        "dataframe",
        "cells per frame, as of CellDeath; the key names the group",
        columns=("track_id", "frame", "alive"),
    )
    outputs: ClassVar[Mapping[str, Port]] = {
        "dataframe": Port(
            "dataframe", "the curves", columns=("group", "frames", "survival", "lower", "upper")
        ),
        "comparison": Port(
            "dataframe", "log-rank test of each two groups", columns=("group_a", "p_value")
        ),
        "summary": Port(
            "dataframe", "cells, deaths and median of each group", columns=("group", "cells")
        ),
        "lifetimes": Port(
            "dataframe", "one row per cell", columns=("group", "track_id", "frames", "died")
        ),
    }
    libraries: ClassVar[Sequence[str]] = ("lifelines",)

    def run_baremetal(self, data: TaskData) -> dict[str, Any]:
        """Follow the cells of every table given; gives the four tables."""
        from cyto.postprocessing._survival import Settings, analyse

        groups = self._groups({k: data[k] for k in data if k not in CONTEXT_KEYS})
        how = Settings(self.origin, self.start_column, self.confidence)
        found = analyse(groups, how, data.get("frame_interval_s"))
        return {
            "dataframe": found.curve,
            "comparison": found.comparison,
            "summary": found.summary,
            "lifetimes": found.lifetimes,
        }

    def _groups(self, tables: Mapping[str, Any]) -> dict[str, Any]:
        """Check the tables, and give one per group."""
        task = type(self).__name__
        if not tables:
            raise TaskInputError(
                "needs the table of at least one group, received none",
                task=task,
                hint="name each group, as in inputs: {cancer: cancer_death.dataframe}",
            )
        columns = [c for c in (self.group_column, self.start_column) if c is not None]
        groups: dict[str, Any] = {}
        for key, table in tables.items():
            require_columns(table, columns, task, key, "group_column and start_column name columns")
            require_numbers(table, ["track_id", "frame", "alive"], task, key)
            require_one_row(table, [*cell_columns(table), "frame"], task, key)
            require_finite(table, ["frame", "alive"], task, key)
            if self.start_column is not None:
                # read from a file, truths with some missing are objects
                start = table[[self.start_column]].dropna().infer_objects()
                require_numbers(start, [self.start_column], task, key)
            parts = {"": table} if self.group_column is None else self._split(key, table)
            several = len(tables) > 1 or self.group_column is None
            for name, part in parts.items():
                groups[":".join(filter(None, [key if several else "", name]))] = part
        return groups

    def _split(self, key: str, table: Any) -> dict[str, Any]:
        """Part a table by the group of each cell's first row."""
        ordered = table.sort_values("frame")
        cells = [ordered[name] for name in cell_columns(ordered)]
        group = ordered.groupby(cells)[self.group_column].transform("first")
        try:
            names = sorted(group.dropna().unique())
        except TypeError as error:
            raise TaskInputError(
                f"mixes values that do not compare in the column {self.group_column!r}: {error}",
                task=type(self).__name__,
                key=key,
                hint="name the groups by numbers only, or by texts only",
            ) from error
        parts = {str(name): ordered[group == name] for name in names}
        if not parts and len(table):
            raise TaskInputError(
                f"names no group in the column {self.group_column!r}",
                task=type(self).__name__,
                key=key,
                hint="choose a column that has a value for each cell",
            )
        return parts
