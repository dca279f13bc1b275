"""From raw images to images that are easier to segment."""
