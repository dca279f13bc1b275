"""redun: tasks in its own processes or in containers, every call recorded in SQLite."""

from __future__ import annotations

import os
import time

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
        os.umask(0)  # the image's own user writes there
        wish.folder.chmod(0o777)
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
    started = time.perf_counter()
    if wish.shape == "chain":
        check(scheduler.run(chain(wish.count)), wish.count)
    else:
        check(len(scheduler.run(independent(wish.count, bool(wish.docker)))), wish.count)
    return time.perf_counter() - started


if __name__ == "__main__":
    answer(time_it)
