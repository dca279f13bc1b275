"""Every error that pyCyto raises on purpose, one family per exit code.

====  ==========================================  =============================
code  family                                      meaning
====  ==========================================  =============================
1     `TaskError`                                 a task ran and did not succeed
2     `ConfigError`                               what the user wrote is wrong
3     `UnavailableError`                          something needed is not there
130   `CancelledError`                            the user stopped it
====  ==========================================  =============================

Messages say what failed, why, and what to do; the same facts are attributes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Optional


class CytoError(Exception):
    """Base of all errors of pyCyto; catch it to catch them all."""

    exit_code = 1


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong in a file that the user wrote.

    Parameters
    ----------
    message
        What is wrong, with the value received.
    hint
        What to do about it; empty when the message says it all.
    file, line, column
        Where; lines and columns count from 1, as editors do.
    path
        The key's path, as in ``tasks.tcell.params.diameter``.
    """

    message: str
    hint: str = ""
    file: Optional[str] = None
    line: Optional[int] = None
    column: Optional[int] = None
    path: str = ""

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part)
        head = f"{place}: " if place else ""
        key = f"{self.path}: " if self.path else ""
        tail = f"\n    {self.hint}" if self.hint else ""
        return f"{head}{key}{self.message}{tail}"


class ConfigError(CytoError):
    """What the user wrote cannot be used; nothing has been run.

    Parameters
    ----------
    problems
        All that was found, in the order of the file.
    """

    exit_code = 2

    def __init__(self, problems: Sequence[Problem] = ()) -> None:
        self.problems = tuple(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


class ChannelError(CytoError):
    """A channel's images cannot be read.

    Parameters
    ----------
    message, hint
        What is wrong and what to do.
    channel, path
        The channel's name and the path as resolved.
    key
        Which key is at fault: ``path``, ``channel``, ``frames``, ``crop``, ``crop.y`` or ``axes``.
    """

    exit_code = 2

    def __init__(
        self,
        message: str = "",
        *,
        channel: str = "",
        path: str = "",
        hint: str = "",
        key: str = "path",
    ) -> None:
        self.message, self.channel, self.path, self.hint = message, channel, path, hint
        self.key = key
        super().__init__(message)

    def __str__(self) -> str:
        head = f"channel {self.channel!r}: " if self.channel else ""
        tail = f"\n    {self.hint}" if self.hint else ""
        return f"{head}{self.message}{tail}"


class UnavailableError(CytoError):
    """Something that a node needs is not there: a program, a daemon, an image, a resource."""

    exit_code = 3

    def __init__(self, message: str = "", *, hint: str = "") -> None:
        self.message, self.hint = message, hint
        super().__init__(message)

    def __str__(self) -> str:
        return f"{self.message}\n    {self.hint}" if self.hint else self.message


class SubmissionError(UnavailableError):
    """Slurm refused a job; the message keeps Slurm's own words."""


class RunLockedError(UnavailableError):
    """Another run works in the same output folder."""


class CancelledError(CytoError):
    """The user stopped the run."""

    exit_code = 130


class TaskError(CytoError):
    """A task did not succeed."""


class ParameterError(TaskError):
    """A task's parameter is unknown, missing, of the wrong type or out of range.

    Parameters
    ----------
    task, parameter
        Which one; *parameter* is empty when no single one is at fault.
    message, hint
        What is wrong with the value received, and what to do.
    """

    exit_code = 2

    def __init__(
        self, message: str = "", *, task: str = "", parameter: str = "", hint: str = ""
    ) -> None:
        self.message, self.task, self.parameter, self.hint = message, task, parameter, hint
        super().__init__(message)

    def __str__(self) -> str:
        name = ".".join(part for part in (self.task, self.parameter) if part)
        head = f"{name}: " if name else ""
        tail = f"\n    {self.hint}" if self.hint else ""
        return f"{head}{self.message}{tail}"


class TaskInputError(TaskError):
    """A task cannot work with the data that it was given.

    Parameters
    ----------
    message
        What was received and what is needed.
    task, key
        The task's class name and the key of the input at fault.
    hint
        What to do about it.
    """

    def __init__(self, message: str = "", *, task: str = "", key: str = "", hint: str = "") -> None:
        self.message, self.task, self.key, self.hint = message, task, key, hint
        super().__init__(message)

    _side = "input"

    def __str__(self) -> str:
        place = f"{self.task}: " if self.task else ""
        key = f"{self._side} {self.key!r}: " if self.key else ""
        tail = f"\n    {self.hint}" if self.hint else ""
        return f"{place}{key}{self.message}{tail}"


class TaskOutputError(TaskInputError):
    """A task returned something else than it declares."""

    _side = "output"


class TaskFailedError(TaskError):
    """A task that ran in a worker did not succeed.

    Parameters
    ----------
    message
        What happened, why, what to do, in the words for the user.
    node
        The node (or the class, for a direct call).
    reason
        ``exception``, ``exit``, ``signal``, ``memory``, ``timeout``, ``cancelled`` or ``lost``.
    traceback
        The tool's own traceback, when it raised.
    log
        Path of the tool's output.
    """

    def __init__(
        self,
        message: str = "",
        *,
        node: str = "",
        reason: str = "exception",
        traceback: str = "",
        log: str = "",
    ) -> None:
        self.message, self.node, self.reason = message, node, reason
        self.traceback, self.log = traceback, log
        super().__init__(message)

    def __str__(self) -> str:
        head = f"{self.node}: " if self.node else ""
        tail = f"\n    log: {self.log}" if self.log else ""
        return f"{head}{self.message}{tail}"


def nearest(word: str, choices: Iterable[str], *, what: str = "") -> str:
    """Say which of *choices* the user may have meant.

    Returns
    -------
    A sentence: the near ones when there are any, else all of them.
    """
    import difflib  # every worker loads this module, and few words are wrong

    known = sorted(set(choices))
    close = difflib.get_close_matches(word, known, n=2, cutoff=0.6)
    if not close:
        lower = {name.lower(): name for name in known}
        close = [lower[m] for m in difflib.get_close_matches(word.lower(), lower, n=1, cutoff=0.6)]
    if close:
        return f"did you mean {' or '.join(repr(name) for name in close)}?"
    if not known:
        return f"there are no {what}s" if what else ""
    return f"known {what + 's' if what else 'ones'}: {', '.join(known)}"
