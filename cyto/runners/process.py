"""The only module that starts child processes."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn


@dataclass(frozen=True, kw_only=True)
class Completed:
    """How a short command ended, with what it printed."""

    code: int
    out: str
    err: str

    @property
    def ok(self) -> bool:
        """Whether it exited with 0."""
        return self.code == 0


def run(
    argv: Sequence[str],
    *,
    timeout_s: float = 60.0,
    env: Mapping[str, str] | None = None,
    apart: bool = False,
) -> Completed:
    """Run a short command to its end; a program that is not there gives code 127.

    Parameters
    ----------
    argv
        The command.
    timeout_s
        It is killed when it takes longer.
    env
        Its whole environment; ``None`` is this process's.
    apart
        Whether a Ctrl-C at the terminal leaves it alone.

    Returns
    -------
    Its exit code and output; code 124 when it took longer than *timeout_s* and was killed.
    """
    try:
        done = subprocess.run(  # noqa: PLW1510 - the code is the caller's to judge
            list(argv),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout_s,
            env=None if env is None else dict(env),
            start_new_session=apart,
            encoding="utf-8",
            errors="replace",
        )
    except FileNotFoundError:
        return Completed(code=127, out="", err=f"{argv[0]}: not found")
    except PermissionError as error:
        return Completed(code=126, out="", err=str(error))
    except subprocess.TimeoutExpired:
        return Completed(code=124, out="", err=f"{argv[0]}: no answer within {timeout_s:g} s")
    return Completed(code=done.returncode, out=done.stdout, err=done.stderr)


def run_visible(argv: Sequence[str], *, folder: Path | None = None, text: str = "") -> int:
    """Run a long command whose progress the user watches, such as a pull.

    Parameters
    ----------
    argv
        The command.
    folder
        Where it starts.
    text
        What it reads from stdin.

    Returns
    -------
    Its exit code; 127 when there is no such program.
    """
    try:
        done = subprocess.run(  # noqa: PLW1510 - the code is the caller's to judge
            list(argv), input=text.encode(), stdout=2, cwd=folder
        )
    except FileNotFoundError:
        return 127
    return done.returncode


def start_detached(argv: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
    """Start a program that goes on when this one ends; *log* takes what it prints."""
    with open(log, "ab") as file:
        return subprocess.Popen(
            list(argv), stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True
        )


class Child:
    """A process in a session of its own, spoken to in lines.

    Parameters
    ----------
    argv
        The command.
    env
        Its whole environment.
    cwd
        Where it starts.
    stderr
        File that takes what it prints beside the protocol.
    """

    _process: subprocess.Popen[bytes] | _Fork

    def __init__(
        self, argv: Sequence[str], *, env: Mapping[str, str], cwd: Path, stderr: Path
    ) -> None:
        with open(stderr, "ab") as log:
            self._process = subprocess.Popen(
                list(argv),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=dict(env),
                cwd=cwd,
                start_new_session=True,
                bufsize=0,
            )
        self._begun()

    def _begun(self) -> None:
        self.pid = self._process.pid
        self._buffer = b""

    def send(self, line: str) -> None:
        """Write one line.

        Raises
        ------
        EOFError
            The process no longer reads.
        """
        stdin = self._process.stdin
        data = memoryview(line.encode() + b"\n")
        try:
            while stdin is not None and data:
                data = data[stdin.write(data) :]
        except OSError as error:
            raise EOFError from error

    def receive(self, timeout_s: float) -> str | None:
        """Read one line, or ``None`` when none comes within *timeout_s*.

        Raises
        ------
        EOFError
            The process closed its end.
        """
        deadline = time.monotonic() + timeout_s
        stdout = self._process.stdout
        if stdout is None:
            raise EOFError
        while b"\n" not in self._buffer:
            left = deadline - time.monotonic()
            ready, _, _ = select.select([stdout], [], [], max(left, 0))
            if not ready:
                return None
            data = os.read(stdout.fileno(), 1 << 16)
            if not data:
                raise EOFError
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.decode()

    def wait(self, timeout_s: float) -> int | None:
        """Wait for the end; give the exit code (negative: a signal's number) or ``None``."""
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def close(self, patience_s: float = 5.0) -> None:
        """Close its stdin, which tells it to end; kill it when it does not."""
        self._close_pipe(self._process.stdin)
        self.wait(patience_s)
        self.kill()  # what its tasks left in its session, too

    def kill(self, patience_s: float = 0.5) -> None:
        """End it and everything in its session: with SIGTERM, and soon after with SIGKILL.

        Apptainer takes its mounts down on SIGTERM, and cannot on SIGKILL.
        """
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, number)
            self.wait(patience_s)
        self._process.wait()
        self._close_pipe(self._process.stdin)
        self._close_pipe(self._process.stdout)

    @staticmethod
    def _close_pipe(pipe: object) -> None:
        with contextlib.suppress(OSError):
            if pipe is not None:
                pipe.close()  # type: ignore[attr-defined]


class ForkedChild(Child):
    """The same, made of this process, so that what it has loaded need not be loaded again.

    For a small program with one thread and none of its own libraries. *argv* ends with what
    *main* gets; the rest of it is what runs here already.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path,
        stderr: Path,
        main: Callable[[list[str]], int],
    ) -> None:
        self._process = _Fork(lambda: main([argv[-1]]), env, cwd, stderr)
        self._begun()


class _Fork:
    """What `ForkedChild` needs of a `subprocess.Popen`."""

    def __init__(
        self, run: Callable[[], int], env: Mapping[str, str], cwd: Path, stderr: Path
    ) -> None:
        (read, stdin), (stdout, write) = os.pipe(), os.pipe()
        log = os.open(stderr, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(stdin)
            os.close(stdout)
            _become(run, (read, write, log), env, cwd)
        for file in (read, write, log):
            os.close(file)
        self.stdin, self.stdout = open(stdin, "wb", buffering=0), open(stdout, "rb", buffering=0)  # noqa: SIM115
        self._code: int | None = None

    def wait(self, timeout: float | None = None) -> int:
        """Wait as `subprocess.Popen.wait` does."""
        end = None if timeout is None else time.monotonic() + timeout
        pause = 0.0005
        while self._code is None:
            pid, status = os.waitpid(self.pid, 0 if end is None else os.WNOHANG)
            if pid:
                self._code = os.waitstatus_to_exitcode(status)
            elif end is not None and time.monotonic() > end:
                raise subprocess.TimeoutExpired([], timeout or 0)
            else:
                time.sleep(pause)
                pause = min(2 * pause, 0.05)
        return self._code


def _become(
    run: Callable[[], int], files: Sequence[int], env: Mapping[str, str], cwd: Path
) -> NoReturn:
    """Go on in a forked process as a program that was started anew."""
    code = 1
    try:
        os.setsid()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        for target, file in enumerate(files):
            os.dup2(file, target)
            os.close(file)
        os.chdir(cwd)
        os.environ.clear()
        os.environ.update(env)
        code = run()
    except BaseException:  # noqa: BLE001 - nothing of the program that was forked may go on
        import traceback

        traceback.print_exc()
    finally:
        os._exit(code)


def tree_memory(pid: int) -> int:
    """Sum the private memory of *pid* and all its descendants, in bytes.

    Pages of mapped input files do not count: they are the page cache's, not the task's.
    """
    total, todo = 0, [pid]
    while todo:
        current = todo.pop()
        total += _private_memory(current)
        todo += _children(current)
    return total


def _private_memory(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return sum(
        int(line.split()[1]) * 1024 for line in lines if line.startswith(("RssAnon:", "RssShmem:"))
    )


def _children(pid: int) -> list[int]:
    try:
        threads = Path(f"/proc/{pid}/task").iterdir()
        return [int(child) for t in threads for child in (t / "children").read_text().split()]
    except OSError:
        return []
