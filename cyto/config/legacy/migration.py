"""A stage-based file written down in the present format, with a resources file beside it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cyto.config.legacy.comments import Comment, comments_of
from cyto.config.legacy.translation import missing_images, translate
from cyto.config.legacy.writing import pipeline_text, resources_text
from cyto.config.paths import expanded
from cyto.config.pipeline import is_legacy
from cyto.config.resources import companion
from cyto.config.source import read_source, read_text
from cyto.errors import ConfigError, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cyto.config.legacy.source import TranslatedSource
    from cyto.config.marks import KeyPath

_PREFIXES = ("pipeline.", "pipeline_", "pipeline-", "legacy.", "legacy_", "legacy-")


@dataclass(frozen=True, kw_only=True)
class Migration:
    """Two files to write, by their paths, and what is otherwise than it was."""

    files: dict[Path, str]
    notes: tuple[Problem, ...] = ()


def default_name(old: Path) -> Path:
    """Name the new file: ``killing.yaml`` becomes ``pipeline.killing.yaml`` beside it."""
    stem = old.name.partition(".yaml")[0].partition(".yml")[0]
    for prefix in _PREFIXES:
        stem = stem.removeprefix(prefix)
    if stem in {"pipeline", ""}:
        stem = "migrated"
    new = old.with_name(f"pipeline.{stem}.yaml")
    return new if new != old else old.with_name(f"pipeline.{stem}_migrated.yaml")


def migrate(old: str | Path, new: Path) -> Migration:
    """Write a stage-based file in the present format; nothing touches the disk.

    Parameters
    ----------
    old
        The file.
    new
        The pipeline file to be. Paths in it are relative to its folder; they mean what they meant
        in *old* for a program that is called in the current folder.

    Returns
    -------
    The texts of *new* and of its resources file. They give the same results, in the same files.
    The resources file that belongs to *old*, where there is one, goes along as it is.

    Raises
    ------
    ConfigError
        *old* is no stage-based file, or something in it is wrong.
    """
    source = read_source(old, "pipeline")
    if not is_legacy(source):
        message = "this is no stage-based pipeline: it has no mapping 'pipeline', or has 'tasks'"
        hint = "a file with 'tasks' is in the present format already"
        raise ConfigError([source.problem((), message, hint)])
    made = translate(source, _beside(new))
    comments = _placed(comments_of(read_text(expanded(old), "pipeline")), made.source)
    head = [f"# Made from {Path(old).name} by cyto migrate: the same results in the same files."]
    microscope = source.data.get("microscope")
    head += [f"# microscope: {' '.join(microscope.split())}"] if isinstance(microscope, str) else []
    files = {new: pipeline_text(made.source.data, head, comments)}
    notes = [*made.notes, *missing_images(source)]
    own, resources = companion(old), companion(new)
    if not own.exists():
        files[resources] = resources_text(made.source.data, resources.name)
    elif own.resolve() != resources.resolve():
        files[resources] = read_text(own, "resources")
        if own.parent.resolve() != resources.parent.resolve():
            notes.append(_moved(own, resources))
    return Migration(files=files, notes=tuple(notes))


def _moved(own: Path, copy: Path) -> Problem:
    hint = "where it names images or folders by such paths, mend them there"
    return Problem(
        f"relative paths in its copy {copy} start at another folder", hint, file=str(own)
    )


def _beside(new: Path) -> Callable[[str], str]:
    folder = new.absolute().parent

    def resolve(path: str) -> str:
        if path.startswith("~") or Path(path).is_absolute():
            return path
        return os.path.relpath(Path.cwd() / path, folder)

    return resolve


def _placed(
    comments: Iterable[Comment], source: TranslatedSource
) -> dict[KeyPath, list[tuple[str, bool]]]:
    """Give each comment to the next thing that has a line of its own in the new file.

    Returns
    -------
    By path in the new data the comments, and whether they stand behind it; ``()`` is the end.
    """
    anchors = _anchors(source)
    lines = sorted(anchors)
    placed: dict[KeyPath, list[tuple[str, bool]]] = {}
    for comment in comments:
        after = [line for line in lines if line >= comment.line]
        before = [line for line in lines if line <= comment.line]
        behind = not comment.alone and before[-1:] == [comment.line]
        near = after[:1] if comment.alone else before[-1:]
        placed.setdefault(anchors[near[0]] if near else (), []).append((comment.text, behind))
    return placed


def _anchors(source: TranslatedSource) -> dict[int, KeyPath]:
    """Give what has a line of its own in the new file, by its line in the old one."""
    anchors: dict[int, KeyPath] = {}
    for new, old in source.origins.items():
        place = source.old.locate(old, key=True)
        param = len(new) == 4 and new[2] == "params" and old[-2:-1] == ("args",)
        if place and (len(new) <= 2 or param):
            anchors.setdefault(place[0], new)
    return anchors
