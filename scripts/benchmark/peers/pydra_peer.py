"""pydra: a workflow of Python functions, or of commands in a container, in a pool of processes."""

from __future__ import annotations

import os
import time

os.environ["NO_ET"] = "1"  # it would ask the network for news

import pydra
from protocol import UnsupportedError, Wish, answer, check, cpus
from pydra.engine.environments import Docker


@pydra.mark.task
def noop(value):
    return value + 1  # equal calls would be made once


def time_it(wish: Wish) -> float:
    """Time the workflow from its definition to its result."""
    if wish.sif:
        raise UnsupportedError("pydra 0.25's Singularity takes names in a registry, no file")
    if wish.docker and wish.shape == "chain":
        raise UnsupportedError("not written for containers")
    started = time.perf_counter()
    flow = pydra.Workflow(name="flow", input_spec=["value"], value=0, cache_dir=wish.folder)
    value, ends = flow.lzin.value, []
    for number in range(wish.count):
        node = _node(wish, f"n{number}", value if wish.shape == "chain" else number)
        flow.add(node)
        value = getattr(flow, node.name).lzout
        value = value.return_code if wish.docker else value.out
        ends.append((node.name, value))
    flow.set_output(ends[-1:] if wish.shape == "chain" else ends)
    with pydra.Submitter(plugin="cf", n_procs=cpus()) as submitter:
        submitter(flow)
    result = flow.result()
    elapsed = time.perf_counter() - started
    last = getattr(result.output, f"n{wish.count - 1}")
    check(last, 0 if wish.docker else wish.count)
    return elapsed


def _node(wish: Wish, name: str, value):
    if not wish.docker:
        return noop(name=name, value=value)
    image, _, tag = wish.docker.rpartition(":")
    # the argument makes each command another one: the same would be run once
    return pydra.ShellCommandTask(
        name=name,
        executable="python3",
        args=["-c", f"{value}"],
        environment=Docker(image=image, tag=tag, xargs=["--rm"]),
    )


if __name__ == "__main__":
    answer(time_it)
