"""A framewise task on some frames of a movie at a time.

Within one worker because the movie is too large to be worked on at once, and in chunks, each in
any worker anywhere, that write their frames into the place where the whole is to be.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Optional, Protocol

from cyto.core.movie import let_go
from cyto.core.request import Ref
from cyto.runners import exchange

LIMIT_BYTES = 128 << 20
"""About so much input is given to a framewise task at once."""

JOINED = ("image", "label", "dataframe")
"""Kinds of outputs that can be put together from parts."""


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
    joined = all(port.kind in JOINED for port in outputs.values())
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
    *,
    part: Optional[tuple[int, int]] = None,
) -> dict[str, Ref]:
    """Call a task for *count* frames after the other and join what it gives.

    Arrays go to their files block by block; tables are joined at the end.

    Parameters
    ----------
    call
        Runs the task on some frames.
    data, refs
        The inputs and what they are.
    count
        Frames at a time; 0 for all.
    kinds
        Kinds of the outputs.
    folder
        Where the results go.
    part
        The chunk's first frame and the one after its last. Its arrays become part of the movie in
        *folder* where their type fits; what does not, and tables, go into a folder of its own
        there.
    """
    movies = {key: data[key] for key, ref in refs.items() if ref.kind in {"image", "label"}}
    length = len(next(iter(movies.values())))
    first, last = part or (0, length)
    aside = folder if part is None else folder / "parts" / f"{first}-{last}"
    aside.mkdir(parents=True, exist_ok=True)
    offset = int(data.get("frame_offset") or 0)
    arrays: dict[str, _Movie] = {}
    tables: dict[str, list[Any]] = {}
    rest: dict[str, Any] = {}
    for start in range(first, last, count or length):
        stop = min(start + (count or length), last)
        given = {key: movie[start:stop] for key, movie in movies.items()}
        for key, value in call({**data, **given, "frame_offset": offset + start}).items():
            if exchange.says_nothing(key, value, refs):
                continue
            if kinds.get(key) == "dataframe":
                tables.setdefault(key, []).append(value)
            elif kinds.get(key) in JOINED:
                if key not in arrays:
                    own = GrowingMovie(aside / f"{key}.npy", last - first)
                    whole = folder / f"{key}.npy"
                    arrays[key] = own if part is None else _Region(whole, length, first, own)
                arrays[key].append(value)
            else:
                rest[key] = value
        for movie in movies.values():
            let_go(movie)
    done = {key: file.close(kinds[key]) for key, file in arrays.items()}
    done.update({k: exchange.save(joined(v), "dataframe", aside, k) for k, v in tables.items()})
    inferred = {key: exchange.infer_kind(key, value) for key, value in rest.items()}
    done.update({k: exchange.save(v, inferred[k], aside, k) for k, v in rest.items()})
    return done


def joined(tables: list[Any]) -> Any:
    """Put the tables of parts of a movie, in order, under each other."""
    import pandas as pd

    filled = [table for table in tables if len(table)] or tables[:1]
    whole = pd.concat(filled, ignore_index=True)
    for name in whole.columns:
        parts = [table[name] for table in filled if name in table]
        kinds = {part.dtype for part in parts}
        if len(kinds) > 1 and all(
            isinstance(k, pd.CategoricalDtype) and not k.ordered for k in kinds
        ):
            union = pd.api.types.union_categoricals(parts, sort_categories=True)
            if len(union) == len(whole):
                whole[name] = union
    return whole


class _Movie(Protocol):
    def append(self, block: Any) -> None: ...

    def close(self, kind: str) -> Ref: ...


class GrowingMovie:
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
        self._dtype = dtype
        with path.open("wb") as file:
            _write_head(file, dtype, (self._length, *self._frame))

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


class _Region:
    """Frames of a movie of which other workers write the rest.

    Who comes first makes the file. Frames of another type than the file's go into a movie of
    their own, and whoever puts the parts together widens all of it.
    """

    def __init__(self, path: Path, length: int, first: int, own: GrowingMovie) -> None:
        self._path, self._length, self._first, self._own = path, length, first, own
        self._dtype: Any = None
        self._frame: tuple[int, ...] = ()
        self._head = self._done = 0
        self._in_place = True
        self._adler = 1

    def append(self, block: Any) -> None:
        """Write the next frames."""
        import numpy as np

        if self._dtype is None:
            self._dtype, self._frame = block.dtype, tuple(block.shape[1:])
            self._in_place = self._open()
        if self._in_place and block.dtype != self._dtype:
            self._leave()
        if not self._in_place:
            self._own.append(block)
            return
        content: Any = np.ascontiguousarray(block)
        view = memoryview(content.reshape(-1).view(np.uint8))
        with self._path.open("r+b", buffering=0) as file:
            file.seek(self._head + (self._first + self._done) * self._frame_bytes)
            done = 0
            while done < len(view):
                done += file.write(view[done:])
        self._adler = zlib.adler32(view, self._adler)
        self._done += len(block)

    def close(self, kind: str) -> Ref:
        """Give the reference of the whole movie, or of the part that did not fit into it."""
        if not self._in_place:
            return self._own.close(kind)
        shape = (self._length, *self._frame)
        where = str(self._path)
        return Ref(kind, "npy", where, dtype=self._dtype.str, shape=shape, adler=self._adler)

    @property
    def _frame_bytes(self) -> int:
        size: int = self._dtype.itemsize
        for length in self._frame:
            size *= length
        return size

    def _open(self) -> bool:
        """Find the movie or make it; tell whether our frames fit into it."""
        shape = (self._length, *self._frame)
        if not self._path.exists():
            made = self._path.with_name(f".{self._path.name}.{self._first}")
            with made.open("wb") as file:
                _write_head(file, self._dtype, shape)
                file.truncate(file.tell() + self._length * self._frame_bytes)
            try:
                os.link(made, self._path)  # unlike a rename, it never takes another's place
            except FileExistsError:
                pass
            except OSError:  # a file system without hard links
                return False
            finally:
                made.unlink()
        dtype, there, self._head = read_head(self._path)
        return (dtype, there) == (self._dtype, shape)

    def _leave(self) -> None:
        """Go on in a movie of our own, with what we wrote so far."""
        import numpy as np

        self._in_place = False
        if self._done:
            whole = np.load(self._path, mmap_mode="r")
            self._own.append(whole[self._first : self._first + self._done])


def read_head(path: Path) -> tuple[Any, tuple[int, ...], int]:
    """Give dtype, shape and the length of the head of a ``.npy`` file."""
    import numpy as np

    with path.open("rb") as file:
        np.lib.format.read_magic(file)
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
        return dtype, shape, file.tell()


def _write_head(file: Any, dtype: Any, shape: tuple[int, ...]) -> None:
    import numpy as np

    head = {"descr": dtype.str, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, head)
