"""Layers in a window of napari."""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle
from typing import Any

from cyto.core.request import Ref
from cyto.errors import UnavailableError
from cyto.report.layers import Layer, View, track_rows

_COLOURS = ("green", "magenta", "cyan", "yellow", "red", "blue")


def open_viewer(view: View, title: str, load: Callable[[Ref], Any]) -> Any:
    """Show layers in a new window, and give napari's viewer; `run_viewer` waits for its end.

    Parameters
    ----------
    view
        What to show, the bottom first.
    title
        Of the window.
    load
        Gives the data of a reference; arrays may be mapped.

    Raises
    ------
    UnavailableError
        napari is not installed; says how to get it.
    """
    viewer = _napari().Viewer(title=title)
    images = sum(layer.kind == "image" and layer.visible for layer in view.layers)
    colours = cycle(_COLOURS if images > 1 else ("gray",))
    for layer in view.layers:
        _add(viewer, layer, load(layer.ref), colours)
    viewer.dims.axis_labels = ("t", "y", "x")
    viewer.dims.set_point(0, 0)
    canvas = getattr(viewer, "canvas", None)  # where it lies from napari 0.9 on
    bar = canvas.overlays.scale_bar if canvas is not None else viewer.scale_bar
    bar.visible = True
    return viewer


def run_viewer() -> None:
    """Return when the user has closed the window."""
    _napari().run()


def _napari() -> Any:
    try:
        import napari
    except ImportError as error:
        raise UnavailableError(
            f"napari cannot be loaded: {error}",
            hint="pip install 'pycyto[view]'; without a desktop, 'cyto view --json' lists what "
            "there is to look at",
        ) from error
    return napari


def _add(viewer: Any, layer: Layer, data: Any, colours: Any) -> None:
    common: dict[str, Any] = {
        "name": layer.name,
        "scale": layer.scale,
        "units": [{"µm": "um", "px": "pixel", "frame": "pixel"}.get(u, u) for u in layer.units],
        "metadata": dict(layer.metadata),
        "visible": layer.visible,
    }
    if layer.kind == "tracks":
        rows, graph = track_rows(data)
        if len(rows):
            viewer.add_tracks(rows, graph=graph, **common)
    elif layer.kind == "labels":
        viewer.add_labels(data, opacity=0.5, **common)
    else:
        colour = next(colours) if layer.visible else "gray"
        viewer.add_image(data, colormap=colour, blending="additive", **common)
