"""Notes of what runs on a cluster, so that another driver can go on with it."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cyto.engine.chunks import Range
from cyto.errors import CytoError
from cyto.runners.slurm import Slurm


@dataclass(kw_only=True)
class Claim:
    """Where a node's requests are.

    Parameters
    ----------
    folder
        The submission's.
    ranges
        All chunks of the node, those included that are not in this submission.
    places
        For each request its frames (``None``: all), its element and place in it, its job folder.
    """

    folder: Path
    ranges: tuple[Range, ...] = ()
    places: list[tuple[Range | None, int, int, Path]] = field(default_factory=list)


class Claims:
    """A folder of claims, one file for each node; a claim goes when its node has ended."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, name: str, claim: Claim) -> None:
        """Note a claim, whole or not at all."""
        self._folder.mkdir(parents=True, exist_ok=True)
        places = [[span, e, i, str(folder)] for span, e, i, folder in claim.places]
        part = self._folder / f"{name}.part"
        data = {"folder": str(claim.folder), "ranges": claim.ranges, "places": places}
        part.write_text(json.dumps(data), "utf-8")
        part.replace(self._folder / f"{name}.json")

    def read(self, name: str) -> Claim | None:
        """Give a claim whose submission is still there."""
        return _read(self._folder / f"{name}.json")

    def remove(self, name: str) -> None:
        """Forget a claim."""
        (self._folder / f"{name}.json").unlink(missing_ok=True)

    def names(self) -> set[str]:
        """Give the names of all claims."""
        return {path.stem for path in self._folder.glob("*.json")}

    def clear(self) -> None:
        """Forget all claims."""
        for path in self._folder.glob("*.json"):
            path.unlink(missing_ok=True)

    def folders(self) -> Iterator[Path]:
        """Give the folders of all submissions that somebody may still go on with."""
        found = (_read(path) for path in self._folder.glob("*.json"))
        yield from dict.fromkeys(claim.folder for claim in found if claim is not None)


def _read(path: Path) -> Claim | None:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        places = [
            ((span[0], span[1]) if span else None, element, index, Path(folder))
            for span, element, index, folder in data["places"]
        ]
        ranges = tuple((start, stop) for start, stop in data["ranges"])
        claim = Claim(folder=Path(data["folder"]), ranges=ranges, places=places)
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return None
    return claim if claim.folder.is_dir() else None


class Leftovers:
    """What lost drivers submitted: given up node by node, as other work takes its place.

    Parameters
    ----------
    claims
        The claims that there are when a run begins.
    """

    def __init__(self, claims: Claims) -> None:
        self._claims, self._lock = claims, threading.Lock()
        self._names: dict[str, set[str]] = {}
        for name in claims.names():
            self._names.setdefault(name.rpartition("-")[2], set()).add(name)

    def give_up(self, job: str, *, keep: bool) -> None:
        """Cancel what is claimed for the node of *job*; *job* itself only unless *keep* is set.

        Jobs that other nodes have requests in go on.
        """
        if not self._names:
            return
        with self._lock:
            names = self._names.pop(job.rpartition("-")[2], set()) - ({job} if keep else set())
            folders = {claim.folder for name in names if (claim := self._claims.read(name))}
            for name in names:
                self._claims.remove(name)
            free = folders - set(self._claims.folders())
        for folder in free:
            threading.Thread(target=_withdraw, args=(folder,)).start()


def _withdraw(folder: Path) -> None:
    with contextlib.suppress(CytoError):  # it ends by itself; nobody reads what it makes
        withdraw(folder)


def withdraw(folder: Path) -> bool:
    """Cancel what a lost driver submitted from *folder*; tell whether there was something.

    Raises
    ------
    UnavailableError
        The cluster does not answer.
    """
    slurm = Slurm()
    try:
        submission = slurm.adopt(folder)
        if submission is not None:
            slurm.cancel(submission)
        return submission is not None
    finally:
        slurm.close()
