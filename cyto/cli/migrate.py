"""``cyto migrate``."""

from __future__ import annotations

from pathlib import Path

import click

from cyto.errors import ConfigError, Problem

_EPILOG = """\b
Examples:
  cyto migrate OLD.yaml                     writes pipeline.OLD.yaml, pipeline-resources.OLD.yaml
  cyto migrate OLD.yaml -o pipelines/pipeline.killing.yaml

Relative paths in OLD are relative to the current folder, as for cyto run; in the new file they are
relative to the file. OLD stays as it is, and still runs.
"""


@click.command("migrate", epilog=_EPILOG)
@click.argument("old", metavar="OLD")
@click.option("-o", "--output", metavar="FILE", help="The new pipeline file.")
@click.option("--force", is_flag=True, help="Replace files that are there.")
def command(old: str, output: str | None, force: bool) -> int:
    """Write a stage-based pipeline in the present format, with a resources file.

    The new pipeline gives the same results in the same files. Comments are kept.
    """
    from cyto.config import load_pipeline
    from cyto.config.legacy.migration import default_name, migrate

    new = Path(output) if output else default_name(Path(old))
    if new.resolve() == Path(old).resolve():
        raise click.UsageError("the new file would take the place of the old one; name another")
    made = migrate(old, new)
    _check_parameters(old)
    _check_free(list(made.files), force)
    for note in made.notes:
        click.echo(f"warning: {note}", err=True)
    for path, text in made.files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        click.echo(str(path))
    load_pipeline(new)
    return 0


def _check_parameters(old: str) -> None:
    """Check the values of all parameters, as a run would."""
    from cyto.config import load_pipeline
    from cyto.core.placement import Placement
    from cyto.engine.tasks import load_node

    config = load_pipeline(old)
    problems = [p for node in config.tasks for p in load_node(config, node, Placement())[1]]
    if problems:
        raise ConfigError(config.source.ordered(problems))


def _check_free(paths: list[Path], force: bool) -> None:
    there = [path for path in paths if path.exists()]
    if there and not force:
        hint = "name another with -o, or write --force to replace it"
        raise ConfigError([Problem("is there already", hint, file=str(path)) for path in there])
