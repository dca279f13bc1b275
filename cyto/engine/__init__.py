"""Plan a pipeline, run it, keep what it gives: the Task Manager and its parts."""
