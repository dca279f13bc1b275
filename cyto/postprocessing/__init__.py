"""From tracks and contacts to what an assay asks: motion, deaths, kills, survival, tables."""
