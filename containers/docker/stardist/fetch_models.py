"""Fetch StarDist's own models into an image, since tasks run without network.

Usage: fetch_models.py [MODEL...]    (2D_versatile_fluo, 2D_paper_dsb2018, ...)

They land in $KERAS_HOME/models/StarDist2D, where the task looks for them.
"""

import sys

HINT = (
    "fetch_models.py: the model '{name}' could not be fetched ({error}). "
    "To build without models: --build-arg MODELS= (tasks then need the path of a model of your own)"
)


def main(names):
    """Fetch each model."""
    from csbdeep.models.pretrained import get_model_folder
    from stardist.models import StarDist2D

    for name in names:
        try:
            get_model_folder(StarDist2D, name)
        except Exception as error:  # noqa: BLE001  (whatever the download raises)
            sys.exit(HINT.format(name=name, error=error))


if __name__ == "__main__":
    if {"-h", "--help"} & set(sys.argv[1:]):
        print(__doc__)
    elif len(sys.argv) > 1:
        main(sys.argv[1:])
