"""A simulated killing assay with exact truth: the yardstick of the science tests and the demo."""

from cyto.simulation.assay import Assay, simulate_assay
from cyto.simulation.sample import write_sample, write_samples

__all__ = ["Assay", "simulate_assay", "write_sample", "write_samples"]
