"""What an assay found, as curves: cells, speeds, tracks, contacts, kills, survival.

A plot is known by the columns of its table, not by the class that made it, so that users' own
tasks are plotted too.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from cyto.report._series import Curve, Plot, Series, binned, clock, over_samples, rounded
from cyto.report.chains import Chains, is_of_cells
from cyto.report.tables import Table, Tables

_TRACKS = 60
_TRACK_POINTS = 150
_GROUPS = 8
_BINS = 24


def make_plots(tables: Tables) -> tuple[list[Plot], list[dict[str, str]], list[str]]:
    """Make all plots that the tables of a run allow.

    Returns
    -------
    The plots, headline figures (``label``, ``value``, ``note``), and what could not be plotted.
    """
    stored = tables.all()
    chains = Chains(stored, tables.feeds())
    found = chains.named(stored)
    cells = _latest_cells(found, chains)
    makers: list[Callable[[], Iterable[Plot]]] = [
        lambda: _cells_over_time(cells),
        lambda: _survival([t for t in found if t.has("group", "survival", "lower", "upper")]),
        lambda: _kills([t for t in found if t.has("track_id", "frame", "killer")], cells),
        lambda: _contacts([t for t in found if t.has("frame", "a", "b", "a_type", "b_type")]),
        lambda: _durations([t for t in found if t.has("a", "b", "duration_frames")]),
        lambda: _speeds(
            chains.last([t for t in found if t.has("frame", "speed_px_frame", "track_id")])
        ),
        lambda: _rose(cells),
    ]
    plots, faults = [], []
    for make in makers:
        try:
            plots += list(make())
        except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
            faults.append(f"a plot could not be made: {type(error).__name__}: {error}")
    figures: list[dict[str, str]] = []
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, IndexError):
        figures = _figures(found, cells)
    return plots, figures, faults


def _latest_cells(found: Sequence[Table], chains: Chains) -> list[Table]:
    """Give the tables with one row per cell and frame that no other table of these cells follows.

    Of two that end the same population it is the one that knows who lives.
    """
    known: dict[tuple[str, str], Table] = {}
    for table in chains.last([t for t in found if is_of_cells(t)]):
        end = (table.population, table.node.sample)
        if end not in known or (table.has("alive") and not known[end].has("alive")):
            known[end] = table
    return list(known.values())


def _cells_over_time(cells: Sequence[Table]) -> Iterable[Plot]:
    groups: dict[str, list[Curve]] = {}
    for table in cells:
        frames, alive, dead = table.column("frame"), None, None
        if table.has("alive") and not np.isnan(fate := table.column("alive")).all():
            alive, dead = fate == 1, fate == 0  # an empty field says that nobody knows
        name = _named(table.population, table.group)
        living = name if alive is None else f"{name}, alive"
        groups.setdefault(living, []).append(_count(table, frames, alive))
        if dead is not None:
            groups.setdefault(f"{name}, dead", []).append(_count(table, frames, dead))
    if groups:
        yield _over_time("cells", "Cells over time", "cells per frame", groups)


def _count(table: Table, frames: Any, wanted: Any) -> Curve:
    numbers = frames.astype(np.int64)
    count = int(numbers.max()) + 1 if len(numbers) else 0
    chosen = numbers if wanted is None else numbers[wanted]
    return Curve(x=_times(table, count), y=np.bincount(chosen, minlength=count).astype(float))


def _times(table: Table, count: int) -> Any:
    """Give the time of each frame in s; its number where no time is known."""
    frames = np.arange(count, dtype=float)
    seconds = _interval(table)
    return frames * seconds if seconds else frames


def _interval(table: Table) -> float:
    """Give the seconds between frames; 0 where they are not known."""
    if not table.has("t_s"):
        return table.interval_s
    frames, times = table.column("frame"), table.column("t_s")
    later = np.flatnonzero((frames > 0) & np.isfinite(times))
    return float(times[later[0]] / frames[later[0]]) if len(later) else 0.0


def _named(name: str, group: str) -> str:
    return f"{name}, {group}" if group else name


def _over_time(
    key: str, title: str, label: str, groups: dict[str, list[Curve]], note: str = ""
) -> Plot:
    """Draw a curve for each group; of several samples the median and a band."""
    every = [curve for curves in groups.values() for curve in curves]
    timed = any(len(c.x) > 1 and c.x[1] != 1 for c in every)
    unit, scale = clock(max((float(c.x[-1]) for c in every if len(c.x)), default=0.0), timed)
    series, notes = [], []
    for name, curves in groups.items():
        made, words = over_samples(name, curves, scale)
        series.append(made)
        notes.append(words)
    text = " ".join(dict.fromkeys(part for part in [note, *notes] if part))
    return Plot(key=key, title=title, x=unit, y=label, series=series, note=text)


def _survival(tables: Sequence[Table]) -> Iterable[Plot]:
    series = []
    for table in tables:
        timed = table.has("time_s")
        times = table.column("time_s" if timed else "frames")
        unit, scale = clock(float(np.nanmax(times)) if len(times) else 0.0, timed)
        names = table.column("group")
        for name in dict.fromkeys(names):
            rows = np.flatnonzero([each == name for each in names])
            words = f"{table.node.sample}: {name}" if table.node.sample else str(name)
            series.append(
                Series(
                    name=words,
                    kind="steps",
                    x=rounded(times[rows] / scale),
                    y=rounded(table.column("survival")[rows]),
                    low=rounded(table.column("lower")[rows]),
                    high=rounded(table.column("upper")[rows]),
                )
            )
    if series:
        note = "Kaplan–Meier, with the confidence band."
        if len(series) > _GROUPS:
            note += f" The first {_GROUPS} of {len(series)} curves."
        yield Plot(
            key="survival", title="Survival", x=f"{unit} since the start", y="alive",
            series=series[:_GROUPS], note=note, bottom=0.0, top=1.0,
        )  # fmt: skip


def _kills(tables: Sequence[Table], cells: Sequence[Table]) -> Iterable[Plot]:
    groups: dict[str, list[Curve]] = {}
    ends = {t.node.sample: _end(t) for t in cells}  # a table of deaths ends with the last one
    for table in tables:
        seconds = _interval(table) or 1.0
        frames, killers = table.column("frame"), table.column("killer")
        for name, chosen in (("deaths", frames), ("with a killer", frames[killers >= 0])):
            at = np.sort(chosen) * seconds
            last = max(ends.get(table.node.sample, 0.0), _end(table))
            curve = Curve(x=np.r_[0.0, at], y=np.arange(len(at) + 1, dtype=float), last=last)
            groups.setdefault(_named(name, table.group), []).append(curve)
    if groups:
        plot = _over_time("kills", "Deaths and kills", "cells, summed up", groups)
        for series in plot.series:
            series.kind = "steps"
        yield plot


def _end(table: Table) -> float:
    frames = table.column("frame")
    return float(frames.max()) * (_interval(table) or 1.0) if len(frames) else 0.0


def _contacts(tables: Sequence[Table]) -> Iterable[Plot]:
    groups: dict[str, list[Curve]] = {}
    for table in tables:
        frames = table.column("frame").astype(np.int64)
        count = int(frames.max()) + 1 if len(frames) else 0
        kinds = table.column("relation") if table.has("relation") else ["in contact"] * len(frames)
        for kind in dict.fromkeys(kinds):
            rows = np.flatnonzero([each == kind for each in kinds])
            y = np.bincount(frames[rows], minlength=count).astype(float)
            curve = Curve(x=_times(table, count), y=y)
            groups.setdefault(_named(str(kind), table.group), []).append(curve)
    if groups:
        yield _over_time("contacts", "Contacts over time", "pairs of cells per frame", groups)


def _durations(tables: Sequence[Table]) -> Iterable[Plot]:
    groups: dict[str, list[Any]] = {}
    timed = bool(tables) and all(t.has("duration_s") for t in tables)
    for table in tables:
        column = "duration_s" if timed else "duration_frames"
        groups.setdefault(table.group, []).append(table.column(column))
    values = {name: np.concatenate(parts) for name, parts in groups.items()}
    values = {name: part[np.isfinite(part)] for name, part in values.items()}
    every = np.concatenate(list(values.values())) if values else np.array([])
    if not len(every):
        return
    unit, scale = clock(float(every.max()), timed)
    series = binned({name or "contacts": part / scale for name, part in values.items()}, _BINS)
    note = f"{len(every):,} contacts, median {np.median(every) / scale:.3g} {unit}."
    yield Plot(
        key="durations", title="How long contacts last", x=unit, y="contacts",
        series=series, note=note, bottom=0.0,
    )  # fmt: skip


def _speeds(tables: Sequence[Table]) -> Iterable[Plot]:
    physical = bool(tables) and all(t.has("speed_um_s") for t in tables)
    groups: dict[str, list[Any]] = {}
    for table in tables:
        speed = table.column("speed_um_s") * 60 if physical else table.column("speed_px_frame")
        means = _means(table.column("track_id"), speed)
        groups.setdefault(_named(table.population, table.group), []).append(means)
    values = {name: np.concatenate(parts) for name, parts in groups.items()}
    every = np.concatenate(list(values.values())) if values else np.array([])
    if not len(every):
        return
    unit = "µm/min" if physical else "px per frame"
    note = "; ".join(f"{n}: median {np.median(v):.3g} {unit}" for n, v in values.items() if len(v))
    yield Plot(
        key="speeds", title="Mean speed of each cell", x=unit, y="cells",
        series=binned(values, _BINS), note=f"{note}.", bottom=0.0,
    )  # fmt: skip


def _means(tracks: Any, values: Any) -> Any:
    """Give the mean of *values* for each track that has any."""
    known = np.isfinite(values) & np.isfinite(tracks)
    _, places = np.unique(tracks[known], return_inverse=True)
    if not len(places):
        return np.array([])
    return np.bincount(places, values[known]) / np.bincount(places)


def _rose(cells: Sequence[Table]) -> Iterable[Plot]:
    """Draw where cells went, each from its own start."""
    tracked = [t for t in cells if t.has("track_id", "y", "x")]
    for population in dict.fromkeys(t.population for t in tracked):
        mine = [t for t in tracked if t.population == population]
        physical = all(t.has("y_um", "x_um") for t in mine)
        share = max(1, _TRACKS // len(mine))
        series, total = [], 0
        for table in mine:
            made, count = _paths(table, physical, share)
            series += made
            total += count
        if series:
            some = f"{len(series)} of {total:,} cells" if total > len(series) else f"{total} cells"
            unit = "µm" if physical else "px"
            yield Plot(
                key=f"rose-{population}", title=f"Where {population} cells went", x=unit, y=unit,
                series=series[:_TRACKS], note=f"{some}, each from its start.", square=True,
            )  # fmt: skip


def _paths(table: Table, physical: bool, most: int) -> tuple[list[Series], int]:
    tracks, frames = table.column("track_id"), table.column("frame")
    y, x = (table.column(f"{axis}_um" if physical else axis) for axis in "yx")
    known = np.flatnonzero(np.isfinite(tracks))
    order = known[np.lexsort((frames[known], tracks[known]))]
    ids, starts, counts = np.unique(tracks[order], return_index=True, return_counts=True)
    longest = np.argsort(-counts, kind="stable")[:most]
    made = []
    for place in longest:
        rows = order[starts[place] : starts[place] + counts[place]]
        rows = rows[:: max(1, -(-len(rows) // _TRACK_POINTS))]
        if len(rows) > 1:
            made.append(
                Series(
                    name=f"cell {int(ids[place])}", kind="path",
                    x=rounded(x[rows] - x[rows[0]]), y=rounded(y[rows] - y[rows[0]]),
                )
            )  # fmt: skip
    return made, len(ids)


def _figures(found: Sequence[Table], cells: Sequence[Table]) -> list[dict[str, str]]:
    """Give the few numbers that a reader wants first."""
    listed: list[dict[str, str]] = []

    def tell(label: str, value: str, note: str = "") -> None:
        listed.append({"label": label, "value": value, "note": note})

    for population in dict.fromkeys(t.population for t in cells):
        mine = [t for t in cells if t.population == population]
        counts = np.concatenate([np.bincount(t.column("frame").astype(np.int64)) for t in mine])
        mean = np.mean(counts) if len(counts) else 0.0
        tracked = sum(_track_count(t.column("track_id")) for t in mine if t.has("track_id"))
        tell(f"{population} cells per frame", f"{mean:.1f}", f"{tracked} tracks" if tracked else "")
    deaths = [t for t in found if t.has("track_id", "frame", "killer")]
    if deaths:
        total = sum(len(t.column("killer")) for t in deaths)
        killed = sum(int(np.sum(t.column("killer") >= 0)) for t in deaths)
        tell("deaths", f"{total}", f"{killed} with a killer in contact")
    events = [t for t in found if t.has("a", "b", "duration_frames")]
    if events:
        tell("contacts", f"{sum(len(t.column('a')) for t in events):,}")
    for table in (t for t in found if t.has("group", "median_frames") and not t.node.sample):
        _tell_medians(table, tell)
    return listed


def _track_count(tracks: Any) -> int:
    return len(np.unique(tracks[np.isfinite(tracks)]))


def _tell_medians(table: Table, tell: Callable[[str, str, str], None]) -> None:
    timed = table.has("median_s")
    medians = table.column("median_s" if timed else "median_frames")
    groups, deaths, followed = (table.column(c) for c in ("group", "deaths", "cells"))
    for name, median, died, count in list(zip(groups, medians, deaths, followed, strict=True))[:4]:
        unit, scale = clock(float(median), timed) if np.isfinite(median) else ("", 1.0)
        value = f"{median / scale:.3g} {unit}" if np.isfinite(median) else "not reached"
        tell(f"median survival, {name}", value, f"{int(died)} of {int(count)} cells died")
