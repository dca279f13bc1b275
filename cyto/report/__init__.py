"""What people read of a run: it only listens to the run record."""
