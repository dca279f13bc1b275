"""A node's frames in chunks: which there are, which are done, and the whole made of them."""

from __future__ import annotations

import json
import os
import shutil
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cyto.core.request import Ref, TaskResult
from cyto.engine.fingerprint import file_digest
from cyto.engine.plan import Node
from cyto.errors import CytoError
from cyto.runners import exchange
from cyto.runners.blocks import GrowingMovie, joined, read_head

Range = tuple[int, int]
"""First frame and the one after the last."""
_MOVIES = ("image", "label")


def chunk_ranges(node: Node, refs: Mapping[str, Ref]) -> tuple[Range, ...]:
    """Say into which ranges of frames *node* is to be split; none when it runs as a whole.

    Parameters
    ----------
    node
        Split when its task is framewise and its profile gives a ``batch_size``.
    refs
        Its inputs; its movies must have the same number of frames.
    """
    size = node.placement.batch_size
    lengths = {(ref.shape or (0,))[0] for ref in refs.values() if ref.kind in _MOVIES}
    if not (node.framewise and size) or len(lengths) != 1:
        return ()
    length = lengths.pop()
    if length <= size:
        return ()
    return tuple((start, min(start + size, length)) for start in range(0, length, size))


class Parts:
    """The results of a node's chunks, kept between runs until they are all there.

    Each chunk writes its frames into the place where the whole is to be; a mark says that it is
    done. Nothing passes through the driver but small tables.

    Parameters
    ----------
    folder
        The node's own, for these inputs and parameters.
    ranges
        The chunks.
    """

    def __init__(self, folder: Path, ranges: Sequence[Range]) -> None:
        self.folder, self.ranges = folder, tuple(ranges)
        (folder / "done").mkdir(parents=True, exist_ok=True)
        os.utime(folder)  # in use
        self._results: dict[int, TaskResult] = {}

    @property
    def out(self) -> Path:
        """Where the whole result grows."""
        return self.folder / "out"

    def missing(self) -> list[int]:
        """Give the chunks that are still to be computed; those done are checked first."""
        for index, span in enumerate(self.ranges):
            result = self._recall(span)
            if result is not None:
                self._results[index] = result
        return [index for index in range(len(self.ranges)) if index not in self._results]

    def add(self, index: int, result: TaskResult) -> None:
        """Keep a chunk's result."""
        self._results[index] = result
        mark = self._mark(self.ranges[index])
        part = mark.with_suffix(".part")
        moved = {k: ref.moved(self._relative) for k, ref in result.outputs.items()}
        files = {
            k: file_digest(Path(ref.path))
            for k, ref in result.outputs.items()
            if ref.path is not None and ref.adler is None  # a file of the chunk's own
        }
        data = {**replace(result, outputs=moved).to_json(), "files": files}
        part.write_text(json.dumps(data), encoding="utf-8")
        part.replace(mark)

    def join(self) -> TaskResult:
        """Put all chunks together in `out`; what they were made of goes.

        Returns
        -------
        The node's result: the whole's references, summed times, the largest memory.
        """
        results = [self._results[index] for index in range(len(self.ranges))]
        outputs = {}
        for key in dict.fromkeys(key for result in results for key in result.outputs):
            refs = [result.outputs[key] for result in results if key in result.outputs]
            outputs[key] = self._whole(key, refs)
        shutil.rmtree(self.out / "parts", ignore_errors=True)
        return TaskResult(
            outputs=outputs,
            wall_s=sum(result.wall_s for result in results),
            cpu_s=sum(result.cpu_s for result in results),
            peak_bytes=max(result.peak_bytes for result in results),
            versions=results[-1].versions,
        )

    def discard(self) -> None:
        """Remove what is left when the whole was published."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _whole(self, key: str, refs: list[Ref]) -> Ref:
        first = refs[0]
        if first.kind == "dataframe":
            table = joined([exchange.load(ref) for ref in refs])
            return exchange.save(table, "dataframe", self.out, key)
        if first.kind not in _MOVIES:
            return refs[-1]
        if all(ref.adler is not None for ref in refs):
            return replace(first, adler=None)
        return self._widened(key, refs)

    def _widened(self, key: str, refs: list[Ref]) -> Ref:
        """Write a movie whose chunks have numbers of different types once more, in the widest."""
        import numpy as np

        shape = refs[0].shape or ()
        wide = np.result_type(*(np.dtype(ref.dtype or "") for ref in refs))
        movie = GrowingMovie(self.out / f"{key}.wide.npy", self.ranges[-1][1])
        movie.append(np.empty((0, *shape[1:]), wide))
        for ref, (start, stop) in zip(refs, self.ranges, strict=True):
            frames = exchange.load(ref)
            movie.append(frames[start:stop] if ref.adler is not None else frames)
        ref = movie.close(refs[0].kind)
        path = Path(ref.path or "").rename(self.out / f"{key}.npy")
        return replace(ref, path=str(path))

    def _mark(self, span: Range) -> Path:
        return self.folder / "done" / f"{span[0]}-{span[1]}.json"

    def _relative(self, path: str) -> str:
        return str(Path(path).relative_to(self.folder))

    def _recall(self, span: Range) -> TaskResult | None:
        """Read a chunk's mark; ``None`` when it is not done, or not whole after a crash."""
        try:
            data = json.loads(self._mark(span).read_text(encoding="utf-8"))
            files = data.pop("files")
            result = TaskResult.from_json(data)
            outputs = {
                k: r.moved(lambda p: str(self.folder / p)) for k, r in result.outputs.items()
            }
            intact = all(_intact(r, span, files.get(k)) for k, r in outputs.items())
        except (OSError, CytoError, ValueError, KeyError, TypeError):
            return None
        return replace(result, outputs=outputs) if intact else None


def _intact(ref: Ref, span: Range, digest: str | None) -> bool:
    """Tell whether what a chunk wrote is there as it wrote it."""
    if ref.adler is None:
        return ref.path is None or file_digest(Path(ref.path)) == digest
    dtype, shape, head = read_head(Path(ref.path or ""))
    if (dtype.str, shape) != (ref.dtype, ref.shape):
        return False
    size = dtype.itemsize
    for length in shape[1:]:
        size *= length
    found = 1
    for block in _blocks(Path(ref.path or ""), head + span[0] * size, head + span[1] * size):
        found = zlib.adler32(block, found)
    return found == ref.adler


def _blocks(path: Path, start: int, stop: int) -> Iterator[Any]:
    with path.open("rb", buffering=0) as file:
        file.seek(start)
        while start < stop:
            block = file.read(min(1 << 22, stop - start))
            if not block:
                return
            start += len(block)
            yield block
