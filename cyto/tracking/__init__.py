"""From cells in frames to cells in time: one track per cell."""
