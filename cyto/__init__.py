"""From live-cell microscopy of immune cells killing cancer cells to numbers."""
