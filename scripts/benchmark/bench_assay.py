"""The killing assay as the scaling benchmark runs it: movies, pipeline, and its stages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from bench_settings import Settings

from cyto.simulation import simulate_assay, write_sample

CHUNKED = ("preprocessing", "segmentation", "features")
"""Stages that share out the frames of one movie; the others share out movies."""
LONG = "long"
_TRACKING = {"linking_max_distance": 15, "gap_closing_max_distance": 15, "max_frame_gap": 2}


@dataclass(frozen=True, kw_only=True)
class Stage:
    """What is measured together.

    Parameters
    ----------
    name
        One of `bench_settings.STAGES`.
    nodes
        The nodes whose time it is; all that they need has been computed before.
    pieces
        How many parts can be worked on at the same time.
    """

    name: str
    nodes: tuple[str, ...]
    pieces: int


def write_movies(folder: Path, settings: Settings) -> dict[str, str]:
    """Simulate the movies; give the channels' paths by name."""
    movies = settings["movies"]
    channels = {}
    for number in range(movies["count"]):
        assay = simulate_assay(
            frames=movies["frames"],
            size=(movies["size_px"], movies["size_px"]),
            tcells=movies["tcells"],
            cancer_cells=movies["cancer_cells"],
            seed=movies["seed"] + number,
        )
        write_sample(folder / f"m{number}", assay)
        for name in assay.images:
            channels[f"m{number}_{name}"] = str(folder / f"m{number}" / f"{name}.ome.tif")
        if not number:
            long = _write_long(folder, assay.cancer, settings["framewise"]["frames"])
            channels[f"{LONG}_cancer"] = str(long)
    return channels


def _write_long(folder: Path, movie: np.ndarray[Any, Any], frames: int) -> Path:
    import tifffile

    path = folder / "long.tif"
    order = np.arange(frames) % len(movie)
    tifffile.imwrite(path, movie[order], photometric="minisblack", metadata={"axes": "TYX"})
    return path


def tasks(settings: Settings) -> dict[str, Any]:
    """Give the pipeline's tasks: one long movie's first stages, and whole assays of the others."""
    found = dict(_first_stages(LONG, "cancer", settings))
    for number in range(settings["movies"]["count"]):
        found |= _assay(f"m{number}", settings)
    return found


def _first_stages(movie: str, kind: str, settings: Settings) -> dict[str, Any]:
    """Give preprocessing, segmentation and features of one population."""
    at = f"{movie}_{kind}"
    channels = {kind: f"{at}_preprocessing.image"}
    if kind == "cancer" and movie != LONG:
        channels["death"] = f"{movie}_death"
    return {
        f"{at}_preprocessing": {
            "module": "cyto.preprocessing.background.BackgroundSubtraction",
            "inputs": {"image": at},
        },
        f"{at}_segmentation": {
            **_segmentation(kind, settings["segmentation"]),
            "inputs": {"image": f"{at}_preprocessing.image"},
        },
        f"{at}_features": {
            "module": "cyto.tabulation.regions.RegionFeatures",
            "inputs": {"label": f"{at}_segmentation.label", **channels},
        },
    }


def _segmentation(kind: str, how: Mapping[str, Any]) -> dict[str, Any]:
    diameter = how["diameter_px"] if kind == "cancer" else round(how["diameter_px"] * 0.64)
    if how["method"] == "cellpose":
        params = {"model_type": how["model"], "diameter": diameter, "gpu": True}
        return {"module": "cyto.segmentation.cellpose.CellPose", "params": params}
    factor = 0.7 if kind == "cancer" else 0.8
    return {
        "module": "cyto.segmentation.watershed.Watershed",
        "params": {"diameter_px": diameter, "threshold_factor": factor},
    }


def _assay(movie: str, settings: Settings) -> dict[str, Any]:
    found = {}
    for kind in ("tcell", "cancer"):
        at = f"{movie}_{kind}"
        found |= _first_stages(movie, kind, settings)
        found[f"{at}_tracking"] = {
            "module": "cyto.tracking.lap.LapTracker",
            "params": {**_TRACKING, "relabel": True, "splitting": kind == "cancer"},
            "inputs": {
                "dataframe": f"{at}_features.dataframe",
                "label": f"{at}_segmentation.label",
            },
        }
    found |= _contacts(movie)
    return found | _postprocessing(movie)


def _contacts(movie: str) -> dict[str, Any]:
    labels = {kind: f"{movie}_{kind}_tracking.label" for kind in ("tcell", "cancer")}
    return {
        f"{movie}_contacts": {
            "module": "cyto.contact.contacts.CellContacts",
            "params": {"max_distance_um": 3},
            "inputs": labels,
        },
        f"{movie}_contact_events": {
            "module": "cyto.contact.events.ContactEvents",
            "params": {"max_gap_frames": 1},
            "inputs": {"dataframe": f"{movie}_contacts.dataframe"},
        },
    }


def _postprocessing(movie: str) -> dict[str, Any]:
    tcell, cancer = (f"{movie}_{kind}_tracking.dataframe" for kind in ("tcell", "cancer"))
    contacts, home = f"{movie}_contacts.dataframe", "cyto.postprocessing"
    return {
        f"{movie}_cancer_death": {
            "module": f"{home}.death.CellDeath",
            "params": {"column": "death_mean"},
            "inputs": {"dataframe": cancer},
        },
        f"{movie}_kinematics": {
            "module": f"{home}.kinematics.Kinematics",
            "inputs": {"dataframe": tcell},
        },
        f"{movie}_kills": {
            "module": f"{home}.kills.KillAttribution",
            "params": {"effectors": "tcell", "max_gap_frames": 1, "max_lag_frames": 2},
            "inputs": {
                "deaths": f"{movie}_cancer_death.deaths",
                "contacts": contacts,
                "tracks": tcell,
            },
        },
        f"{movie}_survival": {
            "module": f"{home}.survival.Survival",
            "inputs": {"cancer": f"{movie}_cancer_death.dataframe"},
        },
        f"{movie}_result_table": {
            "module": f"{home}.result_table.ResultTable",
            "params": {"columns": ["area_um2", "parent_track_id"]},
            "inputs": {
                "tcell": tcell,
                "cancer": f"{movie}_cancer_death.dataframe",
                "contacts": contacts,
            },
        },
    }


_SUFFIXES = {
    "tracking": ("tcell_tracking", "cancer_tracking"),
    "contacts": ("contacts", "contact_events"),
    "postprocessing": ("cancer_death", "kinematics", "kills", "survival", "result_table"),
}


def stages(settings: Settings) -> list[Stage]:
    """Give the stages that are asked for, in the pipeline's order."""
    from bench_settings import STAGES

    wanted = settings["run"]["stages"] or STAGES
    return [_stage(name, settings) for name in STAGES if name in wanted]


def _stage(name: str, settings: Settings) -> Stage:
    movies = [f"m{number}" for number in range(settings["movies"]["count"])]
    if name in CHUNKED:
        frames, batch = settings["framewise"]["frames"], settings["framewise"]["batch_size"]
        return Stage(name=name, nodes=(f"{LONG}_cancer_{name}",), pieces=-(-frames // batch))
    if name == "assay":
        nodes = tuple(node for node in tasks(settings) if not node.startswith(LONG))
        return Stage(name=name, nodes=nodes, pieces=2 * len(movies))
    suffixes = _SUFFIXES[name]
    nodes = tuple(f"{movie}_{suffix}" for movie in movies for suffix in suffixes)
    wide = {"tracking": 2, "contacts": 1, "postprocessing": 3}[name]
    return Stage(name=name, nodes=nodes, pieces=wide * len(movies))
