"""What surrounds a worker: the protocol that every environment fulfils, and how to find one."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, ClassVar, Protocol

from cyto.core.placement import Placement
from cyto.core.units import format_memory
from cyto.errors import UnavailableError, nearest

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

INSIDE = "/cyto"
"""Where a container sees what it is given: ``code``, ``jobs`` and ``in``."""


@dataclass(frozen=True, kw_only=True)
class Mount:
    """A path of the host that a container sees under another name."""

    source: str
    target: str
    writable: bool = False


@dataclass(frozen=True, kw_only=True)
class WorkerSpec:
    """All that an environment must know to wrap a worker's argv.

    Parameters
    ----------
    name
        Unique and safe; the container's name.
    placement
        What the profile says.
    mounts
        What the worker sees; the working folder is the only writable one.
    env
        Environment variables for the worker, beside the environment's own.
    gpu_ids
        The GPUs that are this worker's alone.
    scratch
        A private folder of the host for the worker's temporary files.
    user
        The caller's uid and gid.
    watched
        Whether a driver asks how the worker ended, and removes what is left of it.
    owner
        The driver, as `owner_label` names it, so that what a dead one left can be removed.
    """

    name: str
    placement: Placement
    mounts: tuple[Mount, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    gpu_ids: tuple[str, ...] = ()
    scratch: str = ""
    user: tuple[int, int] = (0, 0)
    owner: str = ""
    watched: bool = True


@dataclass(frozen=True, kw_only=True)
class Ending:
    """Why a worker ended that was not told to."""

    reason: str
    message: str


class Environment(Protocol):
    """One kind of surroundings: it wraps an argv, and explains how it ended.

    Third parties register a class under the entry-point group ``cyto.runners``; its constructor
    takes no arguments, and ``tests/contract`` holds the suite that it must pass.
    """

    name: ClassVar[str]
    sees_host: ClassVar[bool]
    """Whether the worker sees the host's paths; else it sees the mounts alone."""
    limits_memory: ClassVar[bool]
    """Whether it enforces the memory limit itself; else the launcher watches."""

    def check(self, placement: Placement) -> None:
        """Make sure that a worker could start; pull an image where that is allowed.

        Raises
        ------
        UnavailableError
            It could not; says what is missing and what to do.
        """

    def identity(self, placement: Placement) -> str:
        """Give what the results depend on beside code and data, such as an image's digest."""

    def wrap(self, spec: WorkerSpec, args: Sequence[str]) -> list[str]:
        """Give the command that runs Python with *args* inside; a pure function of its inputs.

        Where `sees_host` holds, *args* are the worker's own and the command starts
        `cyto.runners.container_worker.main`; elsewhere they begin with ``-m`` and its name.
        """

    def variables(self, spec: WorkerSpec) -> dict[str, str]:
        """Give the environment variables of the command that `wrap` gives."""

    def explain(self, spec: WorkerSpec, code: int | None, stderr: str) -> Ending:
        """Say why the worker ended with exit code *code* after printing *stderr*."""

    def remove(self, spec: WorkerSpec) -> None:
        """Leave nothing of the worker behind; called whatever happened, perhaps twice."""

    def sweep(self) -> None:
        """Remove what drivers that are dead left behind."""


def environment_names() -> list[str]:
    """List the environments that are installed."""
    return sorted(_entry_points())


@cache
def get_environment(name: str) -> Environment:
    """Give the environment of that name.

    Raises
    ------
    UnavailableError
        There is none, or it cannot be loaded; lists those there are.
    """
    found = _entry_points().get(name)
    if found is None:
        raise UnavailableError(
            f"there is no environment {name!r}", hint=nearest(name, _entry_points(), what="runner")
        )
    try:
        make: Callable[[], Environment] = found.load()
        return make()
    except Exception as error:
        raise UnavailableError(
            f"the environment {name!r} ({found.value}) cannot be loaded: {error}",
            hint="reinstall the package that provides it",
        ) from error


@cache
def _entry_points() -> dict[str, EntryPoint]:
    from importlib.metadata import entry_points  # a third of the time that a cluster's job needs

    return {point.name: point for point in entry_points(group="cyto.runners")}


def exit_ending(code: int | None, stderr: str, placement: Placement) -> Ending:
    """Explain an exit code or signal in words.

    Parameters
    ----------
    code
        Exit code; negative for a signal, as Python gives it; 128 + signal as shells give it.
    stderr
        The last that was printed outside the task.
    """
    if code is None:
        return Ending(reason="lost", message=f"the worker does not answer any more: {tail(stderr)}")
    number = -code if code < 0 else code - 128
    said = tail(stderr)
    if number == signal.SIGKILL:
        message = (
            "was killed (SIGKILL) by somebody else, or by the system because memory ran out; "
            "see the system's log, or give the node a resources.memory limit"
        )
        return Ending(reason="signal", message=message)
    if number in {signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGABRT}:
        name = signal.Signals(number).name
        message = (
            f"crashed inside a compiled library ({name}); the log ends with where it was. "
            "Versions of libraries that do not fit together are the usual cause"
        )
        return Ending(reason="signal", message=message)
    if 0 < number < 65:
        name = signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"
        return Ending(reason="signal", message=f"was ended by {name}")
    if code == 0:
        message = "ended its own process (exit code 0) instead of returning"
        return Ending(reason="exit", message=message)
    where = f" ({placement.image})" if placement.image else ""
    return Ending(
        reason="exit",
        message=f"the worker's process{where} ended with exit code {code}"
        + (f": {said}" if said else ""),
    )


def memory_ending(placement: Placement) -> Ending:
    """Say that a task used more memory than its limit."""
    limit = placement.resources.memory_bytes
    amount = f" of {format_memory(limit)}" if limit else ""
    where = f" in {placement.source}" if placement.source else ""
    return Ending(
        reason="memory",
        message=f"exceeded its memory limit{amount} and was ended; raise resources.memory{where}, "
        "or give it less at a time (batch_size, a crop, fewer frames)",
    )


def no_python_ending(placement: Placement, stderr: str) -> Ending:
    """Say that an image has no Python of the name that was asked for."""
    return Ending(
        reason="lost",
        message=f"the image {placement.image!r} cannot start {' '.join(placement.python)!r}: "
        f"{tail(stderr)}; name its Python with 'python:' in the resources file",
    )


def tail(text: str, lines: int = 8) -> str:
    """Give the last lines that say something."""
    kept = [line for line in text.splitlines() if line.strip()]
    return "\n".join(kept[-lines:])


def thread_variables(cpus: int | None) -> dict[str, str]:
    """Give the variables that hold numerical libraries to *cpus* threads."""
    if cpus is None:
        return {}
    names = (
        "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS",
        "NUMBA_NUM_THREADS", "OPENCV_FOR_THREADS_NUM", "TF_NUM_INTRAOP_THREADS",
    )  # fmt: skip
    return dict.fromkeys(names, str(cpus))


def owner_is_alive(label: str) -> bool:
    """Tell whether the driver that `owner_label` named still runs, as far as can be known."""
    host, _, rest = label.partition("/")
    if host != os.uname().nodename:
        return True
    pid, _, started = rest.partition("/")
    return bool(started) and _start_time(pid) == started


def owner_label() -> str:
    """Name this process so that no later one is mistaken for it: host, pid, start time."""
    pid = str(os.getpid())
    return f"{os.uname().nodename}/{pid}/{_start_time(pid)}"


def _start_time(pid: str) -> str:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""
