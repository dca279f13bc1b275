"""What it takes to run again what a crate records, and how the new run differs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from cyto._version import VERSION
from cyto.core.layout import RunLayout, digest_memory
from cyto.engine.fingerprint import identity_of
from cyto.engine.plan import Plan, plain_name
from cyto.errors import ChannelError, CytoError, UnavailableError
from cyto.io.channels import channel_digest
from cyto.report.crate_files import sha256_of, size_of, xxh3_of
from cyto.report.crate_reading import InputFile, RecordedCrate, unpack_workflow
from cyto.report.crate_words import image_names

_SHOWN = 20


def asked_again(
    crate: RecordedCrate,
    output_dir: Path,
    *,
    overrides: Iterable[str] = (),
    profile: str | None = None,
) -> dict[str, Any]:
    """Say what to ask of ``cyto run``, and put what it needs into the new output folder.

    Parameters
    ----------
    output_dir
        Where the results go, and into its ``workflow`` the copies that are run.
    overrides, profile
        What is to be different.

    Raises
    ------
    ConfigError
        The crate lacks its copies.
    """
    copies, asked = RunLayout(output_dir, "").crate_workflow, crate.asked
    unpack_workflow(crate.place, copies)
    resources = asked.get("resources")
    return {
        "pipeline": str(copies / asked["pipeline"]),
        "resources": str(copies / resources) if resources else None,
        "base": asked["base"],
        "profile": profile or asked.get("profile"),
        "overrides": [
            *_kept(asked.get("overrides", ())),
            *(f"samples={copies / table}" for table in asked.get("tables", ())),
            *overrides,
        ],
        "output_dir": str(output_dir),
        "only": list(asked.get("only", ())),
        "sample": list(asked.get("sample", ())),
    }


def _kept(overrides: Iterable[str]) -> list[str]:
    return [text for text in overrides if not text.startswith("output_dir=")]


def check_inputs(crate: RecordedCrate, overrides: Iterable[str]) -> None:
    """Make sure that the recorded inputs are there as they were, but for those named elsewhere.

    Raises
    ------
    UnavailableError
        Files are missing or have other contents; names each, and how to point elsewhere.
    """
    named = {text.partition("=")[0].strip() for text in overrides}
    elsewhere = {name.split(".")[1] for name in named if name.startswith("channels.")}
    wrong = {
        plain_name(channel): list(_wrong(files))
        for channel, files in crate.inputs.items()
        if plain_name(channel) not in elsewhere
    }
    lines = [f"{channel}: {line}" for channel, found in wrong.items() for line in found]
    if not lines:
        return
    shown = [*lines[:_SHOWN], *([f"and {len(lines) - _SHOWN} more"] if lines[_SHOWN:] else [])]
    first = next(channel for channel, found in wrong.items() if found)
    raise UnavailableError(
        "inputs are not as the crate records them:\n  " + "\n  ".join(shown),
        hint=f"say where they are now: --set channels.{first}.path=PATH",
    )


def _wrong(files: Iterable[InputFile]) -> Iterator[str]:
    listed = list(files)
    there = [file for file in listed if file.path.exists()]
    now = xxh3_of(f.path for f in there if f.digest and f.size == size_of(f.path))
    for file in listed:
        if not file.path.exists():
            yield f"{file.path} is missing"
        elif file.digest and file.size is not None and file.size != size_of(file.path):
            yield f"{file.path} has {size_of(file.path)} bytes, not {file.size}"
        elif file.digest and now.get(file.path) != file.digest:
            yield f"{file.path} has other contents"


def differences(crate: RecordedCrate, plan: Plan) -> Iterator[str]:
    """Name what is not as it was: pyCyto's version, inputs, container images."""
    before = crate.asked.get("cyto")
    if before != VERSION:
        yield f"pyCyto is {VERSION}, the recorded run had {before}"
    for name, channel in plan.channels.items():
        was = crate.channels.get(name)
        try:
            if was is not None and channel_digest(channel, digest_memory()) != was:
                yield f"channel {name!r} is not what it was: its files, selection or calibration"
        except ChannelError as error:
            yield str(error)
    yield from _other_images(crate.images, plan)


def _other_images(recorded: Mapping[str, str], plan: Plan) -> Iterator[str]:
    seen = set()
    for node in plan.nodes.values():
        placement = node.placement
        key = f"{placement.environment} {placement.image}"
        if placement.image is None or key in seen or key not in recorded:
            continue
        seen.add(key)
        try:
            identity = identity_of(placement)
        except (CytoError, OSError):
            continue  # the check of the plan says it better
        found = image_names(placement.environment, placement.image, identity)
        now = str(found.get("sha256") or found.get("identifier") or "unknown")
        if now != recorded[key]:
            yield f"image {key}: its digest is {now}, the recorded run had {recorded[key]}"


def compared(crate: RecordedCrate, output_dir: Path) -> tuple[list[str], list[str]]:
    """Compare the new results with the recorded ones.

    Returns
    -------
    Paths of files that are the same, byte by byte, and of those that differ or are missing.
    """
    paths = {name: output_dir / name for name in crate.results}
    now = sha256_of(path for path in paths.values() if path.is_file())
    same = [name for name, path in paths.items() if now.get(path) == crate.results[name]]
    return same, [name for name in crate.results if name not in set(same)]
