"""The older, stage-based format, read and translated into a graph of nodes.

A file is in it when it has a top-level ``pipeline`` mapping and no ``tasks``. `translation` makes
of it what a file of the present format would hold, so that everything behind the reader knows one
format only; `migration` writes that down.
"""
