"""From a stage-based file to what a file of the present format would hold."""

from __future__ import annotations

import glob
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from cyto.config.legacy.channels import read_channels
from cyto.config.legacy.kinds import FEATURE, IMAGE, LABEL, NETWORK
from cyto.config.legacy.model import SHAPES, LegacyFile
from cyto.config.legacy.notes import notes_on
from cyto.config.legacy.routing import Names, Router, Use
from cyto.config.legacy.source import StepSource, TranslatedSource
from cyto.config.legacy.steps import check_steps, steps_of, with_text_names
from cyto.config.paths import expanded
from cyto.config.translation import validated
from cyto.errors import ConfigError, Problem

if TYPE_CHECKING:
    from cyto._typing import JSON
    from cyto.config.marks import KeyPath, Mark
    from cyto.config.source import Source

Resolve = Callable[[str], str]
"""Makes of a path, relative to the current folder, what the new file holds."""
_ENDINGS = {IMAGE: ".tif", LABEL: ".tif", FEATURE: ".csv", NETWORK: "_{frame}.adjlist"}


@dataclass(frozen=True, kw_only=True)
class Translated:
    """A stage-based file in the present format.

    Parameters
    ----------
    source
        The data, with the places in the old file.
    notes
        What is otherwise than it was, each once.
    """

    source: TranslatedSource
    notes: tuple[Problem, ...] = ()


def start_of(source: Source) -> Path:
    """Give what relative paths are relative to: the current folder, as the old program took it.

    Of a copy that is run again it is the folder in which the original was run.
    """
    return source.base or Path.cwd()


def translate(source: Source, resolve: Resolve | None = None) -> Translated:
    """Translate a stage-based file.

    Parameters
    ----------
    source
        The file, as read.
    resolve
        What becomes of paths; ``None`` makes them absolute.

    Raises
    ------
    ConfigError
        All that is wrong with it, with line, column and step, and the nearest valid name.
    """
    start = start_of(source)
    old = StepSource(source.file, with_text_names(source.data), source.marks, base=start)
    work = _Translation(old, resolve or (lambda path: str(start / expanded(path))))

    def follow(_: Source) -> list[Problem]:
        return work.problems()

    try:
        model = validated(LegacyFile, old, SHAPES, checks=(check_steps, follow))
    except ConfigError as error:
        # the rest of the file is known to be read: say at once what else would be missing
        raise ConfigError(old.ordered([*error.problems, *missing_images(old)])) from error
    return work.finish(model)


def missing_images(source: Source) -> list[Problem]:
    """Find channels with no file at their path."""
    written = source.data.get("channels")
    problems = []
    for name, value in written.items() if isinstance(written, dict) else ():
        path = value.get("path") if isinstance(value, dict) else value
        if not isinstance(path, str) or not path or "\0" in path:
            continue
        full = str(start_of(source) / expanded(path))
        if not _is_there(full):
            where = ("channels", name, "path") if isinstance(value, dict) else ("channels", name)
            hint = "relative paths are relative to the folder that cyto is called in"
            problems.append(source.problem(where, f"nothing is at {full}", hint))
    return problems


def _is_there(path: str) -> bool:
    return Path(path).exists() or bool(glob.glob(path))  # noqa: PTH207 - patterns are absolute


@dataclass
class _Translation:
    """The present format's data, made step by step."""

    old: StepSource
    resolve: Resolve
    data: dict[str, JSON] = field(default_factory=dict)
    tasks: dict[str, dict[str, JSON]] = field(default_factory=dict)
    origins: dict[KeyPath, KeyPath] = field(default_factory=dict)
    uses: list[Use] = field(default_factory=list)
    overwritten: list[Problem] = field(default_factory=list)
    written: dict[str, Use] = field(default_factory=dict)

    def problems(self) -> list[Problem]:
        """Follow the steps; give what is wrong with them."""
        names = Names()
        channels = read_channels(self.old, self.resolve, names)
        self.data["channels"] = channels.data
        self.origins.update(channels.origins)
        for node, task, origin in channels.tasks:
            self.tasks[node] = task
            self.origins["tasks", node] = origin
        steps = list(steps_of(self.old))
        router = Router(self.old, channels.images, names)
        self.uses = list(router.follow(step for step in steps if step.runs))
        if not steps:
            key = ("pipeline",)
            return [
                self.old.problem(key, "no stage has a step", "write one, or all, of them", key=True)
            ]
        return router.problems

    def finish(self, model: LegacyFile) -> Translated:
        """Make the nodes of a file that is right."""
        for use in self.uses:
            self._add(use, model)
        size = set(model.spacing or ())
        head: dict[str, JSON] = {
            "description": model.description,
            "authors": self.old.data.get("authors"),
            "license": model.license,
            "execution_profile": model.execution_profile,
            "pixel_size_um": size.pop() if len(size) == 1 else None,
        }
        data: dict[str, JSON] = {key: value for key, value in head.items() if value}
        data |= {**self.data, "output_dir": self.resolve(model.output_dir)}
        data["tasks"] = dict(self.tasks)
        for key in data:
            if key not in {"channels", "tasks"}:
                self.origins[key,] = ("spacing" if key == "pixel_size_um" else key,)
        marks = dict(self._marks())
        made = TranslatedSource(
            self.old.file,
            data,
            marks,
            base=self.old.base,
            old=self.old,
            origins=dict(self.origins),
        )
        notes = [*notes_on(self.old, model, self.uses), *self.overwritten]
        return Translated(source=made, notes=tuple(self.old.ordered(notes)))

    def _marks(self) -> Iterator[tuple[KeyPath, Mark]]:
        for new, old in self.origins.items():
            mark = self.old.mark(old)
            if mark is not None:
                yield new, mark

    def _add(self, use: Use, model: LegacyFile) -> None:
        step, node = use.step, use.node
        task: dict[str, JSON] = {"module": use.kind.task}
        params = self._params(use, model)
        if params:
            task["params"] = params
        task["inputs"] = dict(use.inputs)
        tags: list[JSON] = [step.stage] if step.name == step.stage else [step.stage, step.name]
        task["tags"] = tags
        files = self._files(use) if step.output else {}
        if files:
            task["output"] = _output(files)
        self.tasks[node] = task
        self.origins["tasks", node] = step.path
        for key in params:
            given = step.place("args", key)
            self.origins["tasks", node, "params", key] = given if key in step.args else step.path

    def _params(self, use: Use, model: LegacyFile) -> dict[str, JSON]:
        """Give the task's parameters: the old defaults, what the step says, and what is fixed."""
        kind, step = use.kind, use.step
        params: dict[str, JSON] = {**kind.params}
        params.update({k: v for k, v in step.args.items() if k in params or k in kind.required})
        params.update(kind.fixed)
        for key in kind.upper:
            value = params.get(key)
            params[key] = value.upper() if isinstance(value, str) else value
        for key in kind.files:
            value = params.get(key)
            if isinstance(value, str) and (start_of(self.old) / expanded(value)).exists():
                params[key] = self.resolve(value)
        if step.stage == "label_to_sparse":
            params["channel"] = use.channels[0]
        if model.spacing and (step.stage == "label_to_sparse" or step.name == "TrackMate"):
            params["spacing"] = _spacing(model)
        if step.name == "CrossCellContactMeasures":
            first, second = use.channels
            params["names"] = [first, second if second != first else f"{second}_2"]
        return {key: value for key, value in params.items() if value is not None}

    def _files(self, use: Use) -> dict[str, JSON]:
        """Name the files of a use, and take them from an earlier one that wrote the same."""
        step = use.step
        folder = f"{step.stage}/{step.name}"
        if step.stage in {"label_to_sparse", "tracking"}:
            folder = "tracking"
        files: dict[str, JSON] = {
            key: f"{folder}/{use.name}{_ENDINGS[kind]}" for kind, key in use.makes.items()
        }
        if step.name == "TrackMate":
            files["xml"] = f"{folder}/{use.name}.xml"
        for name in map(str, files.values()):
            self._take(name, use)
        return files

    def _take(self, name: str, use: Use) -> None:
        earlier = self.written.get(name)
        self.written[name] = use
        if earlier is None:
            return
        output = self.tasks[earlier.node].pop("output")
        files = output["files"] if isinstance(output, dict) else {}
        left = {k: v for k, v in files.items() if v != name} if isinstance(files, dict) else {}
        if left:
            self.tasks[earlier.node]["output"] = _output(left)
        if use.step.stage == "tracking" and earlier.step.stage == "label_to_sparse":
            return  # as documented: tracking adds its column
        message = (
            f"writes {name}, as {self.old.words(earlier.step.path)} does: "
            "that file holds the result of this step alone"
        )
        self.overwritten.append(self.old.problem(use.step.path, message))


def _spacing(model: LegacyFile) -> list[JSON]:
    """Give the size of the pixels that are left when every n-th is taken."""
    steps = [
        (*span, None, None, None)[2] or 1 if span else 1
        for span in (model.image_range.x, model.image_range.y)
    ]
    return [size * step for size, step in zip(model.spacing or (1.0, 1.0), steps, strict=True)]


def _output(files: dict[str, JSON]) -> JSON:
    """Say how files are written: images so that old readers know the compression."""
    images = any(str(name).endswith(".tif") for name in files.values())
    how: dict[str, JSON] = {"compression": "zlib"} if images else {}
    return {**how, "files": files}
