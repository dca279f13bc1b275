"""Pipelines, resources files and profiles: the only part that knows YAML and pydantic.

Importing this package imports neither; the names below load what they need when first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cyto.config.pipeline import PipelineConfig, is_legacy, load_pipeline
    from cyto.config.pipeline_model import Channel, Pipeline, Task
    from cyto.config.profiles import choose_profile, placement_from_execution_config, placements
    from cyto.config.references import Reference, parse_reference
    from cyto.config.resources import ResourcesConfig, companion, load_resources, resources_for
    from cyto.config.samples import Sample, read_samples, samples_file, varying_channels
    from cyto.config.schemas import schema, write_schemas
    from cyto.config.source import Source, read_source

_HOME = {
    "Channel": "pipeline_model",
    "Pipeline": "pipeline_model",
    "PipelineConfig": "pipeline",
    "Reference": "references",
    "ResourcesConfig": "resources",
    "Sample": "samples",
    "Source": "source",
    "Task": "pipeline_model",
    "choose_profile": "profiles",
    "companion": "resources",
    "is_legacy": "pipeline",
    "load_pipeline": "pipeline",
    "load_resources": "resources",
    "parse_reference": "references",
    "placement_from_execution_config": "profiles",
    "placements": "profiles",
    "read_samples": "samples",
    "read_source": "source",
    "resources_for": "resources",
    "samples_file": "samples",
    "schema": "schemas",
    "varying_channels": "samples",
    "write_schemas": "schemas",
}

__all__ = [
    "Channel",
    "Pipeline",
    "PipelineConfig",
    "Reference",
    "ResourcesConfig",
    "Sample",
    "Source",
    "Task",
    "choose_profile",
    "companion",
    "is_legacy",
    "load_pipeline",
    "load_resources",
    "parse_reference",
    "placement_from_execution_config",
    "placements",
    "read_samples",
    "read_source",
    "resources_for",
    "samples_file",
    "schema",
    "varying_channels",
    "write_schemas",
]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
