"""JSON Schema of both formats, so that editors complete and check keys."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic.json_schema import GenerateJsonSchema

from cyto.config.pipeline_model import Pipeline
from cyto.config.resources_model import ResourcesFile

if TYPE_CHECKING:
    from pydantic import BaseModel

Kind = Literal["pipeline", "resources"]
SHIPPED = Path(__file__).parent / "schema"
FILES: dict[Kind, str] = {
    "pipeline": "pipeline.schema.json",
    "resources": "pipeline-resources.schema.json",
}
_MODELS: dict[Kind, tuple[type[BaseModel], str]] = {
    "pipeline": (Pipeline, "pyCyto pipeline"),
    "resources": (ResourcesFile, "pyCyto resources"),
}


def schema(kind: Kind) -> dict[str, Any]:
    """Make the JSON Schema (draft 2020-12) of a format.

    Parameters
    ----------
    kind
        ``pipeline`` for ``pipeline.X.yaml``, ``resources`` for ``pipeline-resources.X.yaml``.
    """
    model, title = _MODELS[kind]
    made = model.model_json_schema(by_alias=True)
    return {"$schema": GenerateJsonSchema.schema_dialect, **made, "title": title}


def write_schemas(folder: Path = SHIPPED) -> list[Path]:
    """Write both schemas into *folder*, the shipped ones by default, and name the files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for kind, name in FILES.items():
        text = json.dumps(schema(kind), indent=2, ensure_ascii=False)
        (folder / name).write_text(text + "\n", encoding="utf-8")
        written.append(folder / name)
    return written
