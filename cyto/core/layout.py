"""Every path of a run has its name here and nowhere else."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
"""What a name must look like that becomes part of a path or of a container's name."""

ASIDE = ".discard-"
"""How the names of things begin that are being removed."""


@dataclass(frozen=True)
class JobLayout:
    """The files of one job: a task that was asked of a worker."""

    folder: Path

    @property
    def request(self) -> Path:
        """What was asked, with paths as the worker sees them."""
        return self.folder / "request.json"

    @property
    def result(self) -> Path:
        """How it ended; there is exactly one, and it appears whole."""
        return self.folder / "result.json"

    @property
    def command(self) -> Path:
        """The command that runs this job again by hand."""
        return self.folder / "command.txt"

    @property
    def log(self) -> Path:
        """What the tool printed."""
        return self.folder / "log.txt"

    @property
    def out(self) -> Path:
        """The values that the task returned."""
        return self.folder / "out"


@dataclass(frozen=True)
class BatchLayout:
    """The files of one submission to a cluster, on a file system that its nodes share."""

    folder: Path

    @property
    def script(self) -> Path:
        """What was submitted; it can be submitted again."""
        return self.folder / "submit.sh"

    @property
    def submission(self) -> Path:
        """Under which name, and as which job."""
        return self.folder / "submission.json"

    @property
    def batch(self) -> Path:
        """The worker, and where in `requests` each element's line begins."""
        return self.folder / "batch.json"

    @property
    def requests(self) -> Path:
        """What is asked, one line per element."""
        return self.folder / "requests.jsonl"

    @property
    def progress(self) -> Path:
        """What each element did, one file for each."""
        return self.folder / "progress"

    @property
    def logs(self) -> Path:
        """What was printed outside of tasks, one file per element."""
        return self.folder / "logs"

    def told(self, element: int) -> Path:
        """Name the file in which an element tells what it did, one line after the other."""
        return self.progress / str(element)

    def log(self, element: int) -> Path:
        """Name the file that takes what an element prints outside of its tasks."""
        return self.logs / f"{element}.txt"

    def make(self) -> None:
        """Make the folders."""
        self.progress.mkdir(parents=True, exist_ok=True)
        self.logs.mkdir(exist_ok=True)


@dataclass(frozen=True)
class RunLayout:
    """The files of one run in its output folder.

    People find ``logs/``, ``workflow/`` and one folder per exported node there; ``.cyto/`` is
    ours. A node of one of many samples is named ``<sample>/<node>``, so that its files lie in a
    folder of its sample.
    """

    output_dir: Path
    run_id: str

    @cached_property
    def state(self) -> Path:
        """Our own folder inside the output folder."""
        return self.output_dir / ".cyto"

    @property
    def lock(self) -> Path:
        """Held by the run that works here."""
        return self.state / "lock"

    @cached_property
    def store(self) -> Path:
        """Results of nodes, addressed by content."""
        return self.state / "store"

    @cached_property
    def parts(self) -> Path:
        """Results of which some chunks are done, by key and node."""
        return self.state / "parts"

    @property
    def channels(self) -> Path:
        """Channels that were decoded, one folder per content."""
        return self.store / "channels"

    @cached_property
    def runs(self) -> Path:
        """The folders of all runs."""
        return self.state / "runs"

    @cached_property
    def run(self) -> Path:
        """This run's own folder."""
        return self.runs / self.run_id

    @property
    def record(self) -> Path:
        """Everything that happened, one JSON object per line."""
        return self.run / "events.jsonl"

    @property
    def workflow(self) -> Path:
        """Copies of the files that this run was made from."""
        return self.run / "workflow"

    @property
    def stop_request(self) -> Path:
        """Appears when somebody else asks the driver to stop."""
        return self.run / "stop"

    @property
    def driver_log(self) -> Path:
        """What the driver prints when it works in the background."""
        return self.run / "driver.txt"

    @cached_property
    def jobs(self) -> Path:
        """Job folders, by worker group."""
        return self.run / "jobs"

    def job(self, group: str, name: str) -> JobLayout:
        """Name the folder of one job of the workers of *group*."""
        return JobLayout(self.jobs / group / name)

    @cached_property
    def submissions(self) -> Path:
        """What runs on a cluster, by key and node; left behind by a driver that was lost."""
        return self.state / "submissions"

    @cached_property
    def batches(self) -> Path:
        """Submissions to a cluster, a folder for each."""
        return self.run / "batches"

    @cached_property
    def logs(self) -> Path:
        """What tools printed, one file per node."""
        return self.output_dir / "logs"

    def log(self, node: str) -> Path:
        """Name a node's log."""
        return self.logs / f"{node}.log"

    def export(self, node: str) -> Path:
        """Name the folder with a node's results for people."""
        return self.output_dir / node

    @property
    def crate(self) -> Path:
        """What the last run was, for people and archives: the output folder as an RO-Crate."""
        return self.output_dir / "ro-crate-metadata.json"

    @property
    def crate_workflow(self) -> Path:
        """The crate's copies of the files that the run was made from."""
        return self.output_dir / "workflow"


def aside(path: Path) -> Path:
    """Name the place beside *path* where it goes before it is removed.

    One rename takes it out of sight; what a kill leaves there, ``cyto clean`` finds.
    """
    return path.with_name(f"{ASIDE}{os.urandom(16).hex()}")


def digest_memory() -> Path:
    """Name the file that remembers digests of large inputs."""
    return cache_folder() / "digests"


def checksum_memory() -> Path:
    """Name the file that remembers the SHA-256 of files that crates list."""
    return cache_folder() / "checksums"


def cache_folder() -> Path:
    """Name the documented cache: ``$CYTO_CACHE``, else ``cyto`` in the user's cache folder."""
    own = os.environ.get("CYTO_CACHE")
    if own:
        return Path(own)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "cyto"
