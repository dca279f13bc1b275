"""The table that analysts take on: one row per cell per frame."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, List, Literal, Optional  # noqa: UP035

from cyto.errors import TaskInputError, nearest
from cyto.postprocessing._checks import (
    require_columns,
    require_finite,
    require_frame_interval,
    require_numbers,
    require_one_row,
)
from cyto.task import Param, PipelineTask, Port, require_pixel_size
from cyto.task.ports import CONTEXT_KEYS

if TYPE_CHECKING:
    from cyto._typing import TaskData

Statistic = Literal["mean", "median", "sd", "sum", "min", "max"]


class ResultTable(PipelineTask):
    """Join all populations, their motion, fate and contacts in one table, with a data dictionary.

    The inputs, beside ``contacts``, are tables of tracked cells, freely named; the names become
    the cells' types, as in ``inputs: {tcell: tcell_tracking.dataframe, cancer:
    cancer_death.dataframe, contacts: contacts.dataframe}``.

    ``dataframe``, ordered by frame, cell type, track:

    ===================================  ======  ==================================================
    column                               unit    meaning
    ===================================  ======  ==================================================
    ``id``                                       number of the row, from 1
    ``track_id``, ``cell_type``                  the cell
    ``frame``, ``t_s``                   ; s     time
    ``x_um``, ``y_um``, ``z_um``         µm      place; z is 0
    ``<channel>_mean`` …                 counts  intensities; a plain ``mean`` becomes
                                                 ``<cell_type>_mean``; missing where a population
                                                 was not measured in that channel
    ``alive_probability``                        missing where not measured
    ``vel_x``, ``vel_y``, ``vel_z``,     µm/s    since the track's row before; missing in its first
    ``speed``                                    row; z is 0
    ``contact``, ``contact_cell_ids``,           whether, with whom (``3;17``), with how many;
    ``contact_count``                            missing where contacts are not given
    further ``columns``                          as asked for
    ===================================  ======  ==================================================

    ``dictionary`` says what each column is: ``column``, ``meaning``, ``unit``.

    Parameters
    ----------
    statistics
        Which intensity columns are taken: those named so, or ending in ``_<statistic>``.
    columns
        Further columns of the cells' tables, at the end.
    contact_ids
        What ``a`` and ``b`` of the contacts are: ``track_id`` (contacts of relabelled movies) or
        ``label`` (contacts of the segmentation; the cells' tables then need ``label``).
    max_contact_distance_px
        Pairs up to this distance are in contact, px; 0: those that touch or overlap.

    Raises
    ------
    TaskInputError
        No table of cells; a column is missing or holds no numbers; a track has two rows in a
        frame, or a pair in the contacts; the frame interval is not known; the
        pixel size is not, and a table has no ``y_um`` and ``x_um``; the contacts are of a
        population without a table while a table is of one without contacts.

    Notes
    -----
    About 2 s per million rows.
    """

    statistics: List[Statistic] = Param(  # noqa: UP006 - read at run time
        ["mean"], help="which intensity columns are taken"
    )
    columns: List[str] = Param([], help="further columns of the cells' tables")  # noqa: UP006
    contact_ids: Literal["track_id", "label"] = Param(
        "track_id", help="what the contacts' a and b are"
    )
    max_contact_distance_px: float = Param(
        0.0, ge=0, unit="px", help="pairs up to this distance are in contact"
    )

    inputs: ClassVar[Mapping[str, Port]] = {
        "contacts": Port(
            "dataframe",
            "contacts per frame, as of CellContacts",
            optional=True,
            columns=("frame", "a", "b"),
        )
    }
    more_inputs: ClassVar[Port] = Port(
        "dataframe",
        "tracked cells per frame; the key names the population",
        columns=("track_id", "frame"),
    )
    outputs: ClassVar[Mapping[str, Port]] = {
        "dataframe": Port(
            "dataframe",
            "one row per cell per frame",
            columns=("id", "track_id", "cell_type", "frame", "t_s", "x_um", "y_um", "z_um"),
        ),
        "dictionary": Port(
            "dataframe", "what each column is", columns=("column", "meaning", "unit")
        ),
    }

    def run_baremetal(self, data: TaskData) -> dict[str, Any]:
        """Join the tables; gives ``dataframe`` and ``dictionary``."""
        from cyto.postprocessing._result import Settings, build

        task = type(self).__name__
        populations = {k: data[k] for k in data if k not in {*CONTEXT_KEYS, "contacts"}}
        self._check(populations)
        size_um: Optional[float] = data.get("pixel_size_um")
        if any(not {"y_um", "x_um"} <= set(table.columns) for table in populations.values()):
            size_um = require_pixel_size(data, task, "a table with x_um and y_um")
        how = Settings(
            self.statistics,
            self.columns,
            self.contact_ids,
            require_frame_interval(data, task, "a table with t_s and speed"),
            size_um,
        )
        table, dictionary = build(populations, self._partners(data, populations), how)
        return {"dataframe": table, "dictionary": dictionary}

    def _check(self, populations: Mapping[str, Any]) -> None:
        task = type(self).__name__
        if not populations:
            raise TaskInputError(
                "needs the table of at least one population, received none",
                task=task,
                hint="name each population, as in inputs: {tcell: tcell_tracking.dataframe}",
            )
        for key, table in populations.items():
            if not {"y_um", "x_um"} <= set(table.columns):
                require_columns(table, ["y", "x"], task, key, "give the tracker's table")
            hint = "contact_ids says what identifies a cell"
            require_columns(table, [self.contact_ids], task, key, hint)
            require_numbers(table, self._numeric(table), task, key)
            require_one_row(table, ["track_id", "frame"], task, key)
            require_finite(table, ["frame"], task, key)
        for column in self.columns:
            if not any(column in table for table in populations.values()):
                key = next(iter(populations))
                require_columns(populations[key], [column], task, key, "see columns")

    def _numeric(self, table: Any) -> list[str]:
        """Give the columns of a table of cells that are taken as numbers."""
        endings = tuple(f"_{statistic}" for statistic in self.statistics)
        means = [c for c in map(str, table) if c in self.statistics or c.endswith(endings)]
        places = [f"{c}_um" if f"{c}_um" in table else c for c in ("y", "x")]
        fate = [c for c in ("alive_probability", "alive") if c in table][:1]
        return ["track_id", "frame", *places, self.contact_ids, *fate, *means]

    def _partners(self, data: TaskData, populations: Mapping[str, Any]) -> Any:
        """Give each cell's contacts, seen from both sides."""
        import pandas as pd

        from cyto.postprocessing._result import Partners

        contacts = data.get("contacts")
        if contacts is None:
            return None
        task, types = type(self).__name__, [c for c in ("a_type", "b_type") if c in contacts]
        require_finite(contacts, ["frame", "a", "b"], task, "contacts")
        require_one_row(contacts, [*types, "frame", "a", "b"], task, "contacts")
        if "distance_px" in contacts:
            require_finite(contacts, ["distance_px"], task, "contacts")
            contacts = contacts[contacts["distance_px"] <= self.max_contact_distance_px]
        kinds, measured = self._types(data["contacts"], list(populations))
        sides = [
            pd.DataFrame(
                {
                    "cell_type": contacts[kind].astype(str) if kind in contacts else kind,
                    "frame": contacts["frame"],
                    "cell": contacts[cell],
                    "partner": contacts[partner],
                }
            )
            for kind, cell, partner in zip(kinds, "ab", "ba")
        ]
        return Partners(measured, pd.concat(sides, ignore_index=True))

    def _types(
        self, contacts: Any, populations: list[str]
    ) -> tuple[tuple[str, str], tuple[str, ...]]:
        """Give the columns with the populations of ``a`` and ``b``, or their names; and all."""
        kinds = ("a_type", "b_type")
        if not set(kinds) <= set(contacts.columns) or not len(contacts):
            named = (populations[0], populations[-1])
            return named, named
        measured = tuple(dict.fromkeys(str(t) for kind in kinds for t in contacts[kind].unique()))
        without_table = sorted(set(measured) - set(populations))
        without_contacts = [name for name in populations if name not in measured]
        if without_table and without_contacts:
            raise TaskInputError(
                f"is of {' and '.join(map(repr, measured))}, the tables of cells are of "
                f"{', '.join(map(repr, populations))}: there is no table "
                f"{' nor '.join(map(repr, without_table))}, and no contacts of "
                f"{' nor '.join(map(repr, without_contacts))}",
                task=type(self).__name__,
                key="contacts",
                hint="use the same names in the inputs of CellContacts and of ResultTable; for "
                f"{without_table[0]!r}, {nearest(without_table[0], populations)}",
            )
        return kinds, measured
