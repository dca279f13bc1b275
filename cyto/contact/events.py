"""When contacts between cells begin and end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Optional

from cyto.errors import TaskInputError
from cyto.task import Param, PipelineTask, Port
from cyto.task.ports import refuse_samples

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cyto._typing import TaskData

_PAIR = ("a_type", "b_type", "frame", "a", "b")


class ContactEvents(PipelineTask):
    """Join the contacts of single frames into events with a beginning and an end.

    An event is a run of frames that list the same pair, over which at most ``max_gap_frames``
    frames in a row miss it. A pair that meets again later has another event.

    ``dataframe`` has one row per event, ordered by beginning, then ``a``, ``b``:

    =====================================  ======  ================================================
    column                                 unit    meaning
    =====================================  ======  ================================================
    ``event``                                      number from 1
    ``a``, ``b``; ``a_type``, ``b_type``           the cells; their populations, where given
    ``start_frame``, ``end_frame``                 first and last frame of contact
    ``duration_frames``                            from first to last, both included
    ``n_frames``                                   frames with contact, without the gaps
    ``mean_contact_length_px``, ``…_um``   px, µm  over the frames with contact, where given
    ``min_distance_px``, ``…_um``          px, µm  likewise
    ``start_s``, ``end_s``                 s       times of the first and last frame, where the
                                                   interval is known
    ``duration_s``                         s       ``duration_frames`` times the interval
    =====================================  ======  ================================================

    A contact of the movie's first or last frame may be longer than is seen.

    Parameters
    ----------
    max_gap_frames
        Frames in a row that may miss a contact without ending it; 0 joins adjacent frames only.
    max_distance_px
        Rows of pairs farther apart than this are no contact, px; 0: those that touch or overlap.
        ``None``: every row is one.
    min_frames
        Events with contact in fewer frames are dropped.
    min_duration_s
        Events that are shorter are dropped, s; needs the frame interval.

    Raises
    ------
    TaskInputError
        A pair twice in a frame; a row without one of the cells; frames or distances that are no
        finite numbers; ``max_distance_px`` for a table without ``distance_px``; ``min_duration_s``
        without a known frame interval.

    Notes
    -----
    About 0.5 s per million rows. No randomness.
    """

    max_gap_frames: int = Param(
        0, ge=0, unit="frames", help="frames in a row that may miss a contact without ending it"
    )
    max_distance_px: Optional[float] = Param(
        0.0, ge=0, unit="px", help="pairs farther apart are no contact; null: every row is one"
    )
    min_frames: int = Param(
        1, ge=1, unit="frames", help="events with contact in fewer frames are dropped"
    )
    min_duration_s: Optional[float] = Param(
        None, ge=0, unit="s", help="shorter events are dropped; needs the frame interval"
    )

    inputs: ClassVar[Mapping[str, Port]] = {
        "dataframe": Port(
            "dataframe", "contacts per frame, as of CellContacts", columns=("frame", "a", "b")
        )
    }
    outputs: ClassVar[Mapping[str, Port]] = {
        "dataframe": Port(
            "dataframe",
            "one row per event",
            columns=("event", "a", "b", "start_frame", "end_frame", "duration_frames"),
        )
    }

    def run_baremetal(self, data: TaskData) -> dict[str, Any]:
        """Join the rows of ``dataframe``; gives ``dataframe``, one row per event."""
        from cyto.contact._events import join, tidy

        pairs = data["dataframe"]
        self._check(pairs)
        if self.max_distance_px is not None and "distance_px" in pairs:
            pairs = pairs[pairs["distance_px"] <= self.max_distance_px]
        events = join(pairs, self.max_gap_frames, data.get("frame_interval_s"))
        long_enough = events["n_frames"] >= self.min_frames
        if self.min_duration_s is not None:
            self._require_interval(data)
            long_enough &= events["duration_s"] >= self.min_duration_s
        return {"dataframe": tidy(events[long_enough])}

    def _check(self, pairs: Any) -> None:
        """Check that each pair is listed once per frame, with a distance where one is needed."""
        task, key = type(self).__name__, "dataframe"
        refuse_samples(pairs, task, key)
        self._require_finite(pairs, "frame")
        if self.max_distance_px is not None and "distance_px" in pairs:
            self._require_finite(pairs, "distance_px")
        missing = pairs[[name for name in _PAIR if name in pairs]].isna()
        if missing.to_numpy().any():
            row = int(missing.any(axis=1).to_numpy().argmax())
            lacking = missing.columns[missing.iloc[row].to_numpy()]
            raise TaskInputError(
                f"lacks {' and '.join(lacking)} in row {row}",
                task=task,
                key=key,
                hint="drop such rows first, with FeatureFilter for instance",
            )
        again = pairs.duplicated([name for name in _PAIR if name in pairs])
        if again.any():
            row = pairs.loc[again.to_numpy(), ["a", "b", "frame"]].iloc[0]
            raise TaskInputError(
                f"lists the pair {row['a']}, {row['b']} twice in frame {row['frame']}",
                task=task,
                key=key,
                hint="a pair has one row per frame, as in the table of CellContacts",
            )
        if self.max_distance_px and "distance_px" not in pairs:
            raise TaskInputError(
                f"has no column 'distance_px'; columns: {', '.join(map(str, pairs.columns))}",
                task=task,
                key=key,
                hint="max_distance_px needs it; write max_distance_px: null to take every row",
            )

    def _require_finite(self, pairs: Any, name: str) -> None:
        """Check that the column *name* holds finite numbers."""
        import numpy as np

        column = pairs[name]
        number = getattr(column.dtype, "kind", "O") in "uifb"
        if not len(pairs) or (
            number and np.isfinite(column.to_numpy(np.float64, na_value=np.nan)).all()
        ):
            return
        received = str(column.dtype) if not number else "missing or infinite values"
        raise TaskInputError(
            f"holds {received} in the column {name!r}, finite numbers are needed",
            task=type(self).__name__,
            key="dataframe",
            hint="read the table with numbers in it, or drop the rows without, with FeatureFilter "
            "for instance",
        )

    def _require_interval(self, data: TaskData) -> None:
        if data.get("frame_interval_s") is None:
            raise TaskInputError(
                "the frame interval is not known, and min_duration_s needs it",
                task=type(self).__name__,
                key="frame_interval_s",
                hint="write frame_interval_s beside the channel's path, or use min_frames",
            )
