"""The row about CellPose: in a container of the engine, and as a plain loop in the same image."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from bench_engine import ROOT, fresh, planned, run, write_pipeline
from bench_raw import Place
from bench_rows import Aim, CannotRunError, Entry, Row
from bench_setup import Setup, write_movie

from cyto.simulation import simulate_assay

_DIAMETER_PX = 22
LAYERS = ("docker", "image", "inspect", "--format", "{{.RootFS.Layers}}")
_PLAIN = """
import time
import numpy as np
from cyto.segmentation import _cellpose

model = _cellpose.load_model({model!r}, 0, False)
movie = np.load({movie!r})
how = dict(diameter={diameter}, channels=[0, 0], batch_size=8, flow_threshold=0.4,
           cellprob_threshold=0.0)
model.eval(movie[0].astype(np.float32), **how)
started = time.perf_counter()
for frame in movie:
    model.eval(frame.astype(np.float32), **how)
print(time.perf_counter() - started)
"""


def cellpose(setup: Setup, folder: Path) -> Row:
    """CellPose on 50 frames by a worker that has loaded its model."""
    place = setup.cellpose_place()
    kept = _model(place)
    shutil.copyfile(kept, folder / "model")
    assay = simulate_assay(frames=setup.cellpose_frames, size=(256, 256), tcells=4)
    movie = write_movie(folder / "movie.tif", assay.cancer)
    np.save(folder / "movie.npy", assay.cancer)
    return Row(
        title=f"CellPose on {setup.cellpose_frames} frames of 256² in Docker, after start-up",
        unit="s",
        ours=Entry(name="cyto", run=lambda: _ours(folder, place, movie)),
        beside=[Entry(name="the plain loop in the same image", run=lambda: _plain(folder, place))],
        aim=Aim(limit=1.03, beside=True, text="≤ 1.03 × the plain loop"),
    )


def _ours(folder: Path, place: Place, movie: Path) -> float:
    """Give the seconds from the end of a node with one frame to the end of one with all."""
    task = {
        "module": "cyto.segmentation.cellpose.CellPose",
        "params": {"model_type": str(folder / "model"), "diameter": _DIAMETER_PX},
    }
    tasks = {
        "first": {**task, "inputs": {"image": "one_frame"}},
        "all": {**task, "inputs": {"image": "movie"}, "dependencies": ["first"]},
    }
    channels = {"movie": str(movie), "one_frame": {"path": str(movie), "frames": [0, 1]}}
    ends: dict[str, float] = {}

    def listen(event: dict[str, Any]) -> None:
        if event["event"] == "node_finished":
            ends[event["node"]] = event["time"]

    with fresh(folder) as work:
        run(
            planned(write_pipeline(work, tasks, {"default": dict(place.entry)}, channels)),
            None,
            listen,
        )
    return ends["all"] - ends["first"]


def _plain(folder: Path, place: Place) -> float:
    code = _PLAIN.format(
        model=str(folder / "model"), movie=str(folder / "movie.npy"), diameter=_DIAMETER_PX
    )
    done = subprocess.run(
        place.start(code, folder, threads=1), capture_output=True, text=True, check=False
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise CannotRunError(f"the plain loop exited with {done.returncode}: {last}")
    return float(done.stdout.split()[-1])


def _model(place: Place) -> Path:
    """Give the tests' tiny model, trained by the image itself, a minute, where it is missing."""
    sys.path.append(str(ROOT / "tests"))
    import models

    layers = subprocess.run(
        [*LAYERS, place.image],
        capture_output=True,
        text=True,
        check=False,
    )
    if layers.returncode:
        raise CannotRunError(f"there is no Docker image {place.image!r}")
    libraries = layers.stdout.strip().rpartition(" ")[0]  # the last layer is cyto
    kept = models.model_cache() / f"image-{models.recipe_key(libraries)}"
    if not kept.exists():
        _train(place, models.RECIPE, kept)
    return Path(kept)


def _train(place: Place, recipe: Path, kept: Path) -> None:
    kept.parent.mkdir(parents=True, exist_ok=True)
    binds = {ROOT / "cyto": "/code/cyto", recipe: "/recipe.py", kept.parent: "/out"}
    done = subprocess.run(
        [
            *("docker", "run", "--rm", "--network", "none"),
            *("--user", f"{os.getuid()}:{os.getgid()}", "--workdir", "/code"),
            *(part for path, to in binds.items() for part in ("--volume", f"{path}:{to}")),
            *("--env", "PYTHONPATH=/code", "--env", "HOME=/tmp"),
            *("--entrypoint", "python3", place.image, "/recipe.py", f"/out/{kept.name}"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise CannotRunError(f"the tests' model could not be trained: {last}")
