"""Names, addresses and formats that crates share with those who read them."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from urllib.parse import quote

CONTEXT = "https://w3id.org/ro/terms/workflow-run/context"
TERMS = "https://w3id.org/ro/terms/workflow-run#"
PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": "Process Run Crate",
    "https://w3id.org/ro/wfrun/workflow/0.5": "Workflow Run Crate",
    "https://w3id.org/ro/wfrun/provenance/0.5": "Provenance Run Crate",
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": "Workflow RO-Crate",
}
ASKED = "#asked"
"""Names the entity that says, for ``cyto rerun``, what was asked."""
PIPELINE_LANGUAGE = "#pycyto-pipeline"
IMAGE = "#image/"
CHANNEL = "#channel/"
NO_LICENSE = "No licence is stated: ask the authors before you use it."
_SPDX = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]*")
_STATUS = "http://schema.org/{}ActionStatus"


def local(*parts: str) -> str:
    """Name something inside the crate that is no file."""
    return "#" + "/".join(map(quote, parts))


def when(seconds: float | None) -> str | None:
    """Write a moment in ISO 8601 with milliseconds, in UTC."""
    if seconds is None:
        return None
    moment = datetime.fromtimestamp(seconds, tz=timezone.utc)
    return moment.isoformat(timespec="milliseconds")


def status(ok: bool) -> str:
    """Name how an action ended, as schema.org does."""
    return _STATUS.format("Completed" if ok else "Failed")


def license_address(text: str) -> str | None:
    """Give the address of a licence; ``None`` for one in words."""
    if re.match(r"https?://", text):
        return text
    return f"https://spdx.org/licenses/{text}" if _SPDX.fullmatch(text) else None


def command_line(asked: Mapping[str, Any]) -> str:
    """Give the command that asks for a run, for people."""
    words = ["cyto", "run", Path(str(asked.get("pipeline", ""))).name]
    for option, name in (("--profile", "profile"), ("--resources", "resources")):
        if asked.get(name):
            words += [option, str(asked[name])]
    many = {"--set": "overrides", "--only": "only", "--sample": "sample"}
    for option, name in many.items():
        for value in asked.get(name) or ():
            words += [option, str(value)]
    return shlex.join(words)


def text_of(value: object) -> str:
    """Write a parameter's value as text, as JSON where it is no text."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def image_names(environment: str, image: str, identity: str) -> dict[str, Any]:
    """Describe a container image: registry, name, tag and digest, as far as they are known."""
    digest = identity.partition(" ")[2]
    if environment == "apptainer":
        named = {"additionalType": {"@id": f"{TERMS}SIFImage"}, "name": Path(image).name}
        return {**named, "registry": "local file", "identifier": f"{image} {digest}".strip()}
    name, _, pinned = image.partition("@")
    name, tag = _tagged(name)
    host, slash, rest = name.partition("/")
    remote = bool(slash) and ("." in host or ":" in host or host == "localhost")
    found = {
        "additionalType": {"@id": f"{TERMS}DockerImage"},
        "registry": host if remote else "docker.io",
        "name": rest if remote else name,
        "tag": tag,
        "sha256": (digest or pinned).removeprefix("sha256:"),
    }
    return {key: value for key, value in found.items() if value and value != "None"}


def _tagged(name: str) -> tuple[str, str]:
    """Split a tag off; a colon before the last slash is that of a port."""
    before, colon, tag = name.rpartition(":")
    return (before, tag) if colon and "/" not in tag else (name, "latest")
