"""Where and how tasks run; this file stays free of imports, it is loaded in every container."""
