"""Images of pyCyto's own tools, built from the ``containers/`` folder of a checkout."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import cyto
from cyto.errors import UnavailableError, nearest

Builder = Literal["docker", "podman", "apptainer"]

IMAGES = {
    "cellpose": "cellpose:latest",
    "stardist": "stardist:latest",
    "tasks": "cyto-tasks:latest",
}
"""The image that each tool's Dockerfile makes, as the shipped pipelines name it."""


def tool_of(image: str) -> str | None:
    """Give the tool whose image *image* is, by its name; any tag, any registry."""
    name = image.partition("://")[2] or image
    name = name.rpartition("/")[2].partition(":")[0].removesuffix(".sif")
    names = {made.partition(":")[0]: tool for tool, made in IMAGES.items()}
    return names.get(name) or (name if name in IMAGES else None)


def containers_folder() -> Path:
    """Find the ``containers`` folder: of the current folder, or of the checkout that runs.

    Raises
    ------
    UnavailableError
        There is none: pyCyto was installed without its checkout.
    """
    for root in (Path.cwd(), Path(cyto.__file__).resolve().parent.parent):
        if (root / "containers" / "docker").is_dir():
            return root / "containers"
    raise UnavailableError(
        "there is no folder 'containers' here to build from",
        hint="clone pyCyto's repository and run this there",
    )


def build_command(
    tool: str, runner: Builder, *, tag: str | None = None, arguments: Sequence[str] = ()
) -> tuple[list[str], Path]:
    """Give the command that builds a tool's image, and the folder to run it in.

    Parameters
    ----------
    tool
        A folder of ``containers/docker`` or a ``.def`` of ``containers/apptainer``.
    runner
        What to build for.
    tag
        Name of the image, or path of the SIF; ``None`` takes the one that pipelines name.
    arguments
        Further options of ``docker build`` or ``build.sh``, such as ``--build-arg DEVICE=gpu``.

    Raises
    ------
    UnavailableError
        There is nothing to build from.
    """
    folder = containers_folder()
    if runner == "apptainer":
        known = sorted(path.stem for path in (folder / "apptainer").glob("*.def"))
    else:
        known = sorted(path.parent.name for path in (folder / "docker").glob("*/Dockerfile"))
    if tool not in known:
        hint = nearest(tool, known, what="tool")
        raise UnavailableError(f"there is no image of {tool!r} to build for {runner}", hint=hint)
    root = folder.parent
    if runner == "apptainer":
        output = ["--output", tag] if tag else []
        script = str(folder / "apptainer" / "build.sh")
        return ["bash", script, *arguments, *output, tool], root
    file = f"containers/docker/{tool}/Dockerfile"
    name = tag or IMAGES.get(tool, f"{tool}:latest")
    return [runner, "build", "-f", file, "-t", name, *arguments, "."], root


def how_to_build(image: str, runner: Builder) -> str:
    """Say in one command how to make an image that is not there."""
    tool = tool_of(image)
    if runner == "apptainer":
        if tool is None:
            return f"apptainer build {image} <its .def file>, or apptainer pull {image} docker://…"
        return (
            f"cyto build {tool} --runner apptainer --tag {image}, which is "
            f"bash containers/apptainer/build.sh {tool} --output {image}"
        )
    if tool is None:
        return f"{runner} pull {image}, or {runner} build -t {image} <folder with its Dockerfile>"
    suffix = "" if IMAGES.get(tool) == image else f" --tag {image}"
    runner_option = "" if runner == "docker" else f" --runner {runner}"
    return (
        f"cyto build {tool}{runner_option}{suffix}, which is "
        f"{runner} build -f containers/docker/{tool}/Dockerfile -t {image} ."
    )
