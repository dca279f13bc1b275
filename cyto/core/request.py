"""What a worker is asked and what it answers: plain data that JSON can hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Callable, Optional

from cyto._typing import JSON


@dataclass(frozen=True)
class Ref:
    """Where one value lies and how to read it.

    Parameters
    ----------
    kind
        ``image``, ``label``, ``dataframe``, ``network``, ``value`` or ``file``.
    format
        ``npy``; ``array`` (raw bytes of a file at *offset*, with *dtype*, *shape*, *strides*);
        ``arrow``, ``parquet``; ``json``; ``file``; ``inline`` (*value* itself).
    path
        Path of the file; ``None`` for ``inline``.
    value
        The value of an ``inline`` reference.
    dtype, shape, strides, offset
        NumPy's dtype string, shape, strides (bytes) and position (bytes) of an array;
        dtype and shape are filled in for ``npy`` too, so that nobody must open the file to know.
    columns
        Column names of a table.
    adler
        Adler-32 of the bytes that a chunk wrote into an array, to be seen again after a crash.
    """

    kind: str
    format: str
    path: Optional[str] = None
    value: JSON = None
    dtype: Optional[str] = None
    shape: Optional[tuple[int, ...]] = None
    strides: Optional[tuple[int, ...]] = None
    offset: int = 0
    columns: Optional[tuple[str, ...]] = None
    adler: Optional[int] = None

    def to_json(self) -> dict[str, Any]:
        """Give the fields that differ from their defaults."""
        return {
            f.name: list(v) if isinstance(v, tuple) else v
            for f in fields(self)
            for v in [getattr(self, f.name)]
            if f.name in {"kind", "format"} or v != f.default
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Ref:
        """Read what `to_json` gave."""
        values: dict[str, Any] = {
            k: tuple(v) if k in _TUPLES and v is not None else v for k, v in data.items()
        }
        return cls(**values)

    def moved(self, move: Callable[[str], str]) -> Ref:
        """Give the same reference with its path mapped by *move*."""
        return self if self.path is None else replace(self, path=move(self.path))


_TUPLES = frozenset({"shape", "strides", "columns"})


@dataclass(frozen=True)
class TaskRequest:
    """One task to run, complete in itself.

    Parameters
    ----------
    task
        Dotted path of the class.
    params
        Its constructor's parameters.
    inputs
        References by input key.
    folder
        The job folder; the worker writes ``result.json`` and ``out/`` there and nowhere else.
    node
        The node's name, for logs and messages.
    frames
        ``(start, stop)`` when only those frames are to be computed.
    into
        With *frames*, the folder that the results of all chunks are written into, each in its
        place.
    seed
        Seeds ``random`` and NumPy's global generator before the task runs.
    path_params
        Names of the parameters whose values are absolute paths of files that the task reads.
    code
        Module files or package folders of the user's own tasks; the worker appends the folders
        that they lie in to ``sys.path``.
    """

    task: str
    params: Mapping[str, JSON] = field(default_factory=dict)
    inputs: Mapping[str, Ref] = field(default_factory=dict)
    folder: str = ""
    node: str = ""
    frames: Optional[tuple[int, int]] = None
    into: str = ""
    seed: int = 0
    path_params: tuple[str, ...] = ()
    code: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Give the request as JSON values."""
        return {
            "task": self.task,
            "params": dict(self.params),
            "inputs": {key: ref.to_json() for key, ref in self.inputs.items()},
            "folder": self.folder,
            "node": self.node,
            "frames": None if self.frames is None else list(self.frames),
            "into": self.into,
            "seed": self.seed,
            "path_params": list(self.path_params),
            "code": list(self.code),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> TaskRequest:
        """Read what `to_json` gave."""
        frames = data.get("frames")
        return cls(
            task=data["task"],
            params=data["params"],
            inputs={key: Ref.from_json(ref) for key, ref in data["inputs"].items()},
            folder=data["folder"],
            node=data.get("node", ""),
            frames=None if frames is None else (frames[0], frames[1]),
            into=data.get("into", ""),
            seed=data.get("seed", 0),
            path_params=tuple(data.get("path_params", ())),
            code=tuple(data.get("code", ())),
        )

    def moved(self, move: Callable[[str], str]) -> TaskRequest:
        """Give the same request with every path mapped by *move*, as a container sees it."""
        return replace(
            self,
            params={
                name: move(str(value)) if name in self.path_params else value
                for name, value in self.params.items()
            },
            inputs={key: ref.moved(move) for key, ref in self.inputs.items()},
            folder=move(self.folder),
            into=move(self.into) if self.into else "",
            code=tuple(move(path) for path in self.code),
        )


@dataclass(frozen=True)
class TaskResult:
    """How one task ended; a worker writes exactly one.

    Parameters
    ----------
    outputs
        References by output key, paths relative to the job folder; empty on failure.
    reason
        Empty on success; else ``exception``, ``exit``, ``memory``, ``signal``, ``timeout``,
        ``cancelled``, ``lost``, and on a cluster ``node`` (it failed), ``preempted`` and
        ``refused`` (the submission).
    message
        On failure, one sentence or more for the user.
    traceback
        The tool's traceback, when it raised.
    wall_s, cpu_s, peak_bytes
        Time and resident memory of the worker while it ran this task.
    versions
        Versions of Python and the libraries loaded, for provenance.
    """

    outputs: Mapping[str, Ref] = field(default_factory=dict)
    reason: str = ""
    message: str = ""
    traceback: str = ""
    wall_s: float = 0.0
    cpu_s: float = 0.0
    peak_bytes: int = 0
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether the task succeeded."""
        return not self.reason

    def to_json(self) -> dict[str, Any]:
        """Give the result as JSON values."""
        data = {f.name: getattr(self, f.name) for f in fields(self)}
        data["outputs"] = {key: ref.to_json() for key, ref in self.outputs.items()}
        data["versions"] = dict(self.versions)
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> TaskResult:
        """Read what `to_json` gave."""
        outputs = {key: Ref.from_json(ref) for key, ref in data.get("outputs", {}).items()}
        return cls(**{**data, "outputs": outputs})
