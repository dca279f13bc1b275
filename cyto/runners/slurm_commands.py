"""Slurm's programs: asked in one way, their answers as plain data."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cyto.errors import SubmissionError, UnavailableError, nearest
from cyto.runners.process import Completed, run

_PROGRAMS = ("sbatch", "squeue", "scancel", "scontrol", "sinfo")
_ENDED = frozenset(
    {"BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY",
     "PREEMPTED", "REVOKED", "TIMEOUT"}
)  # fmt: skip
_SILENT = re.compile(
    r"Unable to contact slurm controller|Socket timed out|Connection refused|Connection timed out"
    r"|Zero Bytes were transmitted|Transport endpoint|temporarily (unable|unavailable)"
    r"|slurm_persist_conn|Slurm controller not responding|no answer within",
    re.IGNORECASE,
)
_KEPT = ("SLURM_CONF", "SLURM_JWT", "SLURM_CONF_SERVER")
_OURS = ("SBATCH_", "SQUEUE_", "SCANCEL_", "SINFO_", "SACCT_", "SLURM_")
_DEVICES = ("CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "GPU_DEVICE_ORDINAL")
_SITE = ("account", "partition", "qos", "reservation", "wckey", "timelimit", "clusters")
_ASK_S = 60.0


@dataclass(frozen=True, kw_only=True)
class JobState:
    """What Slurm says of one job, or of one element of an array.

    Parameters
    ----------
    state
        Slurm's word, such as ``PENDING`` or ``NODE_FAIL``; ``UNKNOWN`` when it no longer knows.
    reason
        Why it waits, or why it ended.
    node
        Where it runs or ran; empty when it never did.
    code
        Its exit code and signal, ``1:0``; empty when unknown.
    user
        Who cancelled it, when that is known.
    """

    state: str
    reason: str = ""
    node: str = ""
    code: str = ""
    user: str = ""

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in _ENDED or self.state == "UNKNOWN"


UNKNOWN = JobState(state="UNKNOWN")


class SilentError(UnavailableError):
    """The controller does not answer, which says nothing of any job."""


def surroundings(options: Mapping[str, str], variables: Mapping[str, str]) -> dict[str, str]:
    """Give Slurm's programs the caller's variables, without those that would change an answer.

    Parameters
    ----------
    options
        Of the submission: a variable such as ``SBATCH_ACCOUNT``, which a user may have in a
        profile, would win over what the script says; it stays where the script is silent.
    variables
        The caller's.
    """
    own = {f"SBATCH_{name.upper()}" for name in _SITE}
    said = {f"SBATCH_{name.upper().replace('-', '_')}" for name in options}
    said |= {"SBATCH_TIMELIMIT"} if "time" in options else set()
    return {
        name: value
        for name, value in variables.items()
        if name in _KEPT
        or (name in own and name not in said)
        or not (name.startswith(_OURS) or name in _DEVICES)
    }


class Commands:
    """Slurm's programs, for the jobs of this user."""

    def __init__(self) -> None:
        self._sacct: bool | None = None
        self._limit: int | None = None

    def check(self, partitions: Sequence[str], clusters: str = "") -> None:
        """Make sure of the programs, of the controller, and of the partitions.

        Raises
        ------
        UnavailableError
            Something is missing; says what and what to do.
        """
        lacking = [name for name in _PROGRAMS if shutil.which(name) is None]
        if lacking:
            raise UnavailableError(
                f"Slurm is not here: no program {lacking[0]!r} on the PATH",
                hint="start the run on a login node of the cluster, or use another profile "
                "(--profile local)",
            )
        answer = self._ask("sinfo", "--noheader", "--format=%R", clusters=clusters)
        if not answer.ok:
            raise UnavailableError(
                f"Slurm's controller does not answer: {_words(answer)}",
                hint="see 'scontrol ping'; try again when it answers",
            )
        known = {line.strip() for line in answer.out.splitlines() if line.strip()}
        for name in partitions:
            if name not in known:
                raise UnavailableError(
                    f"Slurm has no partition {name!r} that this user sees",
                    hint=nearest(name, known, what="partition"),
                )

    def max_array(self) -> int:
        """Give how many elements one array may have; asked once."""
        if self._limit is None:
            answer = self._ask("scontrol", "show", "config")
            if not answer.ok:
                raise SilentError(f"Slurm's controller does not answer: {_words(answer)}")
            found = re.search(r"^MaxArraySize\s*=\s*(\d+)", answer.out, re.MULTILINE)
            self._limit = int(found[1]) if found else 1
        return self._limit

    def submit(self, script: Path, options: Mapping[str, str]) -> tuple[str, str]:
        """Submit a script.

        Returns
        -------
        The job's number, and the cluster's name where Slurm gives one.

        Raises
        ------
        SilentError
            The controller did not answer; the job may be there or not.
        SubmissionError
            Slurm refused.
        """
        env = surroundings(options, os.environ)
        answer = run(["sbatch", "--parsable", str(script)], timeout_s=300, env=env, apart=True)
        if not answer.ok:
            if _silent(answer):
                raise SilentError(f"Slurm's controller does not answer: {_words(answer)}")
            raise SubmissionError(_words(answer))
        job, _, cluster = answer.out.strip().splitlines()[-1].partition(";")
        return job, cluster

    def find(self, name: str, clusters: str = "") -> str:
        """Give the number of the job of that name; empty when Slurm knows none."""
        answer = self._queue(f"--name={name}", "--format=%F", clusters=clusters)
        numbers = [line.strip() for line in answer.splitlines() if line.strip().isdigit()]
        return numbers[0] if numbers else ""

    def states(self, clusters: str = "") -> dict[str, JobState]:
        """Give what the queue holds of this user's jobs, ended ones too, by job or element.

        Raises
        ------
        SilentError
            The controller does not answer.
        """
        answer = self._queue("--array", "--format=%i|%T|%N|%r", clusters=clusters)
        rows = (line.split("|", 3) for line in answer.splitlines())
        return {
            row[0]: JobState(state=row[1], node=row[2], reason=row[3])
            for row in rows
            if len(row) == 4
        }

    def fate(self, job: str, clusters: str = "") -> JobState:
        """Ask for a job that the queue no longer holds.

        Raises
        ------
        SilentError
            The controller does not answer.
        """
        answer = self._ask("scontrol", "--oneliner", "show", "job", job, clusters=clusters)
        if answer.ok and (state := _field(answer.out, "JobState")):
            return JobState(
                state=state,
                reason=_field(answer.out, "Reason"),
                node=_field(answer.out, "NodeList").replace("(null)", ""),
                code=_field(answer.out, "ExitCode"),
            )
        if _silent(answer):
            raise SilentError(_words(answer))
        return self._accounted(job, clusters) or UNKNOWN

    def cancel(self, job: str, clusters: str = "") -> None:
        """End a job, or all elements of an array; one that has ended is left alone.

        Raises
        ------
        SilentError
            The controller does not answer.
        """
        answer = self._ask("scancel", job, clusters=clusters)
        if not answer.ok and _silent(answer):
            raise SilentError(_words(answer))

    def _accounted(self, job: str, clusters: str) -> JobState | None:
        """Ask the accounting database, where there is one."""
        if self._sacct is False or shutil.which("sacct") is None:
            return None
        form = "--format=State%60,NodeList%100,ExitCode"
        answer = self._ask("sacct", "-X", "-n", "-P", "--jobs", job, form, clusters=clusters)
        self._sacct = answer.ok and "disabled" not in answer.err
        rows = [line.split("|") for line in answer.out.splitlines() if line.count("|") == 2]
        if not self._sacct or not rows:
            return None
        state, node, code = rows[-1]
        word, _, by = state.partition(" by ")
        node = "" if node.startswith("None") else node
        return JobState(state=word.strip(), node=node, code=code, user=by.strip())

    def _queue(self, *args: str, clusters: str) -> str:
        user = f"--user={os.getuid()}"
        args = ("--noheader", "--states=all", user, *args)
        answer = self._ask("squeue", *args, clusters=clusters)
        if not answer.ok:
            raise SilentError(f"squeue gives no answer: {_words(answer)}")
        return answer.out

    @staticmethod
    def _ask(program: str, *args: str, clusters: str = "") -> Completed:
        where = [f"--clusters={clusters}"] if clusters else []
        env = surroundings({}, os.environ)
        return run([program, *where, *args], timeout_s=_ASK_S, env=env, apart=True)


def _silent(answer: Completed) -> bool:
    return answer.code == 124 or bool(_SILENT.search(answer.err))


def _words(answer: Completed) -> str:
    """Give Slurm's own words, without the names of its programs and functions."""
    noise = r"^\w+: (error: )?(Batch job submission failed: )?"
    lines = [re.sub(noise, "", line) for line in answer.err.splitlines()]
    return "; ".join(line.strip() for line in lines if line.strip()) or f"exit code {answer.code}"


def _field(text: str, name: str) -> str:
    """Find ``Name=value``; the first is Slurm's, a later one may be part of a path."""
    found = re.search(rf"(?:^|\s){name}=(\S*)", text)
    return found[1] if found else ""
