"""The text of a pipeline file and of its resources file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import yaml

from cyto.config.yaml_rules import Rules

if TYPE_CHECKING:
    from cyto._typing import JSON
    from cyto.config.marks import KeyPath

    _Base = yaml.SafeDumper
else:
    _Base = yaml.SafeDumper

Comments = Mapping["KeyPath", Sequence[tuple[str, bool]]]

_TOOLS = {
    "cyto.segmentation.cellpose.CellPose": "cellpose",
    "cyto.segmentation.stardist.StarDist": "stardist",
}
"""Tasks that need an image of their own, which bears this name."""


class _Dumper(Rules, _Base):
    """Quotes what our reader would take for something else than text."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002
        return True


def pipeline_text(data: Mapping[str, JSON], head: Sequence[str], comments: Comments) -> str:
    """Write a pipeline.

    Parameters
    ----------
    data
        What it holds.
    head
        Its first lines.
    comments
        By path, and whether they stand behind it; ``()`` is the end.
    """
    lines = list(head)
    for key, value in data.items():
        if isinstance(value, dict):
            lines += ["", *_above(comments, (key,), ""), f"{key}:"]
            lines += _section((key,), value, comments)
        else:
            lines += _line((key,), value, comments, "")
    lines += [text for text, _ in comments.get((), ())]
    return "\n".join(lines) + "\n"


def _section(path: KeyPath, section: Mapping[str, JSON], comments: Comments) -> Iterator[str]:
    for name, value in section.items():
        here = (*path, name)
        if path == ("tasks",) and isinstance(value, dict):
            yield from _above(comments, here, "  ")
            yield from (f"  # {text.lstrip('# ')}" for text in _behind(comments, here))
            yield f"  {_flow(name)}:"
            yield from _node(here, value, comments)
            yield ""
        else:
            yield from _line(here, value, comments, "  ")


def _node(path: KeyPath, node: Mapping[str, JSON], comments: Comments) -> Iterator[str]:
    for key, value in node.items():
        if key == "params" and isinstance(value, dict):
            yield "    params:"
            for name, param in value.items():
                yield from _line((*path, key, name), param, comments, "      ")
        elif key == "output" and isinstance(value, dict):
            yield "    output:"
            yield from (f"      {name}: {_flow(part)}" for name, part in value.items())
        else:
            yield f"    {key}: {_flow(value)}"


def _line(path: KeyPath, value: JSON, comments: Comments, indent: str) -> Iterator[str]:
    yield from _above(comments, path, indent)
    behind = "".join(f"  {text}" for text in _behind(comments, path))
    yield f"{indent}{_flow(str(path[-1]))}: {_flow(value)}{behind}"


def _above(comments: Comments, path: KeyPath, indent: str) -> list[str]:
    return [f"{indent}{text}" for text, behind in comments.get(path, ()) if not behind]


def _behind(comments: Comments, path: KeyPath) -> list[str]:
    return [text for text, behind in comments.get(path, ()) if behind]


def _flow(value: JSON) -> str:
    """Write a value in one line."""
    text = yaml.dump(
        value,
        Dumper=_Dumper,
        default_flow_style=True,
        width=10**9,
        sort_keys=False,
        allow_unicode=True,
    )
    return text.removesuffix("\n").removesuffix("\n...").strip()


def resources_text(data: Mapping[str, JSON], name: str) -> str:
    """Write the resources file of a pipeline: where its nodes run in four profiles."""
    tasks = data["tasks"]
    nodes = (
        [node for node in tasks.values() if isinstance(node, dict)]
        if isinstance(tasks, dict)
        else []
    )
    tools: dict[str, bool] = {}
    for node in nodes:
        module, params = str(node.get("module")), node.get("params")
        if module in _TOOLS:
            gpu = isinstance(params, dict) and params.get("gpu") is True
            tools[module] = tools.get(module, False) or gpu
    profiles = "\n".join(
        [
            f"# Where the nodes run: cyto run … --profile NAME. Belongs to {_of(name)}.",
            "execution_configs:",
            *_profile("local", "Everything on this machine.", _bare(), ()),
            *_profile("hybrid", "Networks in containers, the rest on this machine.", _bare(),
                      [_docker(module, gpu) for module, gpu in tools.items()]),
            *_profile("container", "Everything in containers.",
                      _entry("docker", "cyto-tasks:latest"),
                      [_docker(module, gpu) for module, gpu in tools.items()]),
            *_profile("cluster", "Slurm and Apptainer; the partition is your site's.",
                      [*_entry("singularity", "tasks.sif"), "resources:", "  mem: 8G",
                       "  cpus-per-task: 4"],
                      [_slurm(module, gpu) for module, gpu in tools.items()]),
            "# Nothing changes by migrating: choose another one when its images are there.",
            "default_profile: local",
        ]
    )  # fmt: skip
    return profiles + "\n"


def _of(name: str) -> str:
    return name.replace("-resources", "", 1)


def _profile(
    name: str, words: str, default: Sequence[str], entries: Sequence[tuple[str, Sequence[str]]]
) -> Iterator[str]:
    yield f"  # {words}"
    yield f"  {name}:"
    for key, lines in (*entries, ("default", default)):
        yield f"    {key}:"
        yield from (f"      {line}" for line in lines)
    yield ""


def _bare() -> list[str]:
    return ["type: baremetal"]


def _entry(runner: str, image: str) -> list[str]:
    return ["type: container", f"runner: {runner}", f"image: {image}"]


def _docker(module: str, gpu: bool) -> tuple[str, list[str]]:
    lines = [*_entry("docker", f"{_TOOLS[module]}:latest"), "resources:", "  memory: 8Gi"]
    lines += ["  gpu: 1  # leave it out where there is none"] if gpu else []
    return f"tag:{module.rpartition('.')[2]}", lines


def _slurm(module: str, gpu: bool) -> tuple[str, list[str]]:
    asked = ["mem: 32G", "partition: gpu_short", "cpus-per-task: 16", "batch_size: 100"]
    asked += ["gres: gpu:1"] if gpu else []
    lines = [*_entry("singularity", f"{_TOOLS[module]}.sif"), "resources:"]
    return f"tag:{module.rpartition('.')[2]}", [*lines, *(f"  {line}" for line in asked)]
