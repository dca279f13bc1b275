"""The commands that start containers, as recorded; pure functions, no service needed."""

from __future__ import annotations

import csv
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

import cyto
from cyto.core.placement import Bind, Placement, Resources
from cyto.runners import apptainer
from cyto.runners.apptainer import ApptainerRunner
from cyto.runners.baremetal import BaremetalRunner
from cyto.runners.docker import DockerRunner, PodmanRunner
from cyto.runners.docker import mount_option as docker_mount
from cyto.runners.environment import Mount, WorkerSpec, exit_ending, memory_ending, tail
from cyto.runners.worker import worker_spec

MOUNTS = (
    Mount(source="/opt/cyto", target="/cyto/code/cyto"),
    Mount(source="/out/jobs", target="/cyto/jobs", writable=True),
)
PLAIN = WorkerSpec(
    name="cyto-run-1",
    placement=Placement(environment="docker", image="cellpose:latest"),
    mounts=MOUNTS,
    env={"OMP_NUM_THREADS": "1"},
    scratch="/out/jobs/.scratch/w",
    user=(1000, 1001),
    owner="host/12/345",
)
FULL = replace(
    PLAIN,
    placement=Placement(
        environment="docker",
        image="ghcr.io/lab/cellpose:v1",
        python=("pixi", "run", "python"),
        network=True,
        env=(("TOOL_MODE", "fast, please"),),
        pids=99,
        resources=Resources(cpus=4, memory_bytes=8 * 2**30, gpus=2),
    ),
    gpu_ids=("0", "GPU-abc"),
)
INSIDE = [
    "--env", "PYTHONPATH=/cyto/code", "--env", "PYTHONDONTWRITEBYTECODE=1",
    "--env", "PYTHONUTF8=1", "--env", "HOME=/tmp", "--env", "TMPDIR=/tmp",
    "--env", "NUMBA_CACHE_DIR=/tmp/numba", "--env", "MPLCONFIGDIR=/tmp/matplotlib",
    "--env", "OMP_NUM_THREADS=1",
]  # fmt: skip
DOCKER_MOUNTS = [
    "--mount", "type=bind,source=/opt/cyto,target=/cyto/code/cyto,readonly",
    "--mount", "type=bind,source=/out/jobs,target=/cyto/jobs",
    "--mount", "type=bind,source=/out/jobs/.scratch/w/tmp,target=/tmp",
]  # fmt: skip
LOCKED = ["--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--read-only"]


def test_docker():
    assert DockerRunner().wrap(PLAIN, ["-m", "worker", "--serve"]) == [
        "docker", "run", "--interactive", "--name", "cyto-run-1",
        "--label", "org.pycyto.driver=host/12/345", "--user", "1000:1001", "--network", "none",
        *LOCKED, "--pull", "never", "--workdir", "/tmp", "--shm-size", "1g",
        "--pids-limit", "4096", *DOCKER_MOUNTS, *INSIDE,
        "--entrypoint", "python3", "cellpose:latest", "-S", "-s", "-m", "worker", "--serve",
    ]  # fmt: skip


def test_docker_with_everything():
    assert DockerRunner().wrap(FULL, ["--serve"]) == [
        "docker", "run", "--interactive", "--name", "cyto-run-1",
        "--label", "org.pycyto.driver=host/12/345", "--user", "1000:1001", "--network", "host",
        *LOCKED, "--pull", "never", "--workdir", "/tmp", "--shm-size", "1g",
        "--pids-limit", "99", "--memory", "8589934592", "--memory-swap", "8589934592",
        "--cpus", "4", "--gpus", '"device=0,GPU-abc"', *DOCKER_MOUNTS, *INSIDE,
        "--env", "TOOL_MODE=fast, please",
        "--entrypoint", "pixi", "ghcr.io/lab/cellpose:v1", "run", "python", "-S", "-s", "--serve",
    ]  # fmt: skip


def difference(one, two):
    return [word for word in one if word not in two], [word for word in two if word not in one]


def test_podman_differs_in_the_name_the_user_and_the_gpus():
    assert difference(DockerRunner().wrap(FULL, []), PodmanRunner().wrap(FULL, [])) == (
        ["docker", "--gpus", '"device=0,GPU-abc"'],
        ["podman", "--userns", "keep-id", "--device", "nvidia.com/gpu=0", "--device",
         "nvidia.com/gpu=GPU-abc"],
    )  # fmt: skip
    root = replace(PLAIN, user=(0, 0))
    assert difference(DockerRunner().wrap(root, []), PodmanRunner().wrap(root, [])) == (
        ["docker"],
        ["podman"],
    )


@pytest.fixture
def known_as(monkeypatch, tmp_path):
    """Let this machine know Apptainer by one name alone."""

    def know(name: str) -> None:
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))
        apptainer.program.cache_clear()

    yield know
    apptainer.program.cache_clear()


@pytest.mark.parametrize("uid", [0, 1000])
@pytest.mark.parametrize("name", ["apptainer", "singularity"])
def test_apptainer(name, uid, known_as):
    known_as(name)
    placement = Placement(environment="apptainer", image="/i/cellpose.sif")
    spec = replace(PLAIN, placement=placement, user=(uid, uid))
    assert ApptainerRunner().wrap(spec, ["-m", "worker", "--serve"]) == [
        name, "--silent", "exec", "--containall", "--no-home",
        "--workdir", "/out/jobs/.scratch/w", "--pwd", "/tmp",
        *(["--no-privs"] if uid == 0 else []),
        "--net", "--network", "none",
        "--mount", "type=bind,source=/opt/cyto,destination=/cyto/code/cyto,ro",
        "--mount", "type=bind,source=/out/jobs,destination=/cyto/jobs",
        "/i/cellpose.sif", "env", *INSIDE[1::2], "python3", "-S", "-s", "-m", "worker", "--serve",
    ]  # fmt: skip


def test_apptainer_with_everything(known_as):
    known_as("apptainer")
    spec = replace(FULL, placement=replace(FULL.placement, image="/i/a.sif"))
    command = ApptainerRunner().wrap(spec, [])
    assert "--nv" in command
    assert "--net" not in command
    at = command.index("/i/a.sif")
    assert command[at:] == [
        "/i/a.sif", "env", *INSIDE[1::2], "TOOL_MODE=fast, please",
        "CUDA_VISIBLE_DEVICES=0,GPU-abc", "pixi", "run", "python", "-S", "-s",
    ]  # fmt: skip


def test_nothing_of_the_caller_reaches_an_apptainer_container(monkeypatch):
    for name in ("APPTAINERENV_LEAK", "SINGULARITYENV_LEAK", "APPTAINER_BIND", "SINGULARITY_BIND"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("APPTAINER_CACHEDIR", "/cache")
    found = ApptainerRunner().variables(FULL)
    assert not [k for k in found if "LEAK" in k or "BIND" in k]
    assert found["APPTAINER_CACHEDIR"] == "/cache", "what Apptainer itself goes by stays"


@pytest.mark.parametrize("runner", [DockerRunner, PodmanRunner, ApptainerRunner])
def test_only_gpu_nodes_get_gpu_flags(runner):
    words = " ".join(runner().wrap(PLAIN, []))
    for flag in ("--gpus", "--nv", "nvidia", "CUDA"):
        assert flag not in words


HOSTILE = [
    "/plain", "/a space", "/com,ma", '/a "quote"', "/it's", "/new\nline", "/semi;colon", "/co:lon",
    "/accent é", "/eq=ual", '/"', "/back\\slash", "/a\r\n,\"b\"",
]  # fmt: skip


@pytest.mark.parametrize("mount_option", [docker_mount, apptainer.mount_option])
@pytest.mark.parametrize("source", HOSTILE)
def test_mounts_of_any_path_are_one_line_of_csv(source, mount_option):
    text = mount_option(Mount(source=source, target="/in/x, y"))
    fields = next(csv.reader([text], strict=True)) if "\n" not in text else None
    if fields is None:
        fields = next(csv.reader(iter(text.splitlines(keepends=True)), strict=True))
    assert fields[1] == f"source={source}"
    assert fields[2].partition("=")[2] == "/in/x, y"
    assert fields[3:] in (["readonly"], ["ro"])


@pytest.mark.parametrize("mount_option", [docker_mount, apptainer.mount_option])
def test_a_writable_mount_does_not_say_read_only(mount_option):
    text = mount_option(Mount(source="/a", target="/b", writable=True))
    assert text in ("type=bind,source=/a,target=/b", "type=bind,source=/a,destination=/b")


def test_what_a_worker_sees(tmp_path):
    spec = worker_spec(
        name="w",
        placement=Placement(
            environment="docker", image="x", binds=(Bind("/d", "/data"), Bind("/e", "/e", True))
        ),
        jobs=tmp_path,
        readable=("/host/a movie.ome.tif", "/host/store", "/host/a movie.ome.tif", "/h/x.t;f"),
        code=("/lab/tasks.py",),
        threads=2,
    )
    seen = {m.source: (m.target, m.writable) for m in spec.mounts}
    assert seen[str(Path(cyto.__file__).parent)] == ("/cyto/code/cyto", False)
    assert seen["/lab/tasks.py"] == ("/cyto/code/tasks.py", False)
    assert seen["/host/a movie.ome.tif"][0].endswith("/data.tif")
    assert seen["/h/x.t;f"][0].endswith("/data"), "no ending that could need quoting"
    assert seen["/d"] == ("/data", False)
    assert seen["/e"] == ("/e", True)
    assert [s for s, (_, writable) in seen.items() if writable] == [str(tmp_path), "/e"]
    assert len({target for target, _ in seen.values()}) == len(spec.mounts)
    assert spec.user == (os.getuid(), os.getgid())
    assert spec.env["OMP_NUM_THREADS"] == "2"


@pytest.mark.parametrize(
    ("code", "reason", "words"),
    [
        (-9, "signal", "was killed (SIGKILL)"), (137, "signal", "was killed (SIGKILL)"),
        (-11, "signal", "SIGSEGV"), (139, "signal", "SIGSEGV"), (-6, "signal", "SIGABRT"),
        (-15, "signal", "was ended by SIGTERM"), (143, "signal", "was ended by SIGTERM"),
        (-33, "signal", "was ended by signal 33"),
        (0, "exit", "ended its own process (exit code 0)"),
        (3, "exit", "process (lab/x) ended with exit code 3: it said\nwhy"),
        (255, "exit", "ended with exit code 255"),
        (None, "lost", "no"),
    ],
)  # fmt: skip
def test_exit_codes_in_words(code, reason, words):
    ending = exit_ending(code, "it said\n\nwhy\n", Placement(image="lab/x"))
    assert ending.reason == reason
    assert words in ending.message
    assert "None" not in ending.message


def test_memory_in_words():
    limit = Placement(resources=Resources(memory_bytes=2**30), source="r.yaml:3")
    assert "its memory limit of 1 GiB and was ended; raise resources.memory in r.yaml:3" in (
        memory_ending(limit).message
    )
    assert "exceeded its memory limit and was ended" in memory_ending(Placement()).message


def test_tail():
    assert tail("a\n\n \nb\nc\n", 2) == "b\nc"
    assert tail("") == ""


def test_baremetal_starts_this_python_without_its_site_packages():
    command = BaremetalRunner().wrap(PLAIN, ["--serve"])
    assert command[1] == "-S"
    assert command[-1] == "--serve"
    assert json.dumps(command)
    assert BaremetalRunner().variables(FULL)["CUDA_VISIBLE_DEVICES"] == "0,GPU-abc"
    assert BaremetalRunner().variables(PLAIN)["CUDA_VISIBLE_DEVICES"] == ""
