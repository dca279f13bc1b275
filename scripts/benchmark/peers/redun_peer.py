"""redun: tasks in its own processes or in containers, every call recorded in SQLite."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import time
from pathlib import Path

from protocol import UnsupportedError, Wish, answer, check, cpus
from redun import Scheduler, task
from redun.config import Config

redun_namespace = "bench"


@task()
def noop(value):
    return value + 1  # equal calls would be made once


@task(script=True, executor="docker")
def noop_in_docker(value):
    return f"python3 -c {value}"


@task()
def independent(count, docker):
    node = noop_in_docker if docker else noop
    return [node(number) for number in range(count)]


@task()
def chain(count):
    value = 0
    for _ in range(count):
        value = noop(value)
    return value


def time_it(wish: Wish) -> float:
    """Time one run; its database stands before."""
    if wish.sif:
        raise UnsupportedError("redun has no executor for Apptainer")
    executors = {"default": {"type": "local", "mode": "process", "max_workers": str(cpus())}}
    if wish.docker:
        scratch = str(wish.folder / "scratch")
        Path(scratch).mkdir()
        _let_it_write(wish.folder)
        executors["docker"] = {
            "type": "docker",
            "image": wish.docker,
            "scratch": scratch,
            "include_aws_env": "false",
        }
    config = {f"executors.{name}": options for name, options in executors.items()}
    config["backend"] = {"db_uri": f"sqlite:///{wish.folder}/redun.db"}
    scheduler = Scheduler(config=Config(config))
    scheduler.load()
    try:
        return _timed(scheduler, wish)
    finally:
        if wish.docker:
            _remove_containers(wish.folder)


def _timed(scheduler, wish: Wish) -> float:
    started = time.perf_counter()
    if wish.shape == "chain":
        check(scheduler.run(chain(wish.count)), wish.count)
    else:
        check(len(scheduler.run(independent(wish.count, bool(wish.docker)))), wish.count)
    return time.perf_counter() - started


def _label(folder: Path) -> str:
    return f"org.pycyto.bench={folder.name}"


def _remove_containers(folder: Path) -> None:
    listed = ["docker", "ps", "--all", "--quiet", "--filter", f"label={_label(folder)}"]
    found = subprocess.run(listed, stdout=subprocess.PIPE, check=False, text=True).stdout.split()
    if found:
        subprocess.run(["docker", "rm", "--force", *found], stdout=subprocess.DEVNULL, check=False)  # noqa: S607


def _let_it_write(folder: Path) -> None:
    """Put a ``docker`` before the real one that runs containers as the caller, in /tmp.

    redun writes into the image's own working folder, and has no option for another, nor for a
    user; and what runs when one fails it leaves behind, so all get a label.
    """
    shim = folder / "bin" / "docker"
    shim.parent.mkdir()
    own = f"--user {os.getuid()}:{os.getgid()} --workdir /tmp --label {_label(folder)}"
    real = shlex.quote(shutil.which("docker") or "docker")
    shim.write_text(
        f'#!/bin/sh\nif [ "$1" = run ]; then shift; exec {real} run {own} "$@"; fi\n'
        f'exec {real} "$@"\n'
    )
    shim.chmod(0o755)
    os.environ["PATH"] = os.pathsep.join([str(shim.parent), os.environ.get("PATH", "")])


if __name__ == "__main__":
    answer(time_it)
