"""What the hosts ship, for comparison: their schedules as functions, and the published lists."""
