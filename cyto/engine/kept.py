"""What a run was made from, kept with its record: its files as they were, what the plan knew."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from cyto._typing import JSON
from cyto._version import VERSION
from cyto.core.layout import RunLayout
from cyto.engine.plan import Plan

_CRATES_RUN = re.compile(r'"name": "[^"]*, run ([0-9]+-[0-9]+-[0-9a-f]+)"')


def made_from(plan: Plan) -> dict[str, JSON]:
    """Give what the record of a run says of the pipeline beside its nodes."""
    return {
        "version": VERSION,
        "description": plan.description,
        "authors": [dict(author) for author in plan.authors],
        "license": plan.license,
        "channels": {
            name: {
                "spec": asdict(channel.spec),
                "path": channel.spec.path,
                "shape": list(channel.shape),
                "pixel_size_um": channel.pixel_size_um,
                "frame_interval_s": channel.frame_interval_s,
            }
            for name, channel in plan.channels.items()
        },
    }


def keep_files(plan: Plan, layout: RunLayout) -> None:
    """Copy the files that a run is made from, as people go on to edit theirs while it runs.

    These are the pipeline, the resources, the table of samples, and the code of tasks that lie
    beside the pipeline. What cannot be copied is left out: a run needs none of it.
    """
    for source, place in _files(plan):
        target = layout.workflow / place
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
        except OSError:
            continue


def _files(plan: Plan) -> Iterator[tuple[Path, Path]]:
    """Give each file, and its path among the copies."""
    for path in (plan.pipeline, plan.resources, *plan.tables):
        if path is not None:
            yield path, Path(path.name)
    folder = plan.pipeline.parent
    for root in sorted({Path(root) for node in plan.nodes.values() for root in node.code}):
        if root.parent == folder:
            for path in sorted(root.rglob("*.py")) if root.is_dir() else [root]:
                yield path, path.relative_to(folder)


def crate_holds(layout: RunLayout) -> bool:
    """Tell whether the crate that is there was made from the same files as this run.

    Where this run found everything done, that crate says when and how it was.
    """
    try:
        found = _CRATES_RUN.search(layout.crate.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return False
    if not found:
        return False
    former = RunLayout(layout.output_dir, found[1])
    return former.workflow.is_dir() and _contents(former.workflow) == _contents(layout.workflow)


def _contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}
