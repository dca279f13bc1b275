"""What this machine lets a process use, on cgroups of either version; and owners of containers."""

from __future__ import annotations

import os

import psutil
import pytest

from cyto.errors import UnavailableError
from cyto.runners import machine
from cyto.runners.environment import (
    environment_names,
    get_environment,
    owner_is_alive,
    owner_label,
    thread_variables,
)
from cyto.runners.process import run


@pytest.fixture
def cgroup(tmp_path, monkeypatch):
    """Pretend that this process is in a cgroup with the given files."""

    def pretend(**files: str):
        for name, text in files.items():
            (tmp_path / name.replace("__", ".")).write_text(text)
        monkeypatch.setattr(machine, "_own_cgroup", lambda _: tmp_path)

    return pretend


@pytest.mark.parametrize(
    ("files", "cpus"),
    [
        ({"cpu__max": "200000 100000\n"}, 2), ({"cpu__max": "max 100000\n"}, None),
        ({"cpu__max": "50000 100000\n"}, 1), ({"cpu__max": "250000 100000\n"}, 2),
        ({"cpu__cfs_quota_us": "300000\n", "cpu__cfs_period_us": "100000\n"}, 3),
        ({"cpu__cfs_quota_us": "-1\n", "cpu__cfs_period_us": "100000\n"}, None),
        ({}, None), ({"cpu__max": "nonsense"}, None),
    ],
)  # fmt: skip
def test_cpu_quota(files, cpus, cgroup):
    cgroup(**files)
    assert machine._cpu_quota() == cpus


@pytest.mark.parametrize(
    ("files", "limit"),
    [
        ({"memory__max": "1073741824\n"}, 2**30), ({"memory__max": "max\n"}, None),
        ({"memory__limit_in_bytes": "1073741824\n"}, 2**30),
        ({"memory__limit_in_bytes": "9223372036854771712\n"}, None), ({}, None),
    ],
)  # fmt: skip
def test_memory_limit(files, limit, cgroup):
    cgroup(**files)
    assert machine._memory_limit() == limit


@pytest.fixture
def look(monkeypatch):
    """Look at the machine anew."""
    machine.this_machine.cache_clear()
    yield machine.this_machine
    machine.this_machine.cache_clear()


def test_limits_are_respected(cgroup, look):
    cgroup(cpu__max="100000 100000", memory__max=str(2**30))
    found = look()
    assert (found.cpus, found.memory_bytes) == (1, 2**30)


def test_without_limits_it_is_all_there_is(cgroup, look):
    cgroup()
    found = look()
    assert found.cpus == len(os.sched_getaffinity(0))
    assert found.memory_bytes == psutil.virtual_memory().total


def test_affinity_is_respected(cgroup, look):
    cgroup()
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, [min(before)])
    try:
        assert look().cpus == 1
    finally:
        os.sched_setaffinity(0, before)


@pytest.mark.parametrize(
    ("visible", "ids"),
    [("", ()), ("-1", ()), ("0", ("0",)), ("3,GPU-a", ("3", "GPU-a")), ("0,,1", ("0", "1"))],
)
def test_only_visible_gpus_count(visible, ids, look, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert look().gpu_ids == ids


def test_gpus_are_asked_for(look, monkeypatch, tmp_path):
    script = tmp_path / "nvidia-smi"
    script.write_text("#!/bin/sh\necho 0\necho 1\n")
    script.chmod(0o755)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert look().gpu_ids == ("0", "1")


def test_owners():
    label = owner_label()
    host, pid, started = label.split("/")
    assert (host, pid) == (os.uname().nodename, str(os.getpid()))
    assert owner_is_alive(label)
    assert not owner_is_alive(f"{host}/{pid}/{int(started) + 1}"), "a later process of that pid"
    assert not owner_is_alive(f"{host}/4194999/{started}")
    assert owner_is_alive(f"another-{host}/{pid}/1"), "nobody here can tell"


def test_environments():
    assert {"baremetal", "docker", "podman", "apptainer", "singularity"} <= set(environment_names())
    assert get_environment("singularity").name == "apptainer"
    with pytest.raises(UnavailableError, match="there is no environment 'dockr'") as caught:
        get_environment("dockr")
    assert caught.value.hint == "did you mean 'docker'?"


def test_threads():
    assert thread_variables(None) == {}
    assert set(thread_variables(3).values()) == {"3"}
    assert "OMP_NUM_THREADS" in thread_variables(3)


def test_short_commands(tmp_path):
    assert run(["sh", "-c", "echo out; echo err >&2; exit 3"]) == run(
        ["sh", "-c", "echo out; echo err >&2; exit 3"]
    )
    ended = run(["sh", "-c", "echo out; echo err >&2; exit 3"])
    assert (ended.code, ended.out, ended.err, ended.ok) == (3, "out\n", "err\n", False)
    assert run(["no-such-program-x"]).code == 127
    assert "not found" in run(["no-such-program-x"]).err
    (tmp_path / "plain").write_text("")
    assert run([str(tmp_path / "plain")]).code == 126
    assert run(["sleep", "60"], timeout_s=0.1).code == 124
    assert run(["printf", "\\377"]).out == "\ufffd"


@pytest.mark.parametrize(
    ("name", "text", "count"),
    [
        ("memory.events", "low 0\nhigh 0\nmax 12\noom 2\noom_kill 3\n", 3),
        ("memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n", 1),
        ("memory.other", "", 0),
    ],
)
def test_kills_for_want_of_memory_are_counted(tmp_path, monkeypatch, name, text, count):
    (tmp_path / name).write_text(text)
    monkeypatch.setattr(machine, "_own_cgroup", lambda _: tmp_path)
    assert machine.oom_kills() == count


def test_a_machine_without_cgroups_counts_no_kills(monkeypatch):
    monkeypatch.setattr(machine, "_own_cgroup", lambda _: None)
    assert machine.oom_kills() == 0
