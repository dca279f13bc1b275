"""From images to labels: one label per cell."""
