"""What tests with real services share: what is there, images, what was left, ``cyto run``."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import models
import psutil
import pytest
import yaml

from cyto.core.placement import Placement
from cyto.errors import UnavailableError
from cyto.runners.environment import get_environment
from cyto.runners.slurm import Slurm

DOCKER, BASH = shutil.which("docker") or "docker", shutil.which("bash") or "bash"
ROOT = Path(__file__).resolve().parents[1]
MARK = "CYTO_TEST_MARK"
"""Variable that names the test in every process that the test causes, in containers too."""


def require(*services: str) -> None:
    """Skip the test where a service is missing; fail it where ``CYTO_REQUIRE`` names it."""
    wanted = os.environ.get("CYTO_REQUIRE", "").replace(",", " ").split()
    for service in services:
        fault = _fault(service)
        if fault and service in wanted:
            pytest.fail(f"CYTO_REQUIRE names {service}: {fault}", pytrace=False)
        if fault:
            pytest.skip(f"{service}: {fault}")


@cache
def _fault(service: str) -> str:
    """Say why a service cannot be used; empty when it can."""
    try:
        if service == "chromium":
            return _chromium_fault()
        if service == "slurm":
            Slurm().check(Placement())
        else:
            get_environment(service).check_program()  # type: ignore[attr-defined]
    except UnavailableError as error:
        return error.message
    return ""


def _chromium_fault() -> str:
    if importlib.util.find_spec("selenium") is None:
        return "selenium, which drives it, is not installed (pip install --group test)"
    missing = [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]
    return f"{' and '.join(missing)} cannot be found (scripts/services.sh up chromium)" * bool(
        missing
    )


def image(name: str) -> str:
    """Give the tag of a test image, or the path of a SIF (``…-sif``); built where it is missing.

    *name* is one that ``scripts/test_images.sh`` takes: base, tasks, cellpose, stardist, or one of
    the last three with -sif.
    """
    require("docker", *(["apptainer"] if name.endswith("-sif") else []))
    reference, fault = _image(name)
    if not fault:
        return reference
    if os.environ.get("CYTO_REQUIRE"):
        pytest.fail(f"the image {name} could not be made: {fault}", pytrace=False)
    pytest.skip(f"the image {name} could not be made: {fault}")


@cache
def _image(name: str) -> tuple[str, str]:
    script = str(ROOT / "scripts" / "test_images.sh")
    done = subprocess.run([BASH, script, name], capture_output=True, text=True, check=False)
    if done.returncode:
        return "", "\n".join(done.stderr.splitlines()[-5:])
    return done.stdout.strip().splitlines()[-1].partition("=")[2], ""


def python_in(tool: str, args: Sequence[str], **mounts: Path) -> None:
    """Run plain Python inside a tool's image, as somebody who never heard of our runners would.

    *mounts* are folders or files by their name below ``/`` in the container.
    """
    binds = [
        part
        for name, path in {"code/cyto": ROOT / "cyto", **mounts}.items()
        for part in ("--volume", f"{path}:/{name}")
    ]
    user = f"{os.getuid()}:{os.getgid()}"
    done = subprocess.run(
        [DOCKER, "run", "--rm", "--network", "none", "--user", user, *binds, "--env",
         "PYTHONPATH=/code", "--env", "HOME=/tmp", "--workdir", "/tmp", image(tool), "python3",
         *args],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]


@cache
def model(tool: str) -> Path:
    """Give a tiny model of *tool* (cellpose, stardist), a file or a folder.

    It is trained once, a minute or two, by the image itself, and kept between test runs.
    """
    recipe = models.RECIPES[tool]
    layers = docker("image", "inspect", "--format", "{{.RootFS.Layers}}", image(tool))
    libraries = layers.rpartition(" ")[0]  # the last layer is cyto
    kept = models.model_cache() / f"image-{models.recipe_key(libraries, recipe=recipe)}"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        mounts = {"recipe.py": recipe, "out": kept.parent}
        python_in(tool, ["/recipe.py", f"/out/{kept.name}"], **mounts)
    return kept


def places(output: Path) -> dict[str, str]:
    """Read from the store below *output* in which environment each node's result was made."""
    manifests = output.glob(".cyto/store/*/*/manifest.json")
    texts = [path.read_text(encoding="utf-8") for path in manifests]
    lines = output / ".cyto" / "store" / "values.jsonl"
    texts += lines.read_text(encoding="utf-8").splitlines() if lines.exists() else []
    facts = [json.loads(text)["facts"] for text in texts]
    return {fact["node"]: fact["environment"] for fact in facts}


def readable_by_all(path: Path) -> bool:
    """Tell whether any user may look into *path*."""
    return all(folder.stat().st_mode & 0o005 == 0o005 for folder in [path, *path.parents])


def until(condition: Callable[[], object], *, within_s: float = 20.0) -> bool:
    """Wait until *condition* holds; tell whether it came to that."""
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def suspended(pid: int, seconds: float, meanwhile: Callable[[], object]) -> None:
    """Hold a process for some seconds."""
    os.kill(pid, signal.SIGSTOP)
    try:
        meanwhile()
        time.sleep(seconds)
    finally:
        os.kill(pid, signal.SIGCONT)


def marked(mark: str) -> list[psutil.Process]:
    """Find every process that has *mark* in its environment or command, this one excepted."""
    found = []
    for process in psutil.process_iter():
        if process.pid == os.getpid():
            continue
        try:
            raw = Path(f"/proc/{process.pid}/environ").read_bytes()
            raw += Path(f"/proc/{process.pid}/cmdline").read_bytes()
        except OSError:
            continue
        if mark.encode() in raw:
            found.append(process)
    return found


def workers(mark: str) -> list[psutil.Process]:
    """Find the processes that run tasks: Python itself, not what holds or watches it."""
    found = []
    for process in marked(mark):
        try:
            argv, name = process.cmdline(), process.name()
        except psutil.Error:
            continue
        serves = argv[-1:] == ["--serve"] and name.startswith("python")
        if serves and not any(w in argv[0] for w in ("docker", "apptainer", "nice")):
            found.append(process)
    # process 1 of a container waits for the one that works
    parents = {process.ppid() for process in found}
    return [process for process in found if process.pid not in parents]


def containers(mark: str, *, stopped: bool = True) -> list[str]:
    """List the Docker containers that *mark* is in the name, command or variables of."""
    if _fault("docker"):
        return []
    listed = docker("ps", "--quiet", *(["--all"] if stopped else []))
    return [one for one in listed.split() if mark in docker("inspect", one)]


def docker(*args: str) -> str:
    """Run a Docker command; give what it printed, nothing where it failed."""
    done = subprocess.run([DOCKER, *args], capture_output=True, text=True, check=False)
    return done.stdout


def left(mark: str) -> list[str]:
    """Say what still runs, or lies stopped, of a test."""
    found = [f"process {p.pid}: {_command(p)}" for p in marked(mark)]
    return found + [f"container {one}" for one in containers(mark)]


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())[:200]
    except psutil.Error:
        return "(gone meanwhile)"


def assert_nothing_left(mark: str) -> None:
    """Fail when a process or a container of the test is still there after a few seconds."""
    until(lambda: not left(mark), within_s=8.0)
    assert left(mark) == []


class Entries:
    """Write the entries of a resources file; containers bear the mark of the test."""

    def __init__(self, mark: str) -> None:
        self._mark = mark

    def __call__(self, runner: str, **more: Any) -> dict[str, Any]:
        """Give the entry for *runner*, with the image of the light tasks."""
        if runner == "baremetal":
            return {"type": "baremetal", **more}
        found = image("tasks-sif" if runner == "apptainer" else "tasks")
        container = {"type": "container", "runner": runner, "image": found}
        return {**container, "env": {MARK: self._mark}, **more}


@dataclass
class Run:
    """A ``cyto`` command that ended."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        """Everything that it printed, blanks joined."""
        return " ".join((self.out + self.err).split())

    @property
    def nodes(self) -> dict[str, Any]:
        """How each node ended, as ``--json`` prints it."""
        nodes: dict[str, Any] = json.loads(self.out)["nodes"]
        return nodes


class Cyto:
    """Start ``cyto`` as a user does, in processes that bear a mark."""

    def __init__(self, folder: Path, mark: str) -> None:
        self.folder, self.mark = folder, mark
        self.env = {**os.environ, MARK: mark, "CYTO_CACHE": str(folder / "cache"), "COLUMNS": "400"}

    def argv(self, *args: str | Path) -> list[str]:
        return [sys.executable, str(ROOT / "main.py"), *map(str, args)]

    def write(self, pipeline: dict[str, Any], **profile: Any) -> Path:
        """Write a pipeline, and the profile ``hybrid`` of its resources file; give the pipeline."""
        path = self.folder / "pipeline.x.yaml"
        path.write_text(yaml.safe_dump(pipeline, sort_keys=False), encoding="utf-8")
        resources = yaml.safe_dump({"execution_configs": {"hybrid": profile}}, sort_keys=False)
        (self.folder / "pipeline-resources.x.yaml").write_text(resources, encoding="utf-8")
        return path

    def __call__(self, *args: str | Path, **env: str) -> Run:
        done = subprocess.run(
            self.argv(*args),
            cwd=self.folder,
            env={**self.env, **env},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        return Run(done.returncode, done.stdout, done.stderr)

    def start(self, *args: str | Path) -> Background:
        return Background(self, args)


class Background:
    """A ``cyto`` command that runs meanwhile; it is ended with the ``with`` block."""

    def __init__(self, cyto: Cyto, args: Sequence[str | Path]) -> None:
        self._output = cyto.folder / f"output-of-{os.urandom(4).hex()}.txt"
        with open(self._output, "wb") as file:
            self.process = subprocess.Popen(
                cyto.argv(*args),
                cwd=cyto.folder,
                env=cyto.env,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def __enter__(self) -> Background:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    @property
    def said(self) -> str:
        """Everything that it printed, blanks joined."""
        return " ".join(self._output.read_text(encoding="utf-8").split())

    def end(self) -> int:
        """Wait for its end; give its exit code."""
        return self.process.wait(60)


def by_hand(command: Path) -> subprocess.CompletedProcess[str]:
    """Run a job's recorded command in a shell that knows nothing of pyCyto."""
    plain = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    argv = [BASH, str(command)]
    return subprocess.run(
        argv, cwd="/", env=plain, capture_output=True, text=True, timeout=120, check=False
    )


def clean_up(mark: str) -> None:
    """End what a failed test left, so that no other test meets it."""
    for container in containers(mark):
        docker("rm", "--force", container)
    for process in marked(mark):
        with contextlib.suppress(psutil.Error):
            process.kill()
