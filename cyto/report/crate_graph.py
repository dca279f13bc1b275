"""The entities of a crate, and how they hang together."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cyto.core.layout import digest_memory
from cyto.engine.plan import plain_name
from cyto.errors import CytoError
from cyto.report import crate_words as words
from cyto.report.crate_files import (
    encoding_of,
    folder_digest,
    hashable,
    relative,
    sha256_of,
    size_of,
    xxh3_of,
)

if TYPE_CHECKING:
    from rocrate.model import Entity
    from rocrate.rocrate import ROCrate

    from cyto.io.channels import Channel
    from cyto.report.crate_facts import Product, RunFacts

_LISTED = 1000
"""A channel of more files than these is listed as its folder."""
Ref = dict[str, str]


class CrateGraph:
    """A crate that grows; each thing gets into it once.

    Parameters
    ----------
    facts
        What the run was.
    """

    def __init__(self, facts: RunFacts) -> None:
        from rocrate.rocrate import ROCrate

        self.facts = facts
        self.root = facts.layout.output_dir
        self.crate: ROCrate = ROCrate(version="1.1")
        self.crate.metadata.extra_contexts.append(words.CONTEXT)
        self._made: dict[str, Ref] = {}
        self._mentioned: dict[str, Ref] = {}
        self._sha256 = sha256_of(p for p in self._results() if p.is_file())
        inputs = {Path(f) for channel in facts.plan.channels.values() for f in _listed(channel)}
        self._sha256 |= sha256_of(hashable(sorted(inputs)))
        self._xxh3 = xxh3_of(sorted(inputs))

    def _results(self) -> list[Path]:
        nodes = self.facts.nodes
        return [path for node in nodes for made in node.products for path in made.files]

    def entity(self, name: str, kind: str | list[str], properties: Mapping[str, Any]) -> Ref:
        """Add something that is no file, unless it is there; what is ``None`` is left out."""
        if name not in self._made:
            from rocrate.model import ContextEntity

            given = {key: value for key, value in properties.items() if value not in (None, [])}
            made = ContextEntity(self.crate, name, properties={"@type": kind, **given})
            self.crate.add(made)
            self._made[name] = {"@id": made.id}
        return self._made[name]

    @property
    def outputs(self) -> list[Ref]:
        """The formal outputs that were added so far."""
        begin = words.local("output", "")
        return [ref for name, ref in self._made.items() if name.startswith(begin)]

    def sha256(self, path: Path) -> str | None:
        """Give a file's SHA-256."""
        if path not in self._sha256:
            self._sha256 |= sha256_of([path])
        return self._sha256.get(path)

    def value(self, name: str, label: str, value: object, **more: object) -> Ref:
        """Add a named value."""
        properties = {"name": label, "value": words.text_of(value), **more}
        return self.entity(name, "PropertyValue", properties)

    def file(self, path: Path, properties: Mapping[str, Any]) -> Ref:
        """Add a file or folder: by its place in the crate, or by its address where it is outside.

        One that is there already gets what is new of *properties*' ``exampleOfWork``.
        """
        key = str(path)
        if key not in self._made:
            self._made[key] = {"@id": self._add_file(path, properties).id}
        elif "exampleOfWork" in properties:
            entity = self.crate.get(self._made[key]["@id"])
            known = entity.get("exampleOfWork", [])
            if properties["exampleOfWork"] not in _refs(known):
                entity.append_to("exampleOfWork", properties["exampleOfWork"])
        return self._made[key]

    def _add_file(self, path: Path, properties: Mapping[str, Any]) -> Entity:
        inside = relative(path, self.root)
        place = {"dest_path": inside} if inside else {"source": path.as_uri()}
        given: dict[str, Any] = {"name": path.name, **properties}
        if path.is_dir():
            digest = folder_digest(path) if inside else None
            given["identifier"] = digest and f"xxh3:{digest}"
            if not inside:
                place = {"source": path.as_uri() + "/"}
            return self.crate.add_dataset(**place, properties=_present(given))
        size = size_of(path)
        given |= {
            "contentSize": None if size is None else str(size),
            "encodingFormat": encoding_of(path),
            "sha256": self._sha256.get(path),
            "identifier": f"xxh3:{self._xxh3[path]}" if path in self._xxh3 else None,
        }
        return self.crate.add_file(**place, properties=_present(given))

    def channel(self, name: str) -> Ref:
        """Add a channel with its files; it is what nodes are given, not the files as such."""
        channel = self.facts.plan.channels[name]
        parameter = self.entity(
            words.local("input", plain_name(name)),
            "FormalParameter",
            {"name": plain_name(name), "additionalType": "Collection"},
        )
        files = [self.file(path, {}) for path in _places(channel)]
        described = _channel_facts(channel)
        collection = self.entity(
            words.CHANNEL + words.local(name)[1:],
            "Collection",
            {
                "name": name,
                "exampleOfWork": parameter,
                "hasPart": files,
                "mainEntity": files[0] if files else None,
                **described,
            },
        )
        self.mention(collection)
        return collection

    def product(self, product: Product) -> list[Ref]:
        """Add what a node made: its exported files, or the value that is in the store alone."""
        label = f"{product.node}.{product.key}"
        if product.files:
            parameter = self._output(product)
            about = {"description": product.text or None, "exampleOfWork": parameter}
            return [self.file(path, about) for path in product.files]
        made = {
            "name": label,
            "additionalType": product.kind,
            "identifier": product.identifier,
            "description": "kept in the store of results, not exported",
        }
        return [self.entity(words.local("result", label), "CreativeWork", made)]

    def _output(self, product: Product) -> Ref:
        label = f"{plain_name(product.node)}.{product.key}"
        kinds = ["Dataset" if path.is_dir() else "File" for path in product.files]
        return self.entity(
            words.local("output", label),
            "FormalParameter",
            {"name": label, "additionalType": kinds[0] if len(set(kinds)) == 1 else kinds},
        )

    def mention(self, *things: Ref) -> None:
        """Let the crate itself name things that are no files of it."""
        self._mentioned.update((thing["@id"], thing) for thing in things)

    def text(self) -> str:
        """Give the crate's metadata as JSON-LD."""
        self.crate.root_dataset["mentions"] = list(self._mentioned.values())
        data = self.crate.metadata.generate()
        data["@graph"] = [_compact(entity) for entity in data["@graph"]]
        return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def _compact(entity: Mapping[str, Any]) -> dict[str, Any]:
    """Write a list of one as the one, as RO-Crate 1.1 wants it."""
    return {
        key: value[0] if isinstance(value, list) and len(value) == 1 else value
        for key, value in entity.items()
    }


def _channel_facts(channel: Channel) -> dict[str, str]:
    import numpy as np

    from cyto.io.channels import channel_digest

    shape = " × ".join(map(str, channel.shape))
    calibration = [
        f"{channel.pixel_size_um:g} µm per pixel" if channel.pixel_size_um else "",
        f"{channel.frame_interval_s:g} s per frame" if channel.frame_interval_s else "",
    ]
    said = [f"{shape} (TYX), {np.dtype(channel.dtype).name}", *calibration]
    described = {"description": ", ".join(part for part in said if part)}
    try:
        digest = channel_digest(channel, digest_memory())
    except CytoError:  # a file is gone since
        return described
    return {**described, "identifier": f"xxh3:{digest}"}


def _present(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in properties.items() if value is not None}


def _refs(values: object) -> list[object]:
    listed: Iterable[Any] = values if isinstance(values, list) else [values]
    return [{"@id": each.id} if hasattr(each, "id") else each for each in listed]


def _listed(channel: Channel) -> tuple[str, ...]:
    """Give the files of a channel that are listed one by one."""
    whole = bool(channel.sources[0].folder) or len(channel.files) > _LISTED
    return () if whole else channel.files


def _places(channel: Channel) -> list[Path]:
    """Give the files of a channel, or its folders where there are too many."""
    if _listed(channel):
        return [Path(file) for file in channel.files]
    if Path(channel.spec.path).is_dir():
        return [Path(channel.spec.path)]
    folders = [source.folder or str(Path(source.files[0]).parent) for source in channel.sources]
    return [Path(folder) for folder in dict.fromkeys(folders)]
