"""A process beside the worker that sees to it that nothing outlives the driver.

The worker runs other people's compiled code, which may hold the interpreter's lock, ignore
signals, crash, or leave processes behind. The monitor runs nothing: it waits for the end of the
worker, of the driver, or for SIGTERM, and then ends everything below itself. In a container it is
process 1, which the kernel would shield from its own crashes. Standard library, Python 3.9.
"""

from __future__ import annotations

import os
import select
import signal
import sys

_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER of prctl(2): orphans become ours, whatever they do


def go_on_below_a_monitor(*, watch_stdin: bool) -> None:
    """Return in a child process; this process watches it and never returns.

    Parameters
    ----------
    watch_stdin
        Whether the closing of stdin by its writer means that the driver is gone.
    """
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        return
    code = 1
    try:
        code = _watch(child, watch_stdin=watch_stdin)
    finally:
        _end_all_below(parent)
        os._exit(code)


def _watch(child: int, *, watch_stdin: bool) -> int:
    """Wait for one of the ends; give the exit code that tells it."""
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    poller = select.poll()
    poller.register(woken, select.POLLIN)
    if watch_stdin:
        os.close(1)  # the worker's alone, so that its end shows there
        poller.register(0, 0)  # POLLHUP is always told
    _adopt_orphans()
    while True:
        ended = _ended(child)
        if ended is not None:
            return ended
        for fd, _ in poller.poll():
            if fd == 0:
                return 0
            if signal.SIGTERM in os.read(woken, 512):
                return 128 + signal.SIGTERM


def _ended(child: int) -> int | None:
    """Collect whoever ended; give the worker's exit code when it is among them."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return 1
        if pid == child:
            number = status & 0x7F
            return 128 + number if number else status >> 8
        if pid == 0:
            return None


def _adopt_orphans() -> None:
    try:
        import ctypes

        ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)
    except (ImportError, OSError, AttributeError) as error:
        sys.stderr.write(f"processes that a task leaves may stay: {error}\n")


def _end_all_below(parent: int) -> None:
    """Kill all descendants; those whose parents die become children, and are killed in turn."""
    for _ in range(100):
        below = _children(parent)
        if not below:
            return
        for pid in below:
            try:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            except (ProcessLookupError, ChildProcessError):
                continue


def _children(pid: int) -> list[int]:
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return [int(child) for child in file.read().split()]
    except OSError:
        return []
