"""What a run was made from, kept with its record: its files as they were, what the plan knew."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from cyto._typing import JSON
from cyto._version import VERSION
from cyto.core.layout import RunLayout
from cyto.engine.plan import Plan


def made_from(plan: Plan) -> dict[str, JSON]:
    """Give what the record of a run says of the pipeline beside its nodes."""
    return {
        "cyto": VERSION,
        "description": plan.description,
        "authors": [dict(author) for author in plan.authors],
        "license": plan.license,
        "channels": {name: asdict(channel.spec) for name, channel in plan.channels.items()},
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
