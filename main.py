"""``python main.py -p PIPELINE`` from a checkout: the same as ``cyto --pipeline PIPELINE``."""

from cyto.cli.main import main

if __name__ == "__main__":
    main()
