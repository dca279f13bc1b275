"""Type aliases and closed choices that every floor may use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Union

JSON = Union[None, bool, int, float, str, list["JSON"], dict[str, "JSON"]]
"""A value that a JSON file can hold."""

TaskData = Mapping[str, Any]
"""What a task is called with: values by key (see ``cyto.task.Port`` for their kinds)."""

Kind = Literal["image", "label", "dataframe", "network", "value", "file"]
"""The kinds of data that pass between tasks."""

KINDS: tuple[str, ...] = ("image", "label", "dataframe", "network", "value", "file")

Environment = str
"""A name in the entry-point group ``cyto.runners``: baremetal, docker, podman, apptainer, …"""

Pull = Literal["never", "missing", "always"]
"""When a container image may be fetched from a registry."""
