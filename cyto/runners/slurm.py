"""The Slurm launcher: submit requests as jobs, follow them, cancel them.

::

    slurm = Slurm()
    slurm.check(placement)                       # UnavailableError says what is missing
    batch = Batch(name=…, folder=…, spec=worker_spec(…), elements=packed(requests, limit))
    submission = slurm.submit(batch)             # SubmissionError keeps Slurm's words
    slurm.watch(submission, told, said)          # returns at once; told(Report) once per request
    slurm.cancel(submission)                     # the rest is told as "cancelled"
    slurm.adopt(folder)                          # in another process, after the driver was lost
    slurm.close()                                # jobs go on

Nothing but a shared file system is assumed: each element tells in a file of its own what it did
(`cyto.runners.batch`), and Slurm is asked for what files cannot tell.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from cyto.core.layout import SAFE_NAME, BatchLayout
from cyto.core.placement import Placement
from cyto.core.request import TaskRequest
from cyto.errors import SubmissionError, UnavailableError
from cyto.runners.batch_files import (
    WITHDRAWN,
    read_json,
    read_plan,
    write_plan,
    write_whole,
)
from cyto.runners.environment import WorkerSpec, get_environment
from cyto.runners.slurm_commands import Commands, SilentError
from cyto.runners.slurm_endings import advice
from cyto.runners.slurm_poller import Poller
from cyto.runners.slurm_script import batch_script, packed, python_command
from cyto.runners.slurm_watch import Report, Said, Submission, Told, Watched

__all__ = ["Batch", "Report", "Slurm", "Submission", "packed"]

_PATIENCE_S = 600.0
_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True)
class Batch:
    """What Slurm is asked for at once.

    Parameters
    ----------
    name
        Of the job: safe, and unique among the user's submissions, for a job whose number was
        never written down is found by it.
    folder
        The submission's own, on a file system that the nodes share.
    spec
        The worker, as `cyto.runners.worker.worker_spec` makes it; each element gets one.
    elements
        For each element its requests, run one after the other in one warm worker. Their job
        folders exist and lie in the spec's jobs folder. One element is a plain job, several are
        an array.
    max_parallel
        How many elements run at once; ``None`` is as many as there is room for.
    """

    name: str
    folder: Path
    spec: WorkerSpec
    elements: Sequence[Sequence[TaskRequest]]
    max_parallel: int | None = None


class Slurm:
    """The launcher; one per run, used from any thread.

    Parameters
    ----------
    commands
        Slurm's programs.
    grace_s
        How long after a job's end its files may take to appear here.
    """

    def __init__(self, commands: Commands | None = None, *, grace_s: float = 10.0) -> None:
        self._commands = commands or Commands()
        self._poller = Poller(self._commands, grace_s=grace_s)
        self._closing = threading.Event()

    def check(self, placement: Placement) -> None:
        """Make sure that jobs of *placement* could be submitted, as far as that is cheap.

        Raises
        ------
        UnavailableError
            Slurm is not here, its controller does not answer, or there is no such partition.
        """
        options = dict(placement.launcher_options)
        names = [name for name in options.get("partition", "").split(",") if name]
        try:
            self._commands.check(names, options.get("clusters", ""))
        except UnavailableError as error:
            raise UnavailableError(_at(placement, error.message), hint=error.hint) from error

    def max_elements(self) -> int:
        """Give how many elements one array may have here; asked once.

        Raises
        ------
        UnavailableError
            The controller does not answer.
        """
        return max(1, self._patiently(self._commands.max_array))

    def submit(self, batch: Batch) -> Submission:
        """Write everything that the jobs need, and submit them.

        A controller that does not answer is waited for, up to ten minutes, and the job is looked
        for by its name first: an answer may have been lost after the job was taken.

        Raises
        ------
        SubmissionError
            Slurm refused; its own words are in the message.
        """
        if not SAFE_NAME.fullmatch(batch.name) or not batch.elements or not all(batch.elements):
            raise ValueError(
                f"batch {batch.name!r} has no safe name, or an element without request"
            )
        layout, placement = BatchLayout(batch.folder), batch.spec.placement
        layout.make()
        write_plan(layout, batch.spec, get_environment(placement.environment), batch.elements)
        text = batch_script(
            name=batch.name,
            layout=layout,
            placement=placement,
            counts=[len(element) for element in batch.elements],
            python=python_command(),
            max_parallel=batch.max_parallel,
        )
        layout.script.write_bytes(os.fsencode(text))
        write_whole(layout.submission, {"state": "submitting", "name": batch.name})
        try:
            job, cluster = self._submit(batch.name, layout, placement)
        except SubmissionError as error:
            write_whole(layout.submission, {"state": WITHDRAWN, "name": batch.name})
            raise SubmissionError(
                _at(placement, f"Slurm refused the job: {error.message}"), hint=advice(error)
            ) from error
        return self._written(layout, batch.name, job, cluster)

    def adopt(self, folder: Path) -> Submission | None:
        """Take up again what an earlier driver submitted from *folder*.

        Returns
        -------
        The submission; ``None`` when nothing was submitted, or what was is withdrawn. A job that
        turns up later for all that ends at once.

        Raises
        ------
        UnavailableError
            The controller does not answer, and only it knows.
        """
        layout = BatchLayout(folder)
        facts = read_json(layout.submission)
        if not facts or facts["state"] == WITHDRAWN:
            return None
        if facts["state"] == "submitted":
            return Submission(
                folder=folder,
                name=facts["name"],
                job=facts["job"],
                cluster=facts["cluster"],
                counts=read_plan(layout).counts,
            )
        options = dict(read_plan(layout).spec.placement.launcher_options)
        clusters = options.get("clusters", "")
        job = self._patiently(lambda: self._commands.find(facts["name"], clusters))
        job = job or _told_job(layout)
        if not job:
            write_whole(layout.submission, {**facts, "state": WITHDRAWN})
            return None
        return self._written(layout, facts["name"], job, clusters)

    def watch(self, submission: Submission, told: Told, said: Said | None = None) -> None:
        """Follow a submission; returns at once.

        Parameters
        ----------
        submission
            From `submit` or `adopt`; after `adopt`, what has ended already is told again.
        told
            Called once for each request, from the one thread of the poller, which waits for it.
        said
            Called from that thread with what the jobs wait for, whenever that changes.
        """
        self._poller.add(Watched(submission, told, said))

    def cancel(self, submission: Submission) -> None:
        """End the jobs of a submission; what had not ended is told with reason ``cancelled``.

        Raises
        ------
        UnavailableError
            The controller did not answer for a minute.
        """
        layout = BatchLayout(submission.folder)
        write_whole(layout.submission, {**read_json(layout.submission), "state": WITHDRAWN})
        self._poller.cancelled(submission)
        try:
            self._patiently(
                lambda: self._commands.cancel(submission.job, submission.cluster), patience_s=60.0
            )
        finally:
            self._poller.hurry()

    def close(self) -> None:
        """Follow nothing any more; what was submitted goes on."""
        self._closing.set()
        self._poller.close()

    def _submit(self, name: str, layout: BatchLayout, placement: Placement) -> tuple[str, str]:
        options = dict(placement.launcher_options)
        clusters = options.get("clusters", "")
        tried = False

        def once() -> tuple[str, str]:
            nonlocal tried
            known = self._commands.find(name, clusters) if tried else ""
            tried = True
            return (known, clusters) if known else self._commands.submit(layout.script, options)

        return self._patiently(once)

    def _patiently(self, ask: Callable[[], _T], patience_s: float = _PATIENCE_S) -> _T:
        """Ask again while the controller is silent."""
        end, pause = time.monotonic() + patience_s, 1.0
        while True:
            try:
                return ask()
            except SilentError:
                if time.monotonic() + pause > end or self._closing.wait(pause):
                    raise
                pause = min(pause * 1.5, 30.0)

    def _written(self, layout: BatchLayout, name: str, job: str, cluster: str) -> Submission:
        facts = {"state": "submitted", "name": name, "job": job, "cluster": cluster}
        write_whole(layout.submission, facts)
        counts = read_plan(layout).counts
        return Submission(folder=layout.folder, name=name, job=job, cluster=cluster, counts=counts)


def _at(placement: Placement, message: str) -> str:
    return f"{placement.source}: {message}" if placement.source else message


def _told_job(layout: BatchLayout) -> str:
    """Find the job's number in what its elements told: Slurm forgets what ended minutes ago."""
    for path in sorted(layout.progress.iterdir()):
        if path.name.isdigit():
            first = path.read_text(encoding="utf-8").partition("\n")[0]
            if first.endswith("}"):
                return _number(first)
    return ""


def _number(line: str) -> str:
    started = json.loads(line)["started"]
    return str(started["array"] or started["job"])
