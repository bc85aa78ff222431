"""Studies of single parts: adaptive, variance, feedback, fallback."""
