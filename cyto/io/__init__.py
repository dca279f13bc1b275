"""Images, tables and networks in the files that people keep."""
