"""``cyto schema``."""

from __future__ import annotations

import click

_EPILOG = """\b
Examples:
  cyto schema > pipeline.schema.json
  cyto schema resources > pipeline-resources.schema.json

\b
At the top of a YAML file, for editors with the YAML language server:
  # yaml-language-server: $schema=pipeline.schema.json
"""


@click.command("schema", epilog=_EPILOG)
@click.argument("which", type=click.Choice(["pipeline", "resources"]), default="pipeline")
def command(which: str) -> int:
    """Print the JSON Schema of a format, so that editors complete its keys."""
    import json

    from cyto.config import schema

    click.echo(json.dumps(schema(which), indent=2))  # type: ignore[arg-type]
    return 0
