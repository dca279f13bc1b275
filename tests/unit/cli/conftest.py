"""Commands called in this process, and small pipelines for them."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from cyto.cli.main import main
from cyto.runners import apptainer

TASKS = '''
import numpy as np
from cyto.task import Param, PipelineTask, Port

class Scale(PipelineTask):
    """Multiply every pixel."""
    factor: int = Param(2, ge=1, le=9, unit="times", help="how much brighter")
    mode: str = Param("plain")
    inputs = {"image": Port("image", "a movie")}
    outputs = {"image": Port("image", "a brighter movie")}
    def run_baremetal(self, data):
        print(f"scaling by {self.factor}", flush=True)
        return {"image": data["image"] * np.uint16(self.factor)}

class Table(PipelineTask):
    """Want a table."""
    inputs = {"dataframe": Port("dataframe", "cells")}
    outputs = {"value": Port("value")}
    def run_baremetal(self, data):
        return {"value": 1}

class Undeclared(PipelineTask):
    """Return what it does not declare."""
    outputs = {"label": Port("label")}
    def run_baremetal(self, data):
        return {"label": np.zeros((1, 2, 3), np.uint8), "masks": np.zeros((7, 8), np.uint8)}

class WrongRank(PipelineTask):
    """Return four axes."""
    outputs = {"label": Port("label")}
    def run_baremetal(self, data):
        return {"label": np.zeros((1, 2, 3, 4), np.uint8)}

class NoTask: pass
class Needs:
    def __init__(self, size): pass
    def __call__(self, data): return {}
'''


@dataclass
class Answer:
    """What a command answered."""

    code: int
    out: str
    err: str


@pytest.fixture
def call(capsys):
    """Run a command in this process."""

    def call(*args: object) -> Answer:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(arg) for arg in args])
        said = capsys.readouterr()
        return Answer(ended.value.code, said.out, said.err)

    return call


@pytest.fixture
def lab(project):
    """Give a project with tasks and one movie, ``movie.tif``."""
    project.tasks(TASKS)
    project.pixels = project.image("movie.tif")
    return project


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """Leave on the PATH only what the test puts there."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    apptainer.program.cache_clear()

    def put(name: str, script: str) -> None:
        path = folder / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    yield put
    monkeypatch.undo()
    apptainer.program.cache_clear()
