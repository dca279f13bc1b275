"""Which cells touch, overlap or lie near each other, frame by frame and over time."""
