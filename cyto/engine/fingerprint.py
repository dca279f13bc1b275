"""What a result depends on: the code of its task, and the key that the store knows it by."""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import xxhash

from cyto._typing import JSON
from cyto.core.layout import digest_memory
from cyto.core.placement import Placement
from cyto.engine.plan import Node
from cyto.errors import UnavailableError
from cyto.io.digests import digest_files
from cyto.runners.environment import get_environment
from cyto.task.code import imported_names

_FORMAT = 2  # raise it when what the store holds changes its meaning
_FRAME = ("cyto.task", "cyto.core", "cyto.errors", "cyto._typing", "cyto.runners")


def node_parts(
    node: Node,
    inputs: Mapping[str, str],
    environment: str,
    files: Mapping[str, str],
    code: str | None = None,
) -> dict[str, JSON]:
    """Give everything that a node's result depends on, as plain data.

    Parameters
    ----------
    node
        The node; its name does not count, so that two that do the same share a result.
    inputs
        For each input key the digest of what comes in.
    environment
        Identity of the environment, such as an image's digest.
    files
        Digests of the files that parameters name, as `path_digests` gives them.
    code
        What `code_digest` gives for the node; ``None`` asks it.

    Returns
    -------
    What JSON gives back unchanged, so that parts of now and of before can be compared.
    """
    return {
        "format": _FORMAT,
        "task": node.task,
        "code": code_digest(node.task, node.code) if code is None else code,
        "params": {k: v for k, v in node.params.items() if k not in files},
        "files": dict(files),
        "inputs": [list(item) for item in inputs.items()],  # their order names what is free
        "environment": environment,
        "env": [list(item) for item in sorted(node.placement.env)],
        "seed": node.seed,
    }


def parts_key(parts: Mapping[str, JSON]) -> str:
    """Name a result by its parts: 32 hexadecimal digits."""
    return xxhash.xxh3_128_hexdigest(json.dumps(parts, sort_keys=True).encode())


def code_digest(task: str, code: tuple[str, ...] = ()) -> str:
    """Hash the source of a task and of what it imports from its own package.

    The engine's own floors do not count: they carry data and do not change them. Of a user's
    package every module counts, and of what lies beside it all that it imports.
    """
    files = _files(Path(root) for root in code) if code else _imported(task.rpartition(".")[0])
    stats = [(str(path), path.stat()) for path in files]
    return _digest(tuple((path, stat.st_mtime_ns, stat.st_size) for path, stat in stats))


@cache
def _digest(stamps: tuple[tuple[str, int, int], ...]) -> str:
    digest = xxhash.xxh3_128()
    for path, _, _ in stamps:
        digest.update(Path(path).read_bytes())
    return digest.hexdigest()


def path_digests(node: Node) -> dict[str, str]:
    """Hash the files and folders that a node's parameters name."""
    return {name: file_digest(Path(str(node.params[name]))) for name in node.path_params}


def file_digest(path: Path) -> str:
    """Hash a file, or all files of a folder with their names.

    Contents are remembered as those of channels are: an unchanged model is read once.
    """
    parts = list(_files([path], pattern="*"))
    contents = digest_files([str(part.absolute()) for part in parts], digest_memory())
    digest = xxhash.xxh3_128()
    for part, content in zip(parts, contents, strict=True):
        name = os.fsencode(part.relative_to(path))
        digest.update(f"{len(name)} {content} ".encode() + name)
    return digest.hexdigest()


def _files(roots: Any, pattern: str = "*.py") -> Iterator[Path]:
    for root in roots:
        yield from (
            sorted(p for p in root.rglob(pattern) if p.is_file()) if root.is_dir() else [root]
        )


@cache
def _imported(module: str) -> list[Path]:
    """Find the source files of *module* and of the task modules that it imports anywhere."""
    found: dict[str, Path] = {}
    todo = [module]
    while todo:
        name = todo.pop()
        if name in found or name.startswith(_FRAME):
            continue
        path = _source(name)
        if path is None:
            continue
        found[name] = path
        todo += [n for n in imported_names(path.read_bytes()) if n.startswith("cyto.")]
    return [found[name] for name in sorted(found)]


def _source(module: str) -> Path | None:
    try:
        spec = importlib.util.find_spec(module)
    except ModuleNotFoundError:
        return None
    return Path(spec.origin) if spec and spec.origin and spec.origin.endswith(".py") else None


def identity_of(placement: Placement) -> str:
    """Give what results depend on of their environment, such as an image's digest.

    Raises
    ------
    UnavailableError
        The environment cannot be asked.
    """
    try:
        return get_environment(placement.environment).identity(placement)
    except UnavailableError:
        if placement.launcher == "local":
            raise
        # a login node without Docker: the image's name is all that is known of it
        return f"{placement.environment} {placement.image}"
