"""Arrays written frame by frame as ``.npy``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cyto.io.whole import replacing


def write_npy(
    path: Path, dtype: str, shape: tuple[int, ...], frames: Iterable[npt.NDArray[np.generic]]
) -> None:
    """Write *frames*, C-contiguous and of *dtype*, as one array of *shape*; appears whole."""
    header = {"descr": np.dtype(dtype).str, "fortran_order": False, "shape": shape}
    with replacing(path) as temporary, temporary.open("wb") as stream:
        np.lib.format.write_array_header_1_0(stream, header)
        for frame in frames:
            stream.write(frame.data)
