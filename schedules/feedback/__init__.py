"""Error feedback: what a run's own model outputs say about its error, pixel by pixel, and what can be done about it."""
