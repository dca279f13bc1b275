"""Which cells are neighbours, by their places alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, List, Optional  # noqa: UP035 - read at run time

from cyto.errors import ParameterError, TaskInputError
from cyto.postprocessing._checks import (
    check_place_columns,
    placed,
    require_columns,
    require_finite,
    require_numbers,
    require_one_row,
)
from cyto.task import Param, PipelineTask, Port, require_pixel_size

if TYPE_CHECKING:
    from cyto._typing import TaskData


class CellTriangulation(PipelineTask):
    """Connect each cell with its neighbours in the frame, by Delaunay triangulation.

    ``network`` covers the movie; no edge joins two frames. Nodes: every cell of every frame, named
    ``<frame>:<id>``, with ``frame``, ``id``, ``y``, ``x`` (px). Edges: ``frame``, ``length_px``,
    and ``length_um`` where the pixel size is known. Without a limit each frame is connected. Cells
    on one line are connected along it, cells in the same place with each other.

    With ``image``, which says how large the frames are, ``image`` has the edges drawn: (T, Y, X)
    uint8, 1 on lines; and the network's attribute ``frames`` says how many frames there are.

    Parameters
    ----------
    id_column
        What ``id`` is; ``None``: ``track_id`` where the table has it, else ``label``.
    columns
        The columns with row and column of a cell's place, px.
    max_length_px, max_length_um
        Longer edges are left out; ``None``: none is. Give one of the two.

    Raises
    ------
    TaskInputError
        A column is missing or holds no numbers; a frame is no whole number; a place is missing or
        not finite; a cell has two rows in a frame; ``max_length_um`` without a known pixel size.

    Notes
    -----
    About 20 ms for a frame of 500 cells.

    References
    ----------
    Barber, Dobkin and Huhdanpaa, ACM Trans. Math. Softw. 22, 469 (1996),
    doi:10.1145/235815.235821 (Qhull).
    """

    id_column: Optional[str] = Param(
        None, help="column that identifies a cell; null: track_id, else label"
    )
    max_length_px: Optional[float] = Param(
        None, gt=0, unit="px", help="longer edges are left out; null: none is"
    )
    max_length_um: Optional[float] = Param(
        None, gt=0, unit="µm", help="the same in µm; needs the pixel size"
    )

    columns: List[str] = Param(  # noqa: UP006 - read at run time
        ["y", "x"], help="columns with a cell's place, px: its row, its column"
    )

    inputs: ClassVar[Mapping[str, Port]] = {
        "dataframe": Port("dataframe", "cells per frame", columns=("frame", "y", "x")),
        "image": Port("image", "gives number and size of the frames", optional=True),
    }
    outputs: ClassVar[Mapping[str, Port]] = {
        "network": Port("network", "cells of every frame and their neighbours"),
        "image": Port("image", "the edges drawn, 1 on lines; with image only", optional=True),
    }
    libraries: ClassVar[Sequence[str]] = ("scipy",)

    def validate(self) -> None:
        """Check that one limit at most is given, and two columns."""
        check_place_columns(self.columns, type(self).__name__)
        if self.max_length_px is not None and self.max_length_um is not None:
            raise ParameterError(
                "max_length_px and max_length_um are both given",
                task=type(self).__name__,
                parameter="max_length_um",
                hint="give one of the two",
            )

    def run_baremetal(self, data: TaskData) -> dict[str, Any]:
        """Triangulate every frame of ``dataframe``; gives ``network``, perhaps ``image``."""
        from cyto.postprocessing._triangulation import network

        task = type(self).__name__
        table = placed(data["dataframe"], self.columns, task)
        name = self.id_column or ("track_id" if "track_id" in table else "label")
        require_columns(table, [name], task, "dataframe", "see id_column")
        require_numbers(table, ["frame", "y", "x"], task, "dataframe")
        require_one_row(table, ["frame", name], task, "dataframe")
        require_finite(table, ["frame", "y", "x"], task, "dataframe")
        broken = table["frame"][table["frame"] % 1 != 0]
        if len(broken):
            raise TaskInputError(
                f"holds {broken.iloc[0]} in the column 'frame', whole numbers are needed",
                task=task,
                key="dataframe",
                hint="frames are counted from 0; a time in s is no frame",
            )
        limit = self.max_length_px
        if self.max_length_um is not None:
            limit = self.max_length_um / require_pixel_size(data, task, "max_length_um")
        cells = table.astype({"frame": "int64"})
        graph = network(cells, name, limit, data.get("pixel_size_um"))
        image = data.get("image")
        if image is None:
            return {"network": graph}
        from cyto.postprocessing._lines import draw_edges

        graph.graph["frames"] = len(image)
        return {"network": graph, "image": draw_edges(graph, tuple(image.shape))}
