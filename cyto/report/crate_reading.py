"""A run's crate, read back: from a folder, its metadata file, or a zip of the folder."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from cyto.errors import ConfigError, Problem
from cyto.report.crate_words import ASKED, CHANNEL, IMAGE

NAME = "ro-crate-metadata.json"
_MAX_BYTES = 500_000_000
_Graph = dict[str, dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class InputFile:
    """A file that went in: where it was, how large, and its XXH3-128, where they are known."""

    path: Path
    size: int | None = None
    digest: str | None = None


@dataclass(frozen=True, kw_only=True)
class RecordedCrate:
    """What a crate says of its run.

    Parameters
    ----------
    place
        The crate as named by the user.
    asked
        What was asked of ``cyto run``.
    inputs
        The files of each channel, by its name.
    channels
        What each channel gave to tasks: its digest, by its name.
    images
        Digests of container images, by environment and image.
    results
        SHA-256 of the results, by their paths in the crate.
    """

    place: Path
    asked: Mapping[str, Any]
    inputs: Mapping[str, tuple[InputFile, ...]] = field(default_factory=dict)
    channels: Mapping[str, str] = field(default_factory=dict)
    images: Mapping[str, str] = field(default_factory=dict)
    results: Mapping[str, str] = field(default_factory=dict)


def read_crate(place: Path) -> RecordedCrate:
    """Read a crate.

    Parameters
    ----------
    place
        A folder, its ``ro-crate-metadata.json``, or a zip that holds it.

    Raises
    ------
    ConfigError
        It is not there, no crate, or not one that ``cyto run`` wrote; says which.
    """
    graph = _graph(place)
    if ASKED not in graph:
        raise _fault(place, "the crate does not say what was asked", "only a run's crate does")
    try:
        asked = json.loads(graph[ASKED]["value"])
        channels = {e["name"]: e for name, e in graph.items() if name.startswith(CHANNEL)}
        return RecordedCrate(
            place=place,
            asked=asked,
            inputs={
                name: tuple(_inputs(graph, entity, _root(place)))
                for name, entity in channels.items()
            },
            channels={name: _hash(entity) for name, entity in channels.items() if _hash(entity)},
            images=dict(_images(graph)),
            results=dict(_results(graph)),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _fault(
            place, f"the crate is damaged: {error!r}", "take the one that was written"
        ) from (error)


def unpack_workflow(place: Path, target: Path) -> None:
    """Copy what a crate's run was made from, its folder ``workflow``, to the folder *target*.

    Raises
    ------
    ConfigError
        There is no such folder in it, or a name in a zip leads out of it.
    """
    target.mkdir(parents=True, exist_ok=True)
    if _is_zip(place):
        _unzip(place, target)
        return
    source = _root(place) / "workflow"
    if not source.is_dir():
        raise _fault(place, f"there is no folder {source}", "a crate is deposited with it")
    shutil.copytree(source, target, dirs_exist_ok=True)


def _fault(place: Path, message: str, hint: str = "") -> ConfigError:
    return ConfigError([Problem(message, hint, file=str(place))])


def _is_zip(place: Path) -> bool:
    return place.is_file() and place.suffix != ".json" and zipfile.is_zipfile(place)


def _root(place: Path) -> Path:
    return place.absolute() if place.is_dir() else place.absolute().parent


def _graph(place: Path) -> _Graph:
    try:
        entities = json.loads(_text(place))["@graph"]
        return {entity["@id"]: entity for entity in entities}
    except FileNotFoundError as error:
        hint = f"name a folder that holds {NAME}, that file, or a zip of the folder"
        raise _fault(place, f"there is no crate: no {error.filename or place}", hint) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _fault(place, f"is no crate: {error}", f"a crate has the file {NAME}") from error


def _text(place: Path) -> str:
    if _is_zip(place):
        with zipfile.ZipFile(place) as archive:
            return archive.read(f"{_inner(archive, place)}{NAME}").decode("utf-8")
    path = place / NAME if place.is_dir() else place
    return path.read_text(encoding="utf-8")


def _inner(archive: zipfile.ZipFile, place: Path) -> str:
    """Find the crate's folder in a zip: its top, or a folder that was zipped."""
    found = [name for name in archive.namelist() if PurePosixPath(name).name == NAME]
    if not found:
        raise _fault(place, f"is a zip without {NAME}", "zip a run's output folder")
    return min(found, key=len).removesuffix(NAME)


def _unzip(place: Path, target: Path) -> None:
    with zipfile.ZipFile(place) as archive:
        begin = f"{_inner(archive, place)}workflow/"
        members = [m for m in archive.infolist() if m.filename.startswith(begin) and not m.is_dir()]
        if not members:
            raise _fault(place, "the zip has no folder workflow", "zip the whole output folder")
        for member in members:
            name = PurePosixPath(member.filename[len(begin) :])
            if name.is_absolute() or ".." in name.parts or member.file_size > _MAX_BYTES:
                raise _fault(place, f"the zip holds {member.filename!r}, which no crate has")
            path = target / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(member) as source, path.open("wb") as copy:
                shutil.copyfileobj(source, copy)


def _each(value: object) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _hash(entity: Mapping[str, Any]) -> str:
    text = str(entity.get("identifier", ""))
    return text.removeprefix("xxh3:") if text.startswith("xxh3:") else ""


def _inputs(graph: _Graph, channel: Mapping[str, Any], root: Path) -> Iterator[InputFile]:
    for ref in _each(channel.get("hasPart")):
        entity = graph[ref["@id"]]
        size = entity.get("contentSize")
        yield InputFile(
            path=_path(ref["@id"], root),
            size=None if size is None else int(size),
            digest=_hash(entity) or None,
        )


def _path(address: str, root: Path) -> Path:
    parts = urlsplit(address)
    return Path(unquote(parts.path)) if parts.scheme == "file" else root / unquote(address)


def _images(graph: _Graph) -> Iterator[tuple[str, str]]:
    for name, entity in graph.items():
        if name.startswith(IMAGE):
            environment, _, image = name.removeprefix(IMAGE).partition("/")
            digest = entity.get("sha256") or entity.get("identifier")
            if digest:
                yield f"{unquote(environment)} {unquote(image)}", str(digest)


def _results(graph: _Graph) -> Iterator[tuple[str, str]]:
    """Give the files that the run as a whole made."""
    workflow = graph["./"]["mainEntity"]
    for entity in list(graph.values()):
        if entity["@type"] == "CreateAction" and entity.get("instrument") == workflow:
            for ref in _each(entity.get("result")):
                digest = graph[ref["@id"]].get("sha256")
                if digest:
                    yield unquote(ref["@id"]), digest
