"""Steps chosen while sampling: error estimates, step-size control, samplers, and schedules frozen from a pilot run."""
