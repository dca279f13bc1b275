"""A full disk: a clear error for what did not fit, no half results, and on it goes with room made.

The disk is a real one of a few megabytes, which takes the right to mount.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import networkx as nx
import numpy as np
import pandas as pd
import pytest
import services_support as services

from cyto.core.request import Ref
from cyto.engine.durability import full_disk_explained
from cyto.engine.export import export_entry
from cyto.engine.plan import Export
from cyto.engine.store import Entry, Store
from cyto.errors import UnavailableError
from cyto.runners import exchange

MOUNT, UMOUNT = shutil.which("mount"), shutil.which("umount")
KEY = "0123456789abcdef0123456789abcdef"
TASKS = """
import numpy as np
from cyto.task import Param, PipelineTask, Port

class Movie(PipelineTask):
    megabytes: int = Param(1)
    ordered: bool = Param(True)
    outputs = {"image": Port("image")}
    def run_baremetal(self, data):
        movie = np.ones((self.megabytes, 1000, 1000), np.uint8)
        return {"image": movie if self.ordered else movie.transpose(2, 1, 0)}

class Printing(PipelineTask):
    outputs = {"value": Port("value")}
    def run_baremetal(self, data):
        for _ in range(100_000):
            print("x" * 99)
        return {"value": 1}
"""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Give a disk of 6 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if MOUNT is None or UMOUNT is None:
        pytest.skip("there is no program 'mount'")
    argv = [MOUNT, "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(folder)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"a disk cannot be mounted: {done.stderr.strip()}")
    yield folder
    subprocess.run([UMOUNT, "--lazy", str(folder)], check=True)


def fill(disk: Path, left_bytes: int = 0) -> Path:
    """Fill the disk but for so many bytes."""
    ballast = disk / "ballast"
    with open(ballast, "wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(1 << 16))
    os.truncate(ballast, max(0, ballast.stat().st_size - left_bytes))
    return ballast


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_publishing(disk: Path) -> None:
    store, out = Store(disk / "store"), disk / "job" / "out"
    out.mkdir(parents=True)
    movie = exchange.save(np.ones((1, 9, 9)), "image", out, "image")
    entry = Entry(key=KEY, outputs={"image": movie})
    ballast = fill(disk)
    with pytest.raises(UnavailableError) as caught, full_disk_explained(disk):
        store.publish(KEY, out, entry)
    assert f"No space left on device on the disk of {disk}" in str(caught.value)
    assert files(disk / "store") == []
    assert store.get(KEY) is None
    ballast.unlink()
    store.publish(KEY, out, entry)
    assert store.get(KEY) is not None
    store.close()


NOISE = np.random.default_rng(0).integers(0, 60000, (4, 512, 512)).astype(np.uint16)
TABLE = pd.DataFrame({"a": NOISE.ravel()[:200_000], "b": NOISE.ravel()[:200_000] / 7})
EXPORTS = {
    "image": ("image", NOISE, Export()),
    "table": ("dataframe", TABLE, Export()),
    "parquet": ("dataframe", TABLE, Export(parquet=True)),
    "network": ("network", nx.path_graph(20_000), Export()),
    "value": ("value", NOISE.ravel()[:200_000].tolist(), Export()),
}


@pytest.mark.parametrize("name", EXPORTS)
def test_exporting(name: str, disk: Path, tmp_path: Path) -> None:
    kind, value, how = EXPORTS[name]
    entry = Entry(key=KEY, outputs={"x": exchange.save(value, kind, tmp_path, "x")})
    folder, ballast = disk / "node", fill(disk, left_bytes=1 << 16)
    with pytest.raises(UnavailableError, match="No space left"), full_disk_explained(disk):
        export_entry(entry, folder, how)
    assert files(folder) == [], "nothing half"
    ballast.unlink()
    (found,) = export_entry(entry, folder, how)
    assert Path(found.path).stat().st_size > 1 << 16


def test_exporting_over_an_older_one(disk: Path, tmp_path: Path) -> None:
    old = Entry(key="0" * 32, outputs={"x": Ref("value", "inline", value=1)})
    (found,) = export_entry(old, disk / "node", Export())
    new = exchange.save(["y" * 99] * 9999, "value", tmp_path, "x")
    fill(disk, left_bytes=1 << 16)
    with pytest.raises(OSError, match="No space left") as caught:
        export_entry(Entry(key=KEY, outputs={"x": new}), disk / "node", Export())
    assert caught.value.errno == errno.ENOSPC
    assert Path(found.path).read_text() == "1\n", "the older one is untouched"


@pytest.mark.parametrize("ordered", [True, False])
def test_a_task_whose_result_does_not_fit(ordered: bool, cyto: services.Cyto, disk: Path) -> None:
    (cyto.folder / "disk_tasks.py").write_text(TASKS)
    large = {"module": "disk_tasks.Movie", "params": {"megabytes": 9, "ordered": ordered}}
    pipeline = cyto.write({"tasks": {"large": large, "small": {"module": "disk_tasks.Movie"}}})
    run = cyto("run", pipeline, "--jobs", "1", "-o", disk / "out", "--json")
    assert run.code == 1, run.said
    assert run.nodes["small"]["outcome"] == "succeeded", run.said
    assert "no space is left on the disk that the task writes to" in run.nodes["large"]["message"]
    assert "--output-dir" in run.nodes["large"]["message"]
    assert list(services.places(disk / "out")) == ["small"]
    elsewhere = cyto("run", pipeline, "-o", cyto.folder / "elsewhere", "--json")
    assert elsewhere.code == 0, elsewhere.said


def test_a_disk_that_is_full_for_everything(cyto: services.Cyto, disk: Path) -> None:
    (cyto.folder / "disk_tasks.py").write_text(TASKS)
    tasks = {
        "small": {"module": "disk_tasks.Movie", "output": True},
        "printing": {"module": "disk_tasks.Printing"},
    }
    pipeline = cyto.write({"tasks": tasks})
    output = disk / "out"
    full = fill(disk)
    run = cyto("run", pipeline, "-o", output)
    assert run.code in {1, 3}, run.said
    assert "No space left on device" in run.said
    assert "pyCyto itself failed" not in run.said
    full.unlink()
    run = cyto("run", pipeline, "-o", output)  # until one task has printed the disk full
    assert run.code in {1, 3}, run.said
    assert "space" in run.said
    assert "pyCyto itself failed" not in run.said
    for log in output.glob("**/*.log"):
        log.write_bytes(b"")
    shutil.rmtree(output / ".cyto" / "runs", ignore_errors=True)
    run = cyto("run", pipeline, "--only", "small", "-o", output, "--json")
    assert run.code == 0, run.said
    assert run.nodes["small"]["outcome"] in {"succeeded", "cached"}
