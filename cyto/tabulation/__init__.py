"""From labels and images to tables: one row per cell per frame."""
