"""What Slurm is given to run: the text of a batch script, a pure function of its parts."""

from __future__ import annotations

import math
import re
import shlex
import site
import sys
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

import cyto
from cyto.core.layout import BatchLayout
from cyto.core.placement import Placement, Resources
from cyto.errors import SubmissionError

_START = (
    "import gc, sys; gc.disable(); del sys.path[0]; sys.path.append({folder!r}); "
    "from {module} import main; sys.exit(main(sys.argv[1:]))"
)
_PLAIN = re.compile(r"[A-Za-z0-9_./+=:@,~ -]*")
_GPUS = ("gres", "gpus", "gpus-per-node", "gpus-per-task", "gpus-per-socket")
_T = TypeVar("_T")


def packed(requests: Sequence[_T], limit: int) -> list[list[_T]]:
    """Spread *requests* evenly over at most *limit* elements, neighbours together.

    Parameters
    ----------
    requests
        In the order in which they are to be run.
    limit
        How many elements there may be, such as `Slurm.max_elements`; < 1 counts as 1.
    """
    count = min(len(requests), max(limit, 1))
    bounds = [i * len(requests) // count for i in range(count + 1)] if count else [0]
    return [list(requests[a:b]) for a, b in pairwise(bounds)]


def python_command(module: str = "cyto.runners.batch") -> list[str]:
    """Give the command that starts the program of a job: this Python, and none of its packages.

    Parameters
    ----------
    module
        Whose ``main`` gets the arguments that follow.
    """
    user_site = [] if site.ENABLE_USER_SITE else ["-s"]
    folder = str(Path(cyto.__file__).resolve().parent.parent)
    return [
        sys.executable,
        "-S",
        "-E",
        *("-X", "utf8"),
        *user_site,
        "-c",
        _START.format(folder=folder, module=module),
    ]


def batch_script(
    *,
    name: str,
    layout: BatchLayout,
    placement: Placement,
    counts: Sequence[int],
    python: Sequence[str],
    max_parallel: int | None = None,
) -> str:
    """Write the script that ``sbatch`` takes.

    Parameters
    ----------
    name
        The job's name.
    layout
        Its files.
    placement
        What the profile says.
    counts
        How many requests each element has; one element is a plain job, several are an array.
    python
        The command that starts `cyto.runners.batch`.
    max_parallel
        How many elements run at once.

    Returns
    -------
    The text. Slurm expands ``%`` and drops backslashes in names of files, and cannot take a line
    break; so the script starts in ``/`` and opens its log itself, so that any path will do.

    Raises
    ------
    SubmissionError
        An option has a line break.
    """
    one = len(counts) == 1
    element = "0" if one else '"$SLURM_ARRAY_TASK_ID"'
    options = [
        ("job-name", name),
        *([] if one else [("array", f"0-{len(counts) - 1}" + _throttle(max_parallel))]),
        ("chdir", "/"),
        ("output", _slurms_own_log(layout, one=one)),
        ("open-mode", "append"),
        *_requeue(placement),
        *_amounts(placement, max(counts)),
        *placement.launcher_options,
    ]
    lines = [
        "#!/bin/sh",
        "# Written by pyCyto; it can be submitted again as it is: sbatch submit.sh",
        *(option_line(option, value) for option, value in options),
        f"exec >>{shlex.quote(str(layout.logs))}/{element}.txt 2>&1",
        f"exec {shlex.join([*python, str(layout.folder)])} {element}",
    ]
    return "\n".join(lines) + "\n"


def _throttle(max_parallel: int | None) -> str:
    return f"%{max_parallel}" if max_parallel else ""


def _slurms_own_log(layout: BatchLayout, *, one: bool) -> str:
    """Say where Slurm writes its own words; nowhere when it would misread the path."""
    path = str(layout.logs)
    if not _PLAIN.fullmatch(path):
        return "/dev/null"
    return f"{path}/{'0' if one else '%a'}.txt"


def _requeue(placement: Placement) -> list[tuple[str, str]]:
    given = {name for name, _ in placement.launcher_options}
    return [] if given & {"requeue", "no-requeue"} else [("no-requeue", "")]


def _amounts(placement: Placement, requests: int) -> Iterator[tuple[str, str]]:
    """Translate the neutral resources; options that say the same by another name win."""
    given = {name for name, _ in placement.launcher_options}
    wanted = placement.resources
    if wanted.cpus and "cpus-per-gpu" not in given:
        yield "cpus-per-task", str(wanted.cpus)
    if wanted.memory_bytes and not given & {"mem-per-cpu", "mem-per-gpu"}:
        yield "mem", f"{math.ceil(wanted.memory_bytes / 2**20)}M"
    if wanted.gpus and not given & set(_GPUS):
        yield "gres", f"gpu:{wanted.gpus}"
    if wanted.walltime_s and "time" not in given:
        yield "time", str(job_minutes(wanted, requests))


def job_minutes(resources: Resources, requests: int) -> int:
    """Give the time limit of a job whose element runs *requests* one after the other, in minutes.

    The limit of a task is kept by the worker; Slurm's is for the job and counts whole minutes.
    """
    return math.ceil((resources.walltime_s or 0) * requests / 60)


def option_line(name: str, value: str) -> str:
    """Write an option as ``sbatch`` reads it: quotes as a shell's, but a backslash escapes in them.

    Raises
    ------
    SubmissionError
        The value has a line break, which ends the option.
    """
    if not value:
        return f"#SBATCH --{name}"
    if "\n" in value or "\r" in value:
        raise SubmissionError(
            f"Slurm's option --{name} cannot hold a line break: {value!r}",
            hint="write it on one line in the resources file",
        )
    return f"#SBATCH --{name}={shlex.quote(value)}".replace("\\", "\\\\")
