"""What ``chaos.py`` kills: a pipeline of any number of nodes, and where they run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
MARK = "CYTO_CHAOS_MARK"
"""Variable that names this use of the script in every process of it, in containers too."""
PROFILES: dict[str, dict[str, str]] = {
    "local": {"default": "baremetal"},
    "docker": {"default": "docker"},
    "apptainer": {"default": "apptainer"},
    "mixed": {"default": "baremetal", "tag:docker": "docker", "tag:apptainer": "apptainer"},
}
"""Environments by what they address. A launcher, such as slurm, goes into `Project._entry`."""

_LOG = "CYTO_CHAOS_LOG"
_TAGS = ("host", "docker", "apptainer")
# One block of the pipeline: each node's class, and its inputs as (place in the block, key).
_BLOCK: list[tuple[str, dict[str, tuple[int, str]]]] = [
    ("Draw", {}),
    ("Turn", {"image": (0, "image")}),  # a fan of three
    ("Turn", {"image": (0, "image")}),
    ("Turn", {"image": (0, "image")}),
    ("Turn", {"image": (1, "image")}),  # a chain
    ("Fade", {"image": (4, "image")}),  # split into its frames
    ("Join", {"a": (2, "image"), "b": (3, "image"), "c": (5, "image")}),
    ("Measure", {"image": (6, "image"), "label": (6, "label")}),
    ("Connect", {"dataframe": (7, "dataframe")}),
    ("Total", {"dataframe": (7, "dataframe"), "total": (-1, "total")}),  # of the block before
]
_EXPORTED = {"Fade", "Join", "Measure", "Connect", "Total"}


def is_split(node: str) -> bool:
    """Tell whether a node runs in chunks."""
    return _BLOCK[int(node[1:]) % len(_BLOCK)][0] == "Fade"


def tasks_of(count: int) -> dict[str, Any]:
    """Give *count* nodes; every third block begins with the channel, a tenth of it is large."""
    tasks: dict[str, Any] = {}
    for number in range(count):
        block, place = divmod(number, len(_BLOCK))
        kind, given = _BLOCK[place]
        sources = {key: (block * len(_BLOCK) + at, out) for key, (at, out) in given.items()}
        inputs = {key: f"n{at:03}.{out}" for key, (at, out) in sources.items() if at >= 0}
        params: dict[str, int] = {"number": number, "work_ms": 4 + number * 7 % 20}
        if kind == "Draw":
            params["size_px"] = 1024 if block % 10 == 5 else 64
            inputs = {"image": "movie"} if block % 3 == 0 else {"image": None}
        tasks[f"n{number:03}"] = {
            "module": f"chaos_tasks.{kind}",
            "params": params,
            "inputs": {key: source for key, source in inputs.items() if source},
            "tags": ["frames" if kind == "Fade" else _TAGS[number % len(_TAGS)]],
            "output": kind in _EXPORTED,
        }
    return tasks


@dataclass(frozen=True)
class Project:
    """A folder with the pipeline, its tasks, a movie, and the log of what was computed."""

    folder: Path
    mark: str
    cache: Path

    @property
    def output(self) -> Path:
        return self.folder / "output"

    @property
    def state(self) -> Path:
        return self.output / ".cyto"

    def make(self, nodes: int, profile: str, images: Mapping[str, str]) -> Project:
        """Write all that a run needs; the same in every folder, so that all keys are the same."""
        import numpy as np
        import tifffile
        import yaml

        (self.folder / "log").mkdir(parents=True)
        shutil.copy(HERE / "chaos_tasks.py", self.folder)
        movie = np.arange(4 * 48 * 48, dtype=np.uint16).reshape(4, 48, 48) % 997
        tifffile.imwrite(  # compressed, so that the engine decodes it into the store
            self.folder / "movie.tif",
            movie,
            metadata={"axes": "TYX"},
            compression="zlib",
            photometric="minisblack",
        )
        pipeline = {"channels": {"movie": "movie.tif"}, "tasks": tasks_of(nodes)}
        entries = {
            address: self._entry(environment, images)
            for address, environment in PROFILES[profile].items()
            if environment == "baremetal" or images.get(environment)
        }
        entries["tag:frames"] = {**entries["default"], "resources": {"batch_size": 1}}
        resources = {"execution_configs": {"chaos": entries}, "default_profile": "chaos"}
        for name, data in (("pipeline", pipeline), ("pipeline-resources", resources)):
            path = self.folder / f"{name}.chaos.yaml"
            path.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
        return self

    def _entry(self, environment: str, images: Mapping[str, str]) -> dict[str, Any]:
        if environment == "baremetal":
            return {"type": "baremetal"}  # has the driver's variables
        return {
            "type": "container",
            "runner": environment,
            "image": images[environment],
            "binds": ["log:/chaos:rw"],
            "env": {_LOG: "/chaos/ran.txt", MARK: self.mark},
        }

    def start(self) -> subprocess.Popen[bytes]:
        """Start ``cyto run``; what it prints is added to ``printed.txt``."""
        env = {
            **os.environ,
            MARK: self.mark,
            _LOG: str(self.folder / "log" / "ran.txt"),
            "CYTO_CACHE": str(self.cache),
        }
        argv = [sys.executable, str(HERE.parent / "main.py"), "run", "pipeline.chaos.yaml"]
        with open(self.folder / "printed.txt", "ab") as printed:
            return subprocess.Popen(
                argv, cwd=self.folder, env=env, stdin=subprocess.DEVNULL, stdout=printed,
                stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip

    def forget(self) -> None:
        """Remove what was computed, and the note that it was."""
        shutil.rmtree(self.output, ignore_errors=True)
        (self.folder / "log" / "ran.txt").unlink(missing_ok=True)

    def computed(self) -> Counter[tuple[str, str]]:
        """Count how often each node, and each chunk of one, was begun: by name and first frame."""
        log = self.folder / "log" / "ran.txt"
        lines = log.read_text().splitlines() if log.exists() else []
        return Counter((f"n{int(line.split()[0]):03}", line.split()[1]) for line in lines)
