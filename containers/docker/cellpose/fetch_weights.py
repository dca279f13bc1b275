"""Fetch CellPose's own weights into an image, since tasks run without network.

Usage: fetch_weights.py [MODEL...]    (cyto2, cyto3, nuclei, ...)

They land in $CELLPOSE_LOCAL_MODELS_PATH, where CellPose looks for them.
"""

import sys

HINT = (
    "fetch_weights.py: the weights of '{name}' could not be fetched ({error}). "
    "To build without weights: --build-arg MODELS= (tasks then need a path to weights of your own)"
)


def main(names):
    """Fetch the network of each model and, where it has one, its size model."""
    from cellpose import models

    for name in names:
        try:
            models.model_path(name)
            if name in {"cyto", "cyto2", "cyto3", "nuclei"}:
                models.size_model_path(name)
        except Exception as error:  # noqa: BLE001  (whatever the download raises)
            sys.exit(HINT.format(name=name, error=error))


if __name__ == "__main__":
    if {"-h", "--help"} & set(sys.argv[1:]):
        print(__doc__)
    elif len(sys.argv) > 1:
        main(sys.argv[1:])
