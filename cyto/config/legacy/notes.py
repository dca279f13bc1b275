"""What a stage-based pipeline does otherwise than the old program did: each thing said once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from cyto.config.legacy.model import END
from cyto.config.legacy.steps import steps_of

if TYPE_CHECKING:
    from cyto.config.legacy.model import LegacyFile
    from cyto.config.legacy.routing import Use
    from cyto.config.legacy.source import StepSource
    from cyto.config.legacy.steps import Step
    from cyto.config.marks import KeyPath
    from cyto.errors import Problem

Note = tuple["KeyPath", str, str]
"""Where, what, and what to do."""

_OF_CLASSES = {
    "label_to_sparse": (
        "'label' is the mask's value, x and i count columns, y and j rows, and spacing is applied; "
        "the old program numbered cells anew, swapped x and y, and took a spacing of 1"
    ),
    "CrossChannelCorrelation": (
        "values beyond uint16 are clipped; the old program let them wrap around"
    ),
    "KernelDensityEstimation": (
        "the bandwidth is that of Scott's rule, and the image is cells per px²; the old program "
        "searched a bandwidth for each frame and stretched each frame to 1"
    ),
    "CellTriangulation": (
        "neighbours are those of a Delaunay triangulation, which is connected; the old program "
        "joined all cells within the least distance that connected them"
    ),
    "CrossCellContactMeasures": (
        "'contacting cell labels' are values of the second mask, and cells without a row in their "
        "table do not count"
    ),
}


def notes_on(source: StepSource, model: LegacyFile, uses: Sequence[Use]) -> list[Problem]:
    """Say what is otherwise, of those things that are in the file."""
    steps = list(dict.fromkeys(use.step.path for use in uses))
    first = {use.step.name: use.step for use in reversed(uses)}
    tracking = [step for step in steps_of(source) if step.stage == "tracking"]
    found = [*_of_file(model, first), *_of_classes(first), *_of_tracking(model, tracking)]
    found += _of_parameters([next(u.step for u in uses if u.step.path == path) for path in steps])
    return [source.problem(path, message, hint) for path, message, hint in found]


def _of_file(model: LegacyFile, first: dict[str, Step]) -> Iterator[Note]:
    cut = [a for a in ("x", "y", "t") if _cuts(getattr(model.image_range, a))]
    if cut:
        text = (
            f"{' and '.join(cut)} cut what their names say; since November 2024 the old program "
            "took x for time and t for x"
        )
        yield ("image_range",), text, ""
    if model.spacing and len(set(model.spacing)) > 1:
        text = (
            "pixels are not square: perimeter, Feret diameter, elongation and roundness are those "
            "of square pixels of the same area, and exported images keep the pixel size that their "
            "files tell"
        )
        yield ("spacing",), text, ""
    if model.fiji_dir is not None and "TrackMate" not in first:
        yield ("fiji_dir",), "is not needed: no step needs Fiji", ""


def _cuts(span: tuple[int | None, ...] | None) -> bool:
    start, stop, step = (*(span or ()), None, None, None)[:3]
    return bool(start) or stop not in {None, END} or (step or 1) > 1


def _of_classes(first: dict[str, Step]) -> Iterator[Note]:
    for name, text in _OF_CLASSES.items():
        if name in first:
            yield first[name].path, text, ""


def _of_tracking(model: LegacyFile, steps: Sequence[Step]) -> Iterator[Note]:
    if not steps:
        return
    text = "runs on pyCyto's own LAP tracker with the same parameters"
    yield steps[0].path, f"{text}; Fiji is not needed", ""
    if model.spacing and tuple(model.spacing) != (1.0, 1.0):
        text = (
            "distances and sizes are in the unit of spacing, as documented; the old program "
            "ignored spacing and took them for pixels"
        )
        yield steps[0].path, text, "write them in that unit, or leave spacing out to have pixels"
    for step in steps[1:]:
        text = "does not run: of tracking the old program ran the first step alone"
        yield step.path, text, "leave it out, or put it first"


def _of_parameters(steps: Sequence[Step]) -> Iterator[Note]:
    said: set[str] = set()
    for step in steps:
        for key, text in _unused(step):
            if key not in said:
                said.add(key)
                yield step.place("args", key), text, ""


def _unused(step: Step) -> Iterator[tuple[str, str]]:
    if "model_matching_thresh" in step.args:
        yield "model_matching_thresh", "changes nothing: flow_threshold is 0, as it always was"
    if step.args.get("base_image") is True:
        yield "base_image", "changes nothing: what was drawn over the image was never kept"
    if step.args.get("parallel_backend", "NATIVE") != "NATIVE" or step.args.get("threads", 1) != 1:
        key = "parallel_backend" if "parallel_backend" in step.args else "threads"
        yield key, "changes nothing: frames are few milliseconds each, one after the other"
    operation = step.args.get("operation", "divide")
    if step.name == "CrossTableOperation" and operation != "divide":
        yield "operation", f"{operation!r} is done; the old program did nothing but divide"
