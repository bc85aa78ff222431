"""The Fit nodes."""
