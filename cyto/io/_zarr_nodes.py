"""Zarr folders told apart by their metadata: arrays, images, wells and plates."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from cyto.errors import ChannelError, nearest

METADATA = ("zarr.json", ".zarray", ".zgroup", ".zattrs")
_SHOWN = 8


@dataclass(frozen=True, kw_only=True)
class Node:
    """One folder of a Zarr hierarchy.

    Parameters
    ----------
    folder
        Where it lies.
    is_array
        Whether it holds pixels itself.
    meta
        Its own metadata, of ``zarr.json`` or ``.zarray``.
    ome
        Its attributes as OME-Zarr has them: those below ``ome`` from version 0.5 on.
    """

    folder: Path
    is_array: bool
    meta: Mapping[str, Any] = field(default_factory=dict)
    ome: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Image:
    """An image's array of full resolution, and what its groups say about it.

    Parameters
    ----------
    array
        The array.
    multiscale, dataset
        The entries that name it; empty for an array outside any image.
    omero
        How channels are called and shown.
    """

    array: Node
    multiscale: Mapping[str, Any] = field(default_factory=dict)
    dataset: Mapping[str, Any] = field(default_factory=dict)
    omero: Mapping[str, Any] = field(default_factory=dict)


def is_zarr(folder: Path) -> bool:
    """Whether a folder is a part of a Zarr hierarchy."""
    return any((folder / name).is_file() for name in METADATA)


def find_image(folder: Path, scene: int | str | None) -> Image:
    """Find the array of full resolution of the image at *folder*, or of the one it holds.

    Parameters
    ----------
    folder
        An image, an array, or a group of several images; then *scene* says which.
    scene
        A number from 0, or the image's path below *folder*.

    Raises
    ------
    ChannelError
        No image, or several and none picked.
    """
    return _image(folder, scene)


def _image(folder: Path, scene: int | str | None) -> Image:
    node = _read(folder)
    if node.is_array:
        return _image_of_level(node)
    for multiscale in node.ome.get("multiscales") or ():
        dataset = multiscale["datasets"][0]
        array = _read(_below(folder, dataset["path"]))
        omero = node.ome.get("omero") or {}
        return Image(array=array, multiscale=multiscale, dataset=dataset, omero=omero)
    return _image(_below(folder, _pick(folder, _members(node), scene)), None)


def _image_of_level(node: Node) -> Image:
    """Find what the group around an array says about it."""
    parent = node.folder.parent
    group = _read(parent) if is_zarr(parent) else node
    for multiscale in group.ome.get("multiscales") or ():
        for dataset in multiscale["datasets"]:
            if parent / dataset["path"] == node.folder:
                omero = group.ome.get("omero") or {}
                return Image(array=node, multiscale=multiscale, dataset=dataset, omero=omero)
    return Image(array=node)


def _members(node: Node) -> list[str]:
    """List the images in a plate, a well or a collection, by their paths."""
    if "plate" in node.ome:
        wells = [str(well["path"]) for well in node.ome["plate"]["wells"]]
        return [f"{w}/{m}" for w in wells for m in _members(_read(_below(node.folder, w)))]
    if "well" in node.ome:
        return [str(image["path"]) for image in node.ome["well"]["images"]]
    if "bioformats2raw.layout" in node.ome:
        ome = node.folder / "OME"
        series = _read(ome).ome.get("series") if is_zarr(ome) else None
        folders = [p.name for p in node.folder.iterdir() if p.name.isdecimal() and is_zarr(p)]
        return [str(path) for path in series or sorted(folders, key=int)]
    inside = sorted(p.name for p in node.folder.iterdir() if is_zarr(p))
    raise ChannelError(
        f"{node.folder} is a Zarr group that holds no image of its own",
        path=str(node.folder),
        hint=f"write the path of one inside: it holds {_listed(inside)}" if inside else "",
    )


def _pick(folder: Path, members: list[str], scene: int | str | None) -> str:
    if isinstance(scene, str) and scene in members:
        return scene
    if scene is None and len(members) == 1:
        return members[0]
    if not members:
        raise ChannelError(f"{folder} holds no image", path=str(folder))
    if scene is None:
        raise ChannelError(
            f"{folder} holds {len(members)} images and none is picked: {_listed(members)}",
            path=str(folder),
            hint=f"write the path of one, as in {folder / members[0]}",
        )
    if str(scene).isdecimal() and int(scene) < len(members):
        return members[int(scene)]
    raise ChannelError(
        f"{folder} has no image {scene!r}: it has {len(members)}, numbered from 0",
        hint=nearest(str(scene), members, what="image"),
        key="scene",
    )


def _below(folder: Path, path: str) -> Path:
    """Give a path inside *folder*; metadata must not lead anywhere else."""
    inside = PurePosixPath(path)
    if inside.is_absolute() or ".." in inside.parts or "\0" in path:
        raise ChannelError(
            f"the OME-Zarr metadata of {folder} point outside of it: {path!r}", path=str(folder)
        )
    if not is_zarr(folder / inside):
        raise ChannelError(
            f"{folder} is incomplete: there is no {path!r}, which its metadata name",
            path=str(folder),
            hint="copy or export it again",
        )
    return folder / inside


def _read(folder: Path) -> Node:
    if (folder / "zarr.json").is_file():
        meta = _json(folder / "zarr.json")
        attributes = meta.get("attributes") or {}
        is_array = meta["node_type"] == "array"
    else:
        is_array = (folder / ".zarray").is_file()
        meta = _json(folder / ".zarray") if is_array else {}
        has = (folder / ".zattrs").is_file()
        attributes = _json(folder / ".zattrs") if has else {}
    ome = attributes.get("ome", attributes)
    return Node(folder=folder, is_array=is_array, meta=meta, ome=ome)


def _json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise ChannelError(
            f"cannot read {path}: {error}", path=str(path), hint="copy or export it again"
        ) from error
    if not isinstance(data, dict):
        raise ChannelError(f"{path} holds no metadata but {type(data).__name__}", path=str(path))
    return data


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
