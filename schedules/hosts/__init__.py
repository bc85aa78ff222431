"""The hosts' own, for comparison: their schedules as functions, and the published lists."""
