"""The sample on disk: what `cyto sample` writes."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cyto.errors import CytoError

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from numpy.typing import NDArray

    from cyto.simulation.assay import Assay

_FIRST_LINE = "A simulated killing assay, written by cyto sample.\n"
_README = """
{frames} frames of {height} x {width} px, {pixel} um per px, {interval} s between frames,
seed {seed}.

tcell.ome.tif, cancer.ome.tif, death.ome.tif
    Camera images of three markers: T cells, live cancer cells, dead cells. Axes TYX, uint16.
truth/tcell_labels.ome.tif, truth/cancer_labels.ome.tif
    What is really there. Axes TYX, uint16; 0 is background, a cell's label is its track_id.
truth/tracks.csv
    One row per cell per frame: track_id, parent_track_id (-1: none), frame, y, x (centroid, px),
    cell_type, alive.
truth/contacts.csv
    Which T cell touches which cancer cell in which frame: their labels overlap or are 8-neighbours.
truth/deaths.csv
    track_id, frame (the first in which the cell is dead), killer (a T cell's track_id, or -1).

Coordinates are (y, x), frames count from 0. The same seed gives the same files.
"""


class SampleFolderError(CytoError):
    """The folder for a sample holds something else."""

    exit_code = 2


def write_sample(folder: str | os.PathLike[str], assay: Assay) -> list[Path]:
    """Write *assay* as files that pyCyto and Fiji read.

    Parameters
    ----------
    folder
        Made when absent; an earlier sample in it is replaced.
    assay
        What to write.

    Returns
    -------
    The files written, images first. The same assay gives the same bytes.

    Raises
    ------
    SampleFolderError
        The folder holds files that are no earlier sample; nothing has been written.

    Notes
    -----
    Images are uncompressed and in one piece, so that they can be mapped into memory.
    """
    root = Path(folder)
    _check_free(root)
    (root / "truth").mkdir(parents=True, exist_ok=True)
    readme = root / "README.txt"  # first, so that a broken-off sample is recognised as one
    readme.write_bytes((_FIRST_LINE + _explain(assay)).encode())
    images = [
        _write_movie(root / f"{name}.ome.tif", movie, name, assay)
        for name, movie in assay.images.items()
    ]
    labels = [
        _write_movie(root / "truth" / f"{name}_labels.ome.tif", movie, name, assay)
        for name, movie in assay.labels.items()
    ]
    tables = [
        _write_table(root / "truth" / f"{name}.csv", columns)
        for name, columns in assay.tables.items()
    ]
    return [*images, *labels, *tables, readme]


TREATMENTS = {"control": 0.0, "treated": 3.0}
"""Of several samples: how much likelier than usual a T cell's contact kills."""


def write_samples(
    folder: str | os.PathLike[str],
    count: int,
    simulate: Callable[[int, float], Assay],
    seed: int = 0,
) -> list[Path]:
    """Write several samples, each in its own folder, and ``samples.csv`` with their treatments.

    Parameters
    ----------
    folder
        Made when absent; earlier samples of the same names are replaced.
    count
        How many; treatments take turns.
    simulate
        Makes the assay of a seed and a factor on the chance to kill.
    seed
        Of the first sample; each has the next.

    Returns
    -------
    The files written, ``samples.csv`` last: ``sample``, ``treatment``, ``donor``.

    Raises
    ------
    SampleFolderError
        A sample's folder holds something else.
    """
    root = Path(folder)
    names, written, rows = list(TREATMENTS), [], ["sample,treatment,donor"]
    for i in range(count):
        treatment, donor = names[i % len(names)], i // len(names) + 1
        name = f"{treatment}_{donor}"
        written += write_sample(root / name, simulate(seed + i, TREATMENTS[treatment]))
        rows.append(f"{name},{treatment},{donor}")
    table = root / "samples.csv"
    table.write_bytes(("\n".join(rows) + "\n").encode())
    return [*written, table]


def _check_free(root: Path) -> None:
    if root.exists() and not root.is_dir():
        raise SampleFolderError(f"{root} is a file; name a folder for the sample")
    if not root.exists() or not any(root.iterdir()):
        return
    readme = root / "README.txt"
    if readme.is_file() and readme.read_bytes().startswith(_FIRST_LINE.encode()):
        return
    raise SampleFolderError(
        f"{root} is not empty and holds no earlier sample; nothing was written, "
        "name a new or an empty folder"
    )


def _explain(assay: Assay) -> str:
    frames, height, width = assay.tcell.shape
    return _README.format(
        frames=frames,
        height=height,
        width=width,
        pixel=assay.pixel_size_um,
        interval=assay.frame_interval_s,
        seed=assay.seed,
    )


def _write_movie(path: Path, movie: NDArray[Any], name: str, assay: Assay) -> Path:
    import tifffile

    metadata: dict[str, Any] = {
        "axes": "TYX",
        "PhysicalSizeX": assay.pixel_size_um,
        "PhysicalSizeXUnit": "µm",
        "PhysicalSizeY": assay.pixel_size_um,
        "PhysicalSizeYUnit": "µm",
        "TimeIncrement": assay.frame_interval_s,
        "TimeIncrementUnit": "s",
        "Channel": {"Name": name},
        "Creator": "pyCyto",
        # tifffile's own would be drawn at random
        "UUID": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{path.name} {_explain(assay)}")),
    }
    tifffile.imwrite(
        path, movie, ome=True, photometric="minisblack", metadata=metadata, software="pyCyto"
    )
    return path


def _write_table(path: Path, columns: Any) -> Path:
    rows = [",".join(columns)]
    lists = [column.tolist() for column in columns.values()]
    rows += [",".join(map(_cell, row)) for row in zip(*lists)]  # noqa: B905 - Python 3.9
    path.write_bytes(("\n".join(rows) + "\n").encode())
    return path


def _cell(value: Any) -> str:
    return repr(value) if isinstance(value, float) else str(value)
