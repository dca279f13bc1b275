"""Figures of the scaling: one small plot per stage, as PNG and SVG."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench_reading import Point

HOW_TO_GET = "no figures: matplotlib is not installed (pip install matplotlib, then --draw)"
_OURS, _IDEAL = "#1f6f8b", "#9a9a9a"


def can_draw() -> bool:
    """Tell whether matplotlib is here."""
    return importlib.util.find_spec("matplotlib") is not None


def draw(folder: Path, lines: Mapping[str, Sequence[Point]], title: str) -> list[Path]:
    """Write ``time`` and ``speedup``, each as PNG and SVG; give their paths."""
    import matplotlib as mpl

    mpl.use("Agg")
    mpl.rcParams["svg.hashsalt"] = "cyto"  # the same numbers give the same file
    return [*_figure(folder / "time", lines, title), *_figure(folder / "speedup", lines, title)]


def _figure(path: Path, lines: Mapping[str, Sequence[Point]], title: str) -> list[Path]:
    from matplotlib.figure import Figure

    columns = min(4, len(lines))
    rows = -(-len(lines) // columns)
    figure = Figure(figsize=(2.8 * columns + 0.6, 2.6 * rows + 0.7), layout="constrained")
    of_time = path.name == "time"
    plots = list(figure.subplots(rows, columns, squeeze=False, sharey=True).flat)
    for plot, (stage, line) in zip(plots, lines.items(), strict=False):
        (_time if of_time else _speedup)(plot, line)
        plot.set_title(stage, fontsize=10)
    for plot in plots[len(lines) :]:
        plot.set_axis_off()
    figure.suptitle(f"{'time' if of_time else 'speed-up'}: {title}", fontsize=10)
    figure.supxlabel("workers", fontsize=10)
    figure.supylabel("s" if of_time else "times as fast", fontsize=10)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower right", ncols=2, fontsize=9, frameon=False)
    made = [path.with_suffix(suffix) for suffix in (".png", ".svg")]
    for file in made:
        metadata = {"Date": None} if file.suffix == ".svg" else None
        figure.savefig(file, dpi=150, metadata=metadata)
    return made


def _time(plot: Any, line: Sequence[Point]) -> None:
    workers = [point.workers for point in line]
    first = line[0]
    ideal = [first.seconds * first.workers / n for n in workers]
    _bars(plot, line, [p.seconds for p in line], [p.least for p in line], [p.most for p in line])
    plot.plot(workers, ideal, "--", color=_IDEAL, label="ideal", zorder=1)
    _axes(plot, workers)


def _speedup(plot: Any, line: Sequence[Point]) -> None:
    workers = [point.workers for point in line]
    first = line[0]
    low = [first.seconds / point.most for point in line]
    high = [first.seconds / point.least for point in line]
    _bars(plot, line, [point.speedup for point in line], low, high)
    plot.plot(
        workers, [n / workers[0] for n in workers], "--", color=_IDEAL, label="ideal", zorder=1
    )
    _axes(plot, workers)


def _bars(
    plot: Any,
    line: Sequence[Point],
    middle: Sequence[float],
    low: Sequence[float],
    high: Sequence[float],
) -> None:
    """Draw medians, and bars from the least to the most."""
    below = [max(0.0, m - value) for m, value in zip(middle, low, strict=True)]
    above = [max(0.0, value - m) for m, value in zip(middle, high, strict=True)]
    plot.errorbar(
        [point.workers for point in line],
        middle,
        yerr=[below, above],
        fmt="o-",
        color=_OURS,
        markersize=4,
        capsize=3,
        label="measured, median and range",
        zorder=2,
    )


def _axes(plot: Any, workers: Sequence[int]) -> None:
    from matplotlib.ticker import FormatStrFormatter, NullLocator

    for axis, scale in ((plot.xaxis, plot.set_xscale), (plot.yaxis, plot.set_yscale)):
        scale("log", base=2)
        axis.set_major_formatter(FormatStrFormatter("%g"))
        axis.set_minor_locator(NullLocator())
    plot.set_xticks(list(workers), [str(n) for n in workers])
    plot.tick_params(labelsize=8)
    plot.spines[["top", "right"]].set_visible(False)
