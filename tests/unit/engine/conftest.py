"""Tasks for small real pipelines."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

TASKS = '''
import json, os, sys, time
from pathlib import Path
import numpy as np
from cyto.errors import TaskInputError
from cyto.task import Param, PipelineTask, Port

def note(name):
    """Count how often a task ran, in a file beside this one."""
    with open(Path(__file__).with_suffix(".ran"), "a") as file:
        file.write(f"{name} {os.getpid()}\\n")

class Scale(PipelineTask):
    """Multiply."""
    factor: int = Param(2, ge=1)
    inputs = {"image": Port("image", "a movie")}
    outputs = {"image": Port("image", "a brighter movie")}
    framewise = True
    def run_baremetal(self, data):
        note(f"scale{self.factor}")
        print(f"scaling by {self.factor}", flush=True)
        return {"image": data["image"] * np.uint16(self.factor)}

class Frame(PipelineTask):
    """Do something to each frame; wide numbers where it is bright; fail where a file says so."""
    pause_s: float = Param(0.0)
    inputs = {"image": Port("image", "a movie")}
    outputs = {"label": Port("label", "cells"), "dataframe": Port("dataframe", "a row each")}
    framewise = True
    def run_baremetal(self, data):
        import pandas as pd
        image, first = data["image"], data.get("frame_offset") or 0
        note(f"frame{first}+{len(image)}")
        print(f"from {first}", flush=True)
        time.sleep(self.pause_s)
        flag = Path(__file__).with_name(f"fail{first}")
        if flag.exists():
            raise RuntimeError(f"no luck at {first}")
        label = (image > 10).astype(np.uint16 if image.max() > 200 else np.uint8)
        numbers = first + np.arange(len(image))
        table = pd.DataFrame({"frame": numbers, "sum": image.sum((1, 2), dtype=np.int64)})
        return {"label": label, "dataframe": table[table["sum"] > 0], "frame_interval_s": 2.5}

class Mark(PipelineTask):
    """Mark what is bright."""
    level: float = Param(10.0, unit="counts", help="cells are brighter")
    inputs = {"image": Port("image", "a movie")}
    outputs = {"label": Port("label", "cells"), "count": Port("value", "how many")}
    def run_baremetal(self, data):
        note("mark")
        label = (data["image"] > self.level).astype(np.uint8)
        return {"label": label, "count": int(label.sum())}

class Table(PipelineTask):
    """Measure."""
    inputs = {"label": Port("label", "cells"), "image": Port("image", "a movie", optional=True)}
    more_inputs = Port("image", "more channels")
    outputs = {"dataframe": Port("dataframe", "one row per frame")}
    def run_baremetal(self, data):
        import pandas as pd
        note("table")
        context = {k: data.get(k) for k in ("pixel_size_um", "channel")}
        keys = ",".join(sorted(k for k in data if k not in context))
        rows = [{"frame": t, "n": int((f > 0).sum()), "keys": keys, **context}
                for t, f in enumerate(data["label"])]
        return {"dataframe": pd.DataFrame(rows)}

class Graph(PipelineTask):
    """Connect."""
    inputs = {"dataframe": Port("dataframe", "cells")}
    outputs = {"network": Port("network", "contacts")}
    def run_baremetal(self, data):
        import networkx as nx
        return {"network": nx.path_graph(len(data["dataframe"]))}

class Two(PipelineTask):
    """Give two images."""
    inputs = {"image": Port("image", "a movie")}
    outputs = {"first": Port("image"), "second": Port("image")}
    def run_baremetal(self, data):
        return {"first": data["image"], "second": data["image"]}

class Source(PipelineTask):
    """Take nothing."""
    value: int = Param(3)
    outputs = {"value": Port("value")}
    def run_baremetal(self, data):
        note("source")
        return {"value": self.value}

class Boom(PipelineTask):
    """Fail."""
    inputs = {"image": Port("image", "a movie")}
    outputs = {"image": Port("image")}
    def run_baremetal(self, data):
        note("boom")
        print("before the end", flush=True)
        raise RuntimeError("no luck today")

class Flaky(PipelineTask):
    """Fail the first times."""
    times: int = Param(1)
    outputs = {"value": Port("value")}
    def run_baremetal(self, data):
        note("flaky")
        ran = Path(__file__).with_suffix(".ran").read_text().count("flaky")
        if ran <= self.times:
            raise RuntimeError(f"attempt {ran} failed")
        return {"value": ran}

class Wait(PipelineTask):
    """Wait until a file appears."""
    name: str = Param("go")
    inputs = {"value": Port("value", optional=True)}
    outputs = {"value": Port("value")}
    def run_baremetal(self, data):
        note(f"wait-{self.name}")
        flag = Path(__file__).with_name(self.name)
        while not flag.exists():
            time.sleep(0.02)
        return {"value": 1}

class Undeclared(PipelineTask):
    outputs = {"label": Port("label")}
    def run_baremetal(self, data):
        return {"label": np.zeros((1, 2, 3), np.uint8), "masks": np.zeros((7, 8), np.uint8)}

class WrongRank(PipelineTask):
    outputs = {"label": Port("label")}
    def run_baremetal(self, data):
        return {"label": np.zeros((1, 2, 3, 4), np.uint8)}

class Plain:
    """An older class: declares nothing."""
    def __init__(self, factor=1):
        self.factor = factor
    def __call__(self, data):
        return {"image": data["image"] * np.uint16(self.factor), "seen": sorted(data)}

class Model(PipelineTask):
    """Read a file."""
    model: str = Param("", path=True)
    outputs = {"value": Port("value")}
    def run_baremetal(self, data):
        note("model")
        return {"value": [self.model, Path(self.model).read_text()]}
'''


@pytest.fixture
def lab(project):
    """Give a project with tasks and one movie, ``movie.tif``."""
    project.tasks(TASKS)
    project.pixels = project.image("movie.tif")

    def ran() -> list[str]:
        path = (project / project.module).with_suffix(".ran")
        return [line.split()[0] for line in path.read_text().splitlines()] if path.exists() else []

    def pids() -> set[str]:
        path = (project / project.module).with_suffix(".ran")
        return {line.split()[1] for line in path.read_text().splitlines()}

    def store() -> list[Path]:
        return sorted((project / "output/.cyto/store").glob("*/*/manifest.json"))

    def lines() -> list[dict]:
        """Give what was published without files."""
        path = project / "output/.cyto/store/values.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def outputs(node: str) -> dict:
        """Give what a node published last, as references."""
        found = [*(json.loads(p.read_text()) for p in store()), *lines()]
        mine = [m for m in found if m["facts"]["node"] == node]
        return mine[-1]["outputs"]

    project.ran, project.pids, project.outputs = ran, pids, outputs
    project.store, project.lines = store, lines
    return project


@pytest.fixture
def forget(project):
    """Forget the project's module, as a new process would."""

    def forget() -> None:
        sys.modules.pop(project.module, None)

    return forget
