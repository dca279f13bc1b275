"""The simulated assay: its images, and what is true of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cyto.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

MAX_COVER = 0.5
"""Fraction of the image that cells of one population may cover at the start."""


@dataclass(frozen=True)
class Assay:
    """A simulated killing assay.

    Parameters
    ----------
    tcell, cancer, death
        Camera images of the three markers, (T, Y, X) uint16, counts.
    tcell_labels, cancer_labels
        Truth, (T, Y, X) uint16: 0 is background, a cell's label is its ``track_id``, which is
        unique over both populations and all frames.
    tables
        Truth by name (``tracks``, ``contacts``, ``deaths``), then by column; see the properties.
    pixel_size_um, frame_interval_s, seed
        As asked for.
    """

    tcell: NDArray[np.uint16] = field(repr=False)
    cancer: NDArray[np.uint16] = field(repr=False)
    death: NDArray[np.uint16] = field(repr=False)
    tcell_labels: NDArray[np.uint16] = field(repr=False)
    cancer_labels: NDArray[np.uint16] = field(repr=False)
    tables: Mapping[str, Mapping[str, NDArray[Any]]] = field(repr=False)
    pixel_size_um: float
    frame_interval_s: float
    seed: int

    @property
    def images(self) -> dict[str, NDArray[np.uint16]]:
        """The camera images by channel name."""
        return {"tcell": self.tcell, "cancer": self.cancer, "death": self.death}

    @property
    def labels(self) -> dict[str, NDArray[np.uint16]]:
        """The truth labels by population."""
        return {"tcell": self.tcell_labels, "cancer": self.cancer_labels}

    @property
    def tracks(self) -> pd.DataFrame:
        """One row per cell per frame, ordered by frame, then track.

        Columns: ``track_id``, ``parent_track_id`` (-1 for a cell that did not arise by division),
        ``frame``, ``y``, ``x`` (centroid of the label, px), ``cell_type`` (``tcell`` or
        ``cancer``), ``alive``.
        """
        return self._table("tracks")

    @property
    def contacts(self) -> pd.DataFrame:
        """Which T cell touches which cancer cell: ``frame``, ``tcell``, ``cancer`` (track ids).

        Two cells touch where a pixel of one is a pixel, or one of the 8 neighbours of a pixel, of
        the other. Dead cells are touched too: join with `tracks` to leave them out.
        """
        return self._table("contacts")

    @property
    def deaths(self) -> pd.DataFrame:
        """Who died: ``track_id``, ``frame`` (the first not alive), ``killer``.

        The killer is the track id of a T cell in contact up to the frame before, or -1 for a
        death that no contact explains.
        """
        return self._table("deaths")

    def _table(self, name: str) -> pd.DataFrame:
        import pandas as pd

        table: pd.DataFrame = pd.DataFrame(dict(self.tables[name]))
        for key in table.select_dtypes(exclude=["number", "bool"]).columns:
            table[key] = table[key].astype(str)
        return table


def simulate_assay(
    frames: int = 24,
    size: tuple[int, int] = (256, 256),
    tcells: int = 12,
    cancer_cells: int = 16,
    seed: int = 0,
    pixel_size_um: float = 0.65,
    frame_interval_s: float = 60.0,
    killing: float = 1.0,
) -> Assay:
    """Simulate a killing assay with exact truth.

    T cells walk fast and persistently, find cancer cells, hold on to them and may kill those that
    they touched long enough; cancer cells crawl, divide, and now and then die on their own. A
    dying cell's live marker fades while its death marker rises. Cells of one population never
    overlap; a T cell may lie over the edge of a cancer cell. No cell enters or leaves the image.

    Parameters
    ----------
    frames
        Number of frames, ≥ 1.
    size
        Height and width of the images, px, each ≥ 32.
    tcells, cancer_cells
        Number of cells in the first frame, ≥ 0.
    seed
        The same seed gives the same assay, bit for bit, with the same NumPy and SciPy.
    pixel_size_um, frame_interval_s
        Cells are sized in µm and move in µm per minute. Killing, division and death have rates
        per frame, so that short movies hold a few of each.
    killing
        How much likelier than usual a long contact kills; 0: T cells touch and do not kill.

    Returns
    -------
    Images, truth labels and truth tables.

    Raises
    ------
    ParameterError
        A number is out of range, or the cells do not fit into the image; says how many would.

    Notes
    -----
    About 1 s for the defaults, 12 s for 100 frames of 512² with 100 cells; memory is 10 bytes
    per pixel and frame. Only NumPy and SciPy are needed, pandas for the tables.

    References
    ----------
    Persistent random walk: Fürth, Z. Physik 2, 244 (1920), doi:10.1007/BF01328731.
    Camera noise: EMVA 1288 linear model, doi:10.5281/zenodo.1402251 (shot noise of the electrons,
    read noise, offset).
    """
    import numpy as np

    from cyto.simulation._camera import expose
    from cyto.simulation._raster import contacts_between, rasterise, table_rows
    from cyto.simulation._world import World

    _check(frames, size, tcells, cancer_cells, pixel_size_um, frame_interval_s)
    if not killing >= 0:
        raise ParameterError("must be at least 0", task="sample", parameter="killing")
    motion, camera = (np.random.default_rng([seed, stream]) for stream in range(2))
    world = World(motion, size, tcells, cancer_cells, pixel_size_um, frame_interval_s, killing)
    movies = {
        name: np.zeros((frames, *size), np.uint16)
        for name in ("tcell", "cancer", "death", "tcell_labels", "cancer_labels")
    }
    tracks: list[Any] = []
    contacts: list[Any] = []
    for frame in range(frames):
        if frame:
            world.step(frame)
        layers = {kind: rasterise(world.of(kind), size, frame) for kind in ("tcell", "cancer")}
        touching = contacts_between(layers["tcell"].labels, layers["cancer"].labels)
        world.note_contacts(touching, frame, last=frame == frames - 1)
        for kind, layer in layers.items():
            movies[kind + "_labels"][frame] = layer.labels
            tracks += table_rows(layer.labels, world.of(kind), frame)
        contacts += [(frame, tcell, cancer) for tcell, cancer in touching]
        for name, image in expose(layers, world, frame, camera).items():
            movies[name][frame] = image
    tables = {
        "tracks": _columns(
            tracks,
            {
                "track_id": "i8",
                "parent_track_id": "i8",
                "frame": "i8",
                "y": "f8",
                "x": "f8",
                "cell_type": "U8",
                "alive": "?",
            },
        ),
        "contacts": _columns(contacts, {"frame": "i8", "tcell": "i8", "cancer": "i8"}),
        "deaths": _columns(world.deaths, {"track_id": "i8", "frame": "i8", "killer": "i8"}),
    }
    return Assay(
        **movies,
        tables=tables,
        pixel_size_um=float(pixel_size_um),
        frame_interval_s=float(frame_interval_s),
        seed=int(seed),
    )


def _columns(rows: list[Any], dtypes: Mapping[str, str]) -> dict[str, NDArray[Any]]:
    import numpy as np

    columns = list(zip(*rows)) if rows else [()] * len(dtypes)  # noqa: B905 - Python 3.9
    return {
        name: np.array(columns[place], dtype=dtype)
        for place, (name, dtype) in enumerate(dtypes.items())
    }


def _check(
    frames: int,
    size: tuple[int, int],
    tcells: int,
    cancer_cells: int,
    pixel_um: float,
    step_s: float,
) -> None:
    from cyto.simulation._world import RADIUS_UM

    rules = (
        ("frames", frames >= 1, "must be at least 1"),
        ("size", min(size) >= 32, "must be two numbers, each at least 32 px"),
        ("tcells", tcells >= 0, "must be at least 0"),
        ("cancer_cells", cancer_cells >= 0, "must be at least 0"),
        ("pixel_size_um", pixel_um > 0, "must be more than 0 µm"),
        ("frame_interval_s", step_s > 0, "must be more than 0 s"),
    )
    for name, holds, message in rules:
        if not holds:
            raise ParameterError(message, task="sample", parameter=name)
    for name, number, kind in (
        ("tcells", tcells, "tcell"),
        ("cancer_cells", cancer_cells, "cancer"),
    ):
        area_px2 = 3.1416 * (RADIUS_UM[kind] / pixel_um) ** 2
        fit = int(MAX_COVER * size[0] * size[1] / area_px2)
        if number > fit:
            raise ParameterError(
                f"{number} cells do not fit into {size[0]} x {size[1]} px, at most {fit} do",
                task="sample",
                parameter=name,
                hint="ask for fewer cells, a larger image or a larger pixel size",
            )
