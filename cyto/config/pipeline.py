"""Pipelines as read: the checked model, its file, and where each part is written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from cyto.config.overrides import overridden
from cyto.config.paths import expanded
from cyto.config.pipeline_model import SHAPES, Channel, Pipeline, Task
from cyto.config.references import check_collect, check_names, check_references
from cyto.config.source import Source, read_source
from cyto.config.translation import keys_of, validated
from cyto.errors import ConfigError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cyto.config.marks import KeyPath
    from cyto.config.people import Author

_RESOURCES = (
    "this is a resources file, not a pipeline",
    "give the pipeline; pipeline.X.yaml finds pipeline-resources.X.yaml beside it",
)

_STAGE_BASED = ("image_range", "spacing", "pipeline", "fiji_dir", "microscope")
"""Keys of stage-based files that have no like in the present format."""


@dataclass(frozen=True, kw_only=True)
class PipelineConfig:
    """A pipeline that is right as far as its files can tell.

    Parameters
    ----------
    model
        Everything that the file says, with defaults filled in; paths as given.
    source
        The data (after ``--set``) and the places of its parts.
    warnings
        What is odd and does not hinder.
    """

    model: Pipeline
    source: Source
    warnings: tuple[Problem, ...] = ()

    @property
    def file(self) -> Path:
        """The file, absolute."""
        return Path(self.source.file).absolute()

    @property
    def channels(self) -> Mapping[str, Channel]:
        """The channels by name, a path alone being a `Channel` too."""
        return cast("Mapping[str, Channel]", self.model.channels)

    @property
    def authors(self) -> tuple[Author, ...]:
        """Who made it, a name alone being an `Author` too."""
        return cast("tuple[Author, ...]", self.model.authors)

    @property
    def tasks(self) -> Mapping[str, Task]:
        """The nodes by name, in the order of the file."""
        return self.model.tasks

    @property
    def output_dir(self) -> Path:
        """Where results go, absolute."""
        return self.resolve(self.model.output_dir)

    def resolve(self, path: str) -> Path:
        """Make a path of the file absolute: relative to the file, ``~`` the home folder."""
        return self.source.folder / expanded(path)

    def channel_path(self, name: str) -> Path:
        """Give the absolute path (or glob) of a channel's images."""
        return self.resolve(self.channels[name].path)

    def channel_key(self, name: str, key: str) -> KeyPath:
        """Give the path of a channel's *key*: of the channel where it is a path alone."""
        written = self.source.data.get("channels")
        mapping = isinstance(written, dict) and isinstance(written.get(name), dict)
        return ("channels", name, *key.split(".")) if mapping else ("channels", name)

    def problem(self, path: KeyPath, message: str, hint: str = "", *, key: bool = False) -> Problem:
        """Make a `Problem` at a key path, for what is found out later.

        Parameters
        ----------
        path
            Such as ``("tasks", "tcell", "params", "diameter")``; where nothing is written at it,
            the nearest parent's place is named.
        message, hint
            What is wrong and what to do.
        key
            Point at the key instead of its value.
        """
        return self.source.problem(path, message, hint, key=key)


def is_legacy(source: Source) -> bool:
    """Tell whether a file is in the older, stage-based format: ``pipeline`` and no ``tasks``."""
    return isinstance(source.data.get("pipeline"), (dict, list)) and "tasks" not in source.data


def load_pipeline(
    path: str | Path, overrides: Iterable[str] = (), base: Path | None = None
) -> PipelineConfig:
    """Read and check a pipeline file; a stage-based one is translated first.

    Parameters
    ----------
    path
        The file.
    overrides
        ``tasks.X.params.Y=Z`` and the like, as ``--set`` takes them. Values are YAML. Relative
        paths in them are relative to the current folder, those in the file to the file.
    base
        What relative paths in the file are relative to instead.

    Raises
    ------
    ConfigError
        All that is wrong, in the order of the file, each with line, column, key path and the
        nearest valid key. Not looked at here: whether modules, parameters, samples and images
        exist, what tasks make, and cycles.
    """
    source, overrides = read_source(path, "pipeline", base), tuple(overrides)
    warnings: tuple[Problem, ...] = ()
    if is_legacy(source):
        _check_reach(overrides)
        source, warnings = _translated(source)
    if "execution_configs" in source.data and "tasks" not in source.data:
        raise ConfigError([source.problem(("execution_configs",), *_RESOURCES, key=True)])
    source = overridden(source, overrides)
    checks = (check_names, check_references, check_collect)
    model = validated(Pipeline, source, SHAPES, checks=checks, hint=_advice)
    return PipelineConfig(model=model, source=source, warnings=warnings)


def _check_reach(overrides: Iterable[str]) -> None:
    """Refuse to change parts of a stage-based file that are no more when it is translated."""
    hint = "edit the file, or set what it becomes: tasks.NODE.params.X; cyto plan names the nodes"
    problems = [
        Problem(f"does not reach {root!r} of a stage-based file", hint, file=f"--set {text}")
        for text in overrides
        if (root := text.partition("=")[0].strip().partition(".")[0]) in _STAGE_BASED
    ]
    if problems:
        raise ConfigError(problems)


def _translated(source: Source) -> tuple[Source, tuple[Problem, ...]]:
    from cyto.config.legacy.translation import translate

    made = translate(source)
    return made.source, made.notes


def _advice(path: KeyPath) -> str:
    """Advise on a key that belongs elsewhere."""
    if len(path) == 3 and path[0] == "tasks":
        if path[2] in {"resources", "type", "runner", "image", "execution_config"}:
            return "where a node runs is written in the resources file, under execution_configs"
    elif len(path) == 1 and path[0] in {"default_profile", "execution_configs"}:
        return "this belongs into the resources file"
    elif len(path) == 1 and path[0] in keys_of(Task) and path[0] != "output":
        return f"{path[0]!r} is a key of a node, under tasks"
    return ""
