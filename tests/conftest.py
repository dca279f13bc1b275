"""What tests of running things share: projects, the real program, and a look at the processes."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import sysconfig
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import yaml

PROGRAM = Path(sysconfig.get_path("scripts")) / "cyto"


@pytest.fixture
def wait_for() -> Callable[..., Any]:
    """Wait until a function gives something true, and give it; fail when it never does."""

    def wait(ask: Callable[[], Any], what: str = "it", limit_s: float = 30.0) -> Any:
        end = time.monotonic() + limit_s
        while time.monotonic() < end:
            if found := ask():
                return found
            time.sleep(0.02)
        pytest.fail(f"waited {limit_s:g} s for {what} in vain")

    return wait


def processes_in(folder: Path) -> dict[int, str]:
    """Give the processes whose working folder lies in *folder*, with their command lines."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            where = str((entry / "cwd").readlink())
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if where.startswith(str(folder)):
            found[int(entry.name)] = command
    return found


@pytest.fixture
def nothing_left(tmp_path: Path) -> Iterator[Callable[[], None]]:
    """Make sure, when asked and at the end, that no process works below this test's folder."""

    def check() -> None:
        end = time.monotonic() + 5
        while (left := processes_in(tmp_path)) and time.monotonic() < end:
            time.sleep(0.02)
        assert left == {}

    yield check
    try:
        check()
    finally:  # what one test left must not spoil the next
        for pid in processes_in(tmp_path):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@dataclass
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


@dataclass
class Project:
    """A folder with a pipeline, its own tasks, and images."""

    folder: Path
    module: str = field(default_factory=lambda: f"tasks_{uuid.uuid4().hex[:8]}")
    environ: dict[str, str] = field(default_factory=dict)

    def __truediv__(self, name: str) -> Path:
        return self.folder / name

    @property
    def pipeline(self) -> Path:
        return self.folder / "pipeline.x.yaml"

    @property
    def program(self) -> Path:
        return PROGRAM

    def write(self, text: str, name: str = "pipeline.x.yaml") -> Path:
        """Write a file; ``MODULE`` in it stands for the project's own module."""
        path = self.folder / name
        path.write_text(text.replace("MODULE", self.module), encoding="utf-8")
        return path

    def tasks(self, text: str) -> Path:
        return self.write(text, f"{self.module}.py")

    def image(self, name: str, shape: tuple[int, ...] = (3, 8, 9), **kwargs: Any) -> np.ndarray:
        """Write a movie of which every pixel differs."""
        pixels = np.arange(np.prod(shape), dtype=np.uint16).reshape(shape)
        kwargs = {"photometric": "minisblack", **kwargs}
        axes = "TYX"[-len(shape) :]
        tifffile.imwrite(self.folder / name, pixels, metadata={"axes": axes}, **kwargs)
        return pixels

    def plan_of(self, data: Mapping[str, Any]) -> Path:
        """Write a pipeline from data."""
        return self.write(yaml.safe_dump(dict(data), sort_keys=False))

    def start(self, *args: object, **kwargs: Any) -> subprocess.Popen[str]:
        """Start the real program in the project's folder."""
        return subprocess.Popen(
            [sys.executable, str(PROGRAM), *map(str, args)],
            cwd=self.folder,
            env={**os.environ, **self.environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **kwargs,
        )

    def cyto(self, *args: object) -> Ended:
        """Run the real program to its end."""
        child = self.start(*args)
        out, err = child.communicate(timeout=120)
        return Ended(child.returncode, out, err)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """Give an empty project with a cache of its own; its module is forgotten afterwards."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.setenv("CYTO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "300")
    path = list(sys.path)
    project = Project(folder)
    yield project
    sys.path[:] = path
    for name in [n for n in sys.modules if n.partition(".")[0] == project.module]:
        del sys.modules[name]


VALIDATOR = Path(sys.prefix) / "crate" / "bin" / "python"


@pytest.fixture
def validate_crate() -> Callable[..., list[dict[str, Any]]]:
    """Validate a crate with roc-validator, against Provenance Run Crate; give what it finds.

    The validator holds back packages that others need, so `make` installs it in an environment of
    its own; ``CYTO_CRATE_PYTHON`` names another.
    """
    python = os.environ.get("CYTO_CRATE_PYTHON", str(VALIDATOR))
    if not Path(python).exists():
        why = f"roc-validator is not installed ({python}); 'make test' does it"
        (pytest.fail if os.environ.get("CYTO_REQUIRE") else pytest.skip)(why)
    script = Path(__file__).parent / "crates" / "validate.py"

    def validate(folder: Path, severity: str = "REQUIRED") -> list[dict[str, Any]]:
        argv = [python, str(script), str(folder), severity]
        env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        done = subprocess.run(argv, capture_output=True, text=True, env=env, check=False)
        assert done.returncode == 0, done.stderr
        said = json.loads(done.stdout)
        assert said["executed"] > 60
        assert said["skipped"] == []
        return said["issues"]

    return validate
