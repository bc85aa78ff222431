"""Error Map and Refine by Error."""
