"""What a result depends on: the code of its task, and the key that the store knows it by."""

from __future__ import annotations

import ast
import importlib.util
import json
import os
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import xxhash

from cyto.engine.plan import Node

_FORMAT = 1  # raise it when what the store holds changes its meaning
_FRAME = ("cyto.task", "cyto.core", "cyto.errors", "cyto._typing", "cyto.runners")


def node_key(
    node: Node, inputs: Mapping[str, str], environment: str, files: Mapping[str, str]
) -> str:
    """Name a node's result by everything that it depends on.

    Parameters
    ----------
    node
        The node; its name does not count, so that two that do the same share a result.
    inputs
        For each input key the digest of what comes in.
    environment
        Identity of the environment, such as an image's digest.
    files
        Digests of the files that parameters name.

    Returns
    -------
    32 hexadecimal digits.
    """
    parts = {
        "format": _FORMAT,
        "task": node.task,
        "code": code_digest(node.task, node.code),
        "params": {k: files.get(k, v) for k, v in node.params.items()},
        "inputs": list(inputs.items()),  # in order: it names freely named inputs
        "environment": environment,
        "env": sorted(node.placement.env),
        "seed": node.seed,
    }
    return xxhash.xxh3_128_hexdigest(json.dumps(parts, sort_keys=True).encode())


def code_digest(task: str, code: tuple[str, ...] = ()) -> str:
    """Hash the source of a task and of what it imports from its own package.

    The engine's own floors do not count: they carry data and do not change them. Of a user's
    package every module counts.
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


def file_digest(path: Path) -> str:
    """Hash a file, or all files of a folder with their names."""
    digest = xxhash.xxh3_128()
    for part in _files([path], pattern="*"):
        name = os.fsencode(part.relative_to(path))
        digest.update(f"{len(name)} {part.stat().st_size} ".encode() + name)
        with part.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
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
        todo += [n for n in _names(path) if n.startswith("cyto.")]
    return [found[name] for name in sorted(found)]


def _source(module: str) -> Path | None:
    try:
        spec = importlib.util.find_spec(module)
    except ModuleNotFoundError:
        return None
    return Path(spec.origin) if spec and spec.origin and spec.origin.endswith(".py") else None


def _names(path: Path) -> Iterator[str]:
    """List what a file imports, at its top or inside functions; an attribute may be a module."""
    for statement in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(statement, ast.Import):
            yield from (alias.name for alias in statement.names)
        elif isinstance(statement, ast.ImportFrom) and statement.module:
            yield statement.module
            yield from (f"{statement.module}.{alias.name}" for alias in statement.names)
