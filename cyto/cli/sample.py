"""``cyto sample``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from cyto.simulation import Assay

_EPILOG = """\b
Examples:
  cyto sample demo/sample
  cyto sample demo/samples --samples 4      two treatments, for pipeline.samples.yaml
  cyto sample big --frames 100 --size 512x768 --tcells 80 --cancer-cells 60 --seed 7

The same seed gives the same files, bit for bit.
"""


def _size(ctx: click.Context, param: click.Parameter, value: str) -> tuple[int, int]:
    """Read ``256`` or ``256x320``: height and width."""
    match = re.fullmatch(r"(\d+)(?:x(\d+))?", value)
    if match is None:
        raise click.BadParameter(f"{value!r} is no size; write 256 or 256x320", ctx, param)
    return int(match[1]), int(match[2] or match[1])


@click.command("sample", epilog=_EPILOG)
@click.argument("folder", metavar="DIR")
@click.option("--frames", type=click.IntRange(1), default=24, show_default=True)
@click.option(
    "--size",
    callback=_size,
    default="256",
    show_default=True,
    metavar="HEIGHT[xWIDTH]",
    help="Frame size in px.",
)
@click.option(
    "--samples",
    type=click.IntRange(1),
    metavar="N",
    help="N samples in folders of their own, and samples.csv with their treatments.",
)
@click.option("--tcells", type=click.IntRange(0), default=12, show_default=True)
@click.option("--cancer-cells", type=click.IntRange(0), default=16, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--pixel-size", type=float, default=0.65, show_default=True, help="µm per px.")
@click.option("--interval", type=float, default=60.0, show_default=True, help="s between frames.")
def command(
    folder: str,
    frames: int,
    size: tuple[int, int],
    samples: int | None,
    tcells: int,
    cancer_cells: int,
    seed: int,
    pixel_size: float,
    interval: float,
) -> int:
    """Simulate a killing assay with exact truth beside it: labels, tracks, contacts, deaths."""
    from cyto.simulation import simulate_assay, write_sample, write_samples

    def simulate(seed: int, killing: float = 1.0) -> Assay:
        return simulate_assay(
            frames=frames,
            size=size,
            tcells=tcells,
            cancer_cells=cancer_cells,
            seed=seed,
            pixel_size_um=pixel_size,
            frame_interval_s=interval,
            killing=killing,
        )

    written = (
        write_sample(folder, simulate(seed))
        if samples is None
        else write_samples(folder, samples, simulate, seed)
    )
    for path in written:
        click.echo(str(path))
    return 0
