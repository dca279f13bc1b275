"""Who killed whom."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Optional

from cyto.errors import TaskInputError, nearest
from cyto.postprocessing._checks import (
    require_columns,
    require_finite,
    require_numbers,
    require_one_row,
)
from cyto.task import Param, PipelineTask, Port

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cyto._typing import TaskData


class KillAttribution(PipelineTask):
    """Attribute each death to the cell that was in contact before it.

    A candidate is an effector whose last unbroken contact with the cell ended at most
    ``max_lag_frames`` before the death and lasted at least ``min_contact_frames``. The killer is
    the one whose contact lasted longest; of equals, the one that left last, then the lowest id.
    Contact during and after the death does not count.

    ``dataframe``: one row per death, ordered by frame, then track: ``track_id``, ``frame`` (first
    dead), ``killer`` (-1: no contact explains the death), ``contact_frames`` (length of the
    killer's contact; 0 without one), ``contact_s``, ``lag_frames`` (from the last frame of contact
    to the death, 1 for the frame just before; -1 without a killer), ``share`` (the killer's part
    of the contact frames of all candidates, 0 to 1), ``candidates`` (how many), and what the
    deaths' table says of time and place.

    ``candidates``: one row per death and candidate: ``victim``, ``killer``, ``death_frame``,
    ``start_frame``, ``end_frame`` and ``contact_frames`` of the contact, ``total_contact_frames``
    (with earlier contacts), ``lag_frames``, ``rank`` (1 is the killer), ``share``, ``contact_s``,
    ``lag_s``.

    ``effectors``: one row per effector, kills or none: ``track_id``, ``kills``,
    ``first_kill_frame`` (-1: none), ``cells_met`` (different cells touched), ``contact_frames``.

    Parameters
    ----------
    effectors
        Population of the killers, as the contacts' table names it (``tcell``). ``None`` where the
        table has one population, or names none: then ``a`` is the effector, and within one
        population either may be.
    max_lag_frames
        Frames from the last frame of contact to the first dead one; 1: contact up to the frame
        before. Death markers rise late, so real assays need more.
    min_contact_frames
        Shorter contacts do not kill.
    max_gap_frames
        Frames in a row that may miss a contact without breaking it.
    max_distance_px
        Pairs farther apart are no contact, px; 0: those that touch or overlap.

    Raises
    ------
    TaskInputError
        A column is missing or holds no numbers; a cell dies twice; a pair is listed twice in a
        frame; the contacts are of two populations and ``effectors`` is neither.

    Notes
    -----
    Contact before death is no proof of a kill. Deaths with ``at_start`` have no contact before
    them. About 0.5 s per million rows of contacts.
    """

    effectors: Optional[str] = Param(
        None, help="population of the killers in the contacts' table; null: the only one"
    )
    max_lag_frames: int = Param(
        1, ge=1, unit="frames", help="most frames from the last contact to the death"
    )
    min_contact_frames: int = Param(1, ge=1, unit="frames", help="shorter contacts do not kill")
    max_gap_frames: int = Param(
        0, ge=0, unit="frames", help="frames in a row that may miss a contact"
    )
    max_distance_px: float = Param(0.0, ge=0, unit="px", help="pairs farther apart are no contact")

    inputs: ClassVar[Mapping[str, Port]] = {
        "deaths": Port("dataframe", "deaths, as of CellDeath", columns=("track_id", "frame")),
        "contacts": Port(
            "dataframe", "contacts per frame, as of CellContacts", columns=("frame", "a", "b")
        ),
        "tracks": Port(
            "dataframe",
            "all effectors, so that those without contact count too",
            optional=True,
            columns=("track_id",),
        ),
    }
    outputs: ClassVar[Mapping[str, Port]] = {
        "dataframe": Port(
            "dataframe", "one row per death", columns=("track_id", "frame", "killer")
        ),
        "candidates": Port("dataframe", "one row per death and candidate", columns=("victim",)),
        "effectors": Port("dataframe", "one row per effector", columns=("track_id", "kills")),
    }

    def run_baremetal(self, data: TaskData) -> dict[str, Any]:
        """Join ``deaths`` to ``contacts``; gives the three tables."""
        from cyto.postprocessing._kills import Settings, attribute

        task, tracks = type(self).__name__, data.get("tracks")
        require_numbers(data["deaths"], ["track_id", "frame"], task, "deaths")
        require_one_row(data["deaths"], ["track_id"], task, "deaths")
        require_finite(data["deaths"], ["frame"], task, "deaths")
        if tracks is not None:
            require_finite(tracks, ["track_id"], task, "tracks")
        everyone = None if tracks is None else tracks["track_id"].to_numpy()
        how = Settings(
            self.max_lag_frames,
            self.min_contact_frames,
            self.max_gap_frames,
            data.get("frame_interval_s"),
        )
        found = attribute(data["deaths"], self._meetings(data["contacts"]), everyone, how)
        return {
            "dataframe": found.deaths,
            "candidates": found.candidates,
            "effectors": found.effectors,
        }

    def _meetings(self, contacts: Any) -> Any:
        """Give the contacts with columns ``frame``, ``effector``, ``victim``."""
        import pandas as pd

        task = type(self).__name__
        require_finite(contacts, ["frame", "a", "b"], task, "contacts")
        if self.max_distance_px > 0 or "distance_px" in contacts:
            hint = "max_distance_px needs the distances of CellContacts"
            require_columns(contacts, ["distance_px"], task, "contacts", hint)
            require_finite(contacts, ["distance_px"], task, "contacts")
            contacts = contacts[contacts["distance_px"] <= self.max_distance_px]
        names = [{"a": "effector", "b": "victim"}, {"a": "victim", "b": "effector"}]
        sides = [contacts.rename(columns=n)[["frame", "effector", "victim"]] for n in names]
        chosen = self._sides(contacts)
        meetings = pd.concat([sides[side] for side in chosen], ignore_index=True)
        require_one_row(meetings, ["frame", "effector", "victim"], task, "contacts")
        return meetings

    def _sides(self, contacts: Any) -> tuple[int, ...]:
        """Tell whether the effector is ``a`` (0), ``b`` (1) or either."""
        if "a_type" not in contacts or "b_type" not in contacts:
            return (0,)
        first, second = set(contacts["a_type"]), set(contacts["b_type"])
        if not first:
            return (0,)
        if first == second and self.effectors in {None, *first}:
            return (0, 1)
        if self.effectors is not None and first == {self.effectors}:
            return (0,)
        if self.effectors is not None and second == {self.effectors}:
            return (1,)
        known = sorted(first | second)
        received = "are not named" if self.effectors is None else f"are {self.effectors!r}"
        near = "" if self.effectors is None else f" ({nearest(self.effectors, known)})"
        raise TaskInputError(
            f"is of {' and '.join(map(repr, known))}, and the effectors {received}",
            task=type(self).__name__,
            key="contacts",
            hint=f"write effectors: with the population that kills{near}",
        )
