"""``cyto view``."""

from __future__ import annotations

import click

from cyto.cli.options import json_option, run_argument

_EPILOG = """\b
Examples:
  cyto view                      the latest run in ./output
  cyto view results --sample a1
  cyto view results --json       what there is to look at, without a window
"""


@click.command("view", epilog=_EPILOG)
@run_argument
@click.option("--sample", metavar="NAME", help="Whose images; the first sample's if not given.")
@json_option
def command(run: str, sample: str | None, as_json: bool) -> int:
    """Open images, labels and tracks of RUN in napari, calibrated and named."""
    from cyto.engine.runs import find_run
    from cyto.report.layers import collect_layers, output_of
    from cyto.report.viewer import open_viewer, run_viewer
    from cyto.runners import exchange

    layout = find_run(run)
    view = collect_layers(layout, sample=sample)
    for line in view.lacking:
        click.echo(f"warning: not shown: {line}", err=True)
    if as_json:
        import json

        click.echo(json.dumps(output_of(view), indent=2))
        return 0
    open_viewer(view, f"{layout.output_dir.name}, run {layout.run_id}", exchange.load)
    run_viewer()
    return 0
