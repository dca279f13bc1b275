"""Snakemake: one file per node, as its command runs them."""

from __future__ import annotations

import os
from pathlib import Path

from protocol import UnsupportedError, Wish, answer, cpus, need, time_command


def time_it(wish: Wish) -> float:
    """Time the whole command."""
    if wish.docker:
        raise UnsupportedError("Snakemake runs containers with Apptainer only")
    settings = [f"shape={wish.shape}", f"count={wish.count}", f"image={wish.sif}"]
    flow = str(Path(__file__).with_name("nodes.smk"))
    argv = ["snakemake", "--snakefile", flow, "--cores", str(cpus()), "--config", *settings]
    if wish.sif:
        need("apptainer")
        argv += ["--software-deployment-method", "apptainer"]
        if os.geteuid() == 0:  # without it Apptainer asks for capabilities that root may lack
            argv += ["--apptainer-args=--no-privs"]
    return time_command(argv, wish.folder)


if __name__ == "__main__":
    answer(time_it)
