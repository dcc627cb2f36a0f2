"""Primary beams of dishes: power patterns, and which telescope has which."""
