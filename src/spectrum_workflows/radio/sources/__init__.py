"""Sources in an image: found, measured, and compared with a sky that is known."""
