"""How long the tasks take, beside what others offer for the same work.

    python scripts/benchmark/tasks.py            1024 × 1024 frames, about 500 cells
    python scripts/benchmark/tasks.py --quick    small ones, once: does it still run?

What is timed is the whole call of a task, its checks included, after one call for the caches;
features and contacts are of a movie of 8 frames, per frame. The references are timed in turn with
it; one that takes more than 5 s is run once. Frames and tracks are random and the same on every
machine, and the last column says what was found in them. Other work on the machine lengthens all
times, so its load is printed: by itself, this makes one of about 1.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent.parent)]

import bench_references as references  # noqa: E402
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
from bench_frames import (  # noqa: E402
    Frame,
    flipped,
    links,
    random_frame,
    random_tracks,
    right_cells,
    right_links,
)
from bench_timing import HEAD, Row, Timing, Work, lines, measure  # noqa: E402

from cyto.contact.contacts import CellContacts  # noqa: E402
from cyto.preprocessing.background import BackgroundSubtraction  # noqa: E402
from cyto.preprocessing.registration import Registration  # noqa: E402
from cyto.segmentation.watershed import Watershed  # noqa: E402
from cyto.tabulation.regions import RegionFeatures  # noqa: E402
from cyto.task import PipelineTask  # noqa: E402
from cyto.tracking.lap import LapTracker  # noqa: E402

REACH_PX = 15.0
"""How far a cell moves between frames, at most, to every tracker."""
FIRST_CALL = """
import json, sys, time
import numpy as np
from cyto.tabulation import _hulls, _jit, _loops, _regions
from cyto.tabulation.regions import RegionFeatures

label = np.zeros((64, 64), np.uint16)
label[9:40, 8:30], label[12:50, 30:60] = 1, 2
data = {"label": label, "image": label * np.uint16(9)}
started = time.perf_counter()
RegionFeatures()(data)
elapsed = time.perf_counter() - started
loops = [v for m in (_hulls, _loops) for v in vars(m).values() if hasattr(v, "stats")]
compiled = sum(sum(loop.stats.cache_misses.values()) for loop in loops)
print(json.dumps({"ms": elapsed * 1000, "compiled": compiled, "numba": _jit.COMPILED}))
"""


@dataclass(frozen=True)
class Size:
    """How much to do."""

    image_px: int = 1024
    cells: int = 500
    frames: int = 100
    many: int = 5000


def main() -> None:
    args = _arguments()
    size = Size(image_px=192, cells=20, frames=8, many=60) if args.quick else Size()
    runs = 1 if args.quick else args.runs
    results = []
    if not args.json:
        print(f"{os.cpu_count()} cpus, Python {sys.version.split()[0]}, {runs} runs, {_load()}")
        print(f"\n{HEAD}")
    for result in _results(size, runs, aims=not args.quick):
        results.append(result)
        if not args.json:
            print(*lines(result), sep="\n", flush=True)
    if not args.json:
        print(f"\nat the end {_load()}")
    else:
        print(json.dumps({"cpus": os.cpu_count(), "runs": runs, "rows": results}, indent=2))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=5, help="of each work, after the first call")
    parser.add_argument("--quick", action="store_true", help="small frames, one run, no aims")
    parser.add_argument("--json", action="store_true", help="print JSON instead of the table")
    args = parser.parse_args()
    if args.runs < 1:
        parser.error("--runs must be at least 1")
    return args


def _load() -> str:
    return f"load {os.getloadavg()[0]:.1f}"


def _results(size: Size, runs: int, *, aims: bool) -> Iterator[dict[str, Any]]:
    frame = random_frame(size.image_px, size.cells)
    for row in (*_label_rows(frame), *_image_rows(frame, size)):
        yield measure(row, runs, aims=aims)
    for row in _tracking_rows(size):
        yield measure(row, runs, aims=aims)
    yield from _first_calls(runs)


def _label_rows(frame: Frame) -> Iterator[Row]:
    labels, image = frame.labels, frame.image
    movie, single = _ours(RegionFeatures(), {"label": labels, "image": image}, _table_size)
    theirs = [
        Work(
            f"scikit-image{word}",
            lambda feret=feret: references.features(labels, image, feret=feret),
            lambda found: f"{len(found['label'])} cells, {len(found)} columns",
        )
        for feret, word in ((True, ""), (False, " without Feret diameter"))
    ]
    yield Row("all features, 1 channel", movie, [single, *theirs], aim_ms=8, aim_faster=40)
    movie, single = _ours(CellContacts(), {"cell": labels}, _pairs)
    theirs = [
        Work(
            f"scikit-image {name}",
            lambda lengths=lengths: references.boundary_graph(labels, lengths=lengths),
            _pairs,
        )
        for name, lengths in (("rag_boundary", True), ("RAG, no lengths", False))
    ]
    yield Row("pairs that touch, with contact length", movie, [single, *theirs], aim_ms=6)
    movie, single = _ours(CellContacts(max_distance_px=5), {"cell": labels}, _pairs)
    tree = Work("KD-tree of boundary pixels", lambda: references.near_pairs(labels, 5), _pairs)
    yield Row("pairs within 5 px", movie, [single, tree], aim_ms=40)


def _watershed_row(title: str, frame: Frame, diameter_px: float) -> Row:
    task = Watershed(diameter_px=diameter_px)

    def right(found: Any) -> str:
        return right_cells(found, frame.labels)

    others = {
        "scikit-image and scipy": references.watershed,
        "OpenCV, scikit-image's watershed": references.watershed_opencv,
    }
    return Row(
        title,
        Work("Watershed", lambda: task({"image": frame.image})["label"][0], right),
        [
            Work(name, lambda how=how: how(frame.image, diameter_px), right)
            for name, how in others.items()
        ],
        aim_ms=110,
    )


def _image_rows(frame: Frame, size: Size) -> Iterator[Row]:
    pitch_px = size.image_px / math.ceil(math.sqrt(size.cells))
    yield _watershed_row("watershed of one frame", frame, 0.68 * pitch_px)
    crowd = random_frame(size.image_px, size.cells, dense=True)
    yield _watershed_row("watershed of one frame, cells on half of it", crowd, 0.84 * pitch_px)
    outside = frame.labels == 0

    def left(found: Any) -> str:
        return f"{np.median(np.squeeze(found)[outside]):.0f} counts left"

    ball = BackgroundSubtraction(radius_px=50)
    yield Row(
        "background of one frame, radius 50",
        Work("BackgroundSubtraction", lambda: ball({"image": frame.image})["image"], left),
        [
            Work(
                "scikit-image, 4 × smaller image",
                lambda: references.rolling_ball_small(frame.image, 50),
                left,
            ),
            Work("scikit-image", lambda: references.rolling_ball(frame.image, 50), left),
        ],
        aim_ms=120,
    )
    movie, register = np.stack([frame.image, frame.moved]), Registration()
    yield Row(
        "drift of one frame, 0.1 px, moved back",
        Work(
            "Registration",
            lambda: register({"image": movie})["dataframe"],
            lambda found: f"{found.drift_y[1]:.2f}, {found.drift_x[1]:.2f} px",
        ),
        [
            Work(
                f"scikit-image, scipy's shift of order {order}",
                lambda order=order: references.drift(frame.image, frame.moved, order),
                lambda found: f"{found[0][0]:.2f}, {found[0][1]:.2f} px",
            )
            for order in (3, 1)
        ],
        aim_ms=70,
    )


def _tracking_rows(size: Size) -> Iterator[Row]:
    wide_px = size.image_px * math.sqrt(size.many / size.cells)
    few = random_tracks(size.frames, size.cells, size.image_px)
    many = random_tracks(size.frames, size.many, wide_px)
    dense = random_tracks(size.frames, size.many, size.image_px)
    title = f"tracking {size.frames} × "
    yield Row(
        f"{title}{size.cells}",
        _lap(few),
        [*_laptrack(few), *_trackpy(few)],
        aim_ms=500,
    )
    yield Row(f"{title}{size.many}, as dense", _lap(many), _trackpy(many), aim_ms=10_000)
    yield Row(f"{title}{size.many} in the same frame", _lap(dense), aim_ms=10_000)


def _lap(table: pd.DataFrame) -> Work:
    task = LapTracker(linking_max_distance=REACH_PX, gap_closing_max_distance=REACH_PX)

    def track() -> Any:
        return task({"dataframe": table})["dataframe"]["track_id"].to_numpy()

    return Work("LapTracker", track, lambda found: _right(found, table))


def _laptrack(table: pd.DataFrame) -> list[Work]:
    if importlib.util.find_spec("laptrack") is None:
        return []
    return [
        Work(
            "laptrack",
            lambda: references.laptrack_links(table, REACH_PX),
            lambda found: right_links(found, table),
        )
    ]


def _trackpy(table: pd.DataFrame) -> list[Work]:
    if importlib.util.find_spec("trackpy") is None:
        return []
    return [
        Work(
            "trackpy",
            lambda: references.trackpy_tracks(table, REACH_PX),
            lambda track: _right(track, table),
        )
    ]


def _right(track: Any, table: pd.DataFrame) -> str:
    return right_links(links(track, table["frame"].to_numpy()), table)


def _ours(
    task: PipelineTask, data: dict[str, Any], found: Callable[[Any], str]
) -> tuple[Work, Work]:
    """Time a task's table on a movie, per frame, and on a single frame."""
    name = type(task).__name__
    movie = {key: flipped(frame) for key, frame in data.items()}
    frames = len(next(iter(movie.values())))

    def first(table: pd.DataFrame) -> str:
        return found(table[table["frame"] == 0])

    return (
        Work(name, lambda: task(movie)["dataframe"], first, frames=frames),
        Work(f"{name} of a single frame", lambda: task(data)["dataframe"], first, rival=False),
    )


def _table_size(table: pd.DataFrame) -> str:
    return f"{len(table)} cells, {len(table.columns)} columns"


def _pairs(found: Any) -> str:
    return f"{len(found)} pairs"


def _first_calls(runs: int) -> Iterator[dict[str, Any]]:
    """Time the first call in new processes: with an empty cache of Numba, then with a filled one.

    The second row meets its aim where nothing was compiled again.
    """
    empty, filled = Timing("RegionFeatures"), Timing("RegionFeatures")
    again = 0
    for _ in range(runs):
        with tempfile.TemporaryDirectory(prefix="cyto-bench-") as folder:
            first, second = _first_call(folder), _first_call(folder)
        empty.ms.append(first["ms"])
        filled.ms.append(second["ms"])
        empty.found = f"{first['compiled']} loops compiled" if first["numba"] else "no Numba"
        again = max(again, second["compiled"])
    filled.found = f"{again} loops compiled"
    titles = ("first call in a process, empty cache", "first call in a process, cached on disk")
    for title, timing, aim in zip(titles, (empty, filled), ("", "compiled once"), strict=True):
        yield {
            "row": title,
            "ours": timing.as_dict(),
            "references": [],
            "aim": aim,
            "met": again == 0 if aim else None,
        }


def _first_call(cache: str) -> dict[str, Any]:
    path = os.pathsep.join(filter(None, [str(HERE.parent.parent), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, "-c", FIRST_CALL],
        env={**os.environ, "NUMBA_CACHE_DIR": cache, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    main()
