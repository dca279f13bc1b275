"""Places in a stage-based file, named as people count there: *step 2 of segmentation*."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from cyto.config.marks import KeyPath, dotted
from cyto.config.source import Source

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cyto.errors import Problem


class StepSource(Source):
    """A stage-based file; its problems name the step."""

    def problem(self, path: KeyPath, message: str, hint: str = "", *, key: bool = False) -> Problem:
        """Make a `Problem` at *path* that names stage, number and class of the step."""
        return replace(super().problem(path, message, hint, key=key), path=self.words(path))

    def words(self, path: KeyPath) -> str:
        """Name a place for people: ``step 2 of segmentation (CellPose): args.diameter``."""
        if path[:1] != ("pipeline",) or len(path) < 3:
            return dotted(path)
        stage, number, rest = path[1], path[2], path[3:]
        if number == "image_label_pair" and rest and isinstance(rest[0], int):
            return f"pair {rest[0] + 1} of {stage}"
        if not isinstance(number, int):
            return dotted(path)
        name = self._name(str(stage), number)
        step = f"step {number + 1} of {stage}" + (f" ({name})" if name else "")
        return f"{step}: {dotted(rest)}" if rest else step

    def _name(self, stage: str, number: int) -> str:
        """Give the class of a step, where it has one."""
        stages = self.data.get("pipeline")
        steps = stages.get(stage) if isinstance(stages, dict) else None
        step = steps[number] if isinstance(steps, list) and number < len(steps) else None
        name = step.get("name") if isinstance(step, dict) else None
        return name if isinstance(name, str) else ""


@dataclass(frozen=True)
class TranslatedSource(Source):
    """What a stage-based file means in the present format, with the places in that file.

    Parameters
    ----------
    old
        The file.
    origins
        For parts of the data the path in *old* that they come from.
    """

    old: Source = field(default_factory=lambda: Source("", {}))
    origins: Mapping[KeyPath, KeyPath] = field(default_factory=dict)

    def problem(self, path: KeyPath, message: str, hint: str = "", *, key: bool = False) -> Problem:
        """Make a `Problem` where the file has what *path* comes from."""
        mark = self.mark(path)
        if mark is not None and mark.origin:  # --set
            return super().problem(path, message, hint, key=key)
        for length in range(len(path), -1, -1):
            if path[:length] in self.origins:
                return self.old.problem(self.origins[path[:length]], message, hint, key=key)
        return self.old.problem(path, message, hint, key=key)
