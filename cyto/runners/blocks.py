"""A framewise task on a movie that is too large to be worked on at once: some frames at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cyto.core.movie import let_go
from cyto.core.request import Ref
from cyto.runners import exchange

LIMIT_BYTES = 128 << 20
"""About so much input is given to a framewise task at once."""

_JOINED = ("image", "label", "dataframe")


def block_frames(task: type, data: Mapping[str, Any], refs: Mapping[str, Ref]) -> int:
    """Say how many frames *task* is to be given at once; 0 when all of them.

    Parameters
    ----------
    task
        Its class: ``framewise``, and with outputs that can be joined.
    data, refs
        The inputs and what they are.
    """
    outputs = getattr(task, "outputs", {})
    if not getattr(task, "framewise", False) or not outputs:
        return 0
    movies = [data[key] for key, ref in refs.items() if ref.kind in {"image", "label"}]
    lengths = {len(movie) for movie in movies}
    joined = all(port.kind in _JOINED for port in outputs.values())
    if len(lengths) != 1 or not joined:
        return 0
    length, size = lengths.pop(), sum(movie.nbytes for movie in movies)
    count = max(1, int(LIMIT_BYTES * length / size)) if size else length
    return count if count < length else 0


def run_in_blocks(
    call: Callable[[Mapping[str, Any]], Mapping[str, Any]],
    data: Mapping[str, Any],
    refs: Mapping[str, Ref],
    count: int,
    kinds: Mapping[str, str],
    folder: Path,
) -> dict[str, Ref]:
    """Call a task for *count* frames after the other and join what it gives.

    Arrays go to their files block by block; tables are joined at the end.

    Parameters
    ----------
    call
        Runs the task on some frames.
    data, refs
        The inputs and what they are.
    kinds
        Kinds of the outputs.
    folder
        Where the results go.
    """
    movies = {key: data[key] for key, ref in refs.items() if ref.kind in {"image", "label"}}
    length = len(next(iter(movies.values())))
    offset = int(data.get("frame_offset") or 0)
    arrays: dict[str, _GrowingFile] = {}
    tables: dict[str, list[Any]] = {}
    rest: dict[str, Any] = {}
    for start in range(0, length, count):
        part = {key: movie[start : start + count] for key, movie in movies.items()}
        for key, value in call({**data, **part, "frame_offset": offset + start}).items():
            if value is None:
                continue
            if kinds.get(key) == "dataframe":
                tables.setdefault(key, []).append(value)
            elif kinds.get(key) in _JOINED:
                file = arrays.setdefault(key, _GrowingFile(folder / f"{key}.npy", length))
                file.append(value)
            else:
                rest[key] = value
        for movie in movies.values():
            let_go(movie)
    done = {key: file.close(kinds[key]) for key, file in arrays.items()}
    done.update({k: exchange.save(_joined(v), "dataframe", folder, k) for k, v in tables.items()})
    inferred = {key: exchange.infer_kind(key, value) for key, value in rest.items()}
    done.update({k: exchange.save(v, inferred[k], folder, k) for k, v in rest.items()})
    return done


def _joined(tables: list[Any]) -> Any:
    import pandas as pd

    filled = [table for table in tables if len(table)] or tables[:1]
    return pd.concat(filled, ignore_index=True)


class _GrowingFile:
    """A ``.npy`` of known length that is written in order; wider numbers widen all of it."""

    def __init__(self, path: Path, length: int) -> None:
        self._path, self._length = path, length
        self._dtype: Any = None
        self._frame: tuple[int, ...] = ()
        self._done = 0

    def append(self, block: Any) -> None:
        """Write the next frames."""
        import numpy as np

        if self._dtype is None:
            self._frame = tuple(block.shape[1:])
            self._start(self._path, block.dtype)
        wide = np.promote_types(self._dtype, block.dtype)
        if wide != self._dtype:
            self._widen(wide)
        with self._path.open("ab") as file:
            np.ascontiguousarray(block, self._dtype).tofile(file)
        self._done += len(block)

    def close(self, kind: str) -> Ref:
        """Give the reference of the whole."""
        shape = (self._length, *self._frame)
        return Ref(kind, "npy", str(self._path), dtype=self._dtype.str, shape=shape)

    def _start(self, path: Path, dtype: Any) -> None:
        import numpy as np

        self._dtype = dtype
        head = {"descr": dtype.str, "fortran_order": False, "shape": (self._length, *self._frame)}
        with path.open("wb") as file:
            np.lib.format.write_array_header_1_0(file, head)

    def _widen(self, dtype: Any) -> None:
        """Write what is there again with wider numbers, a frame at a time."""
        import numpy as np

        narrow = self._path.with_suffix(".narrow")
        self._path.rename(narrow)
        size = int(np.prod(self._frame)) * self._dtype.itemsize
        old = np.memmap(
            narrow,
            self._dtype,
            "r",
            narrow.stat().st_size - self._done * size,
            (self._done, *self._frame),
        )
        self._start(self._path, dtype)
        with self._path.open("ab") as file:
            for frame in old:
                frame.astype(dtype).tofile(file)
        del old
        narrow.unlink()
