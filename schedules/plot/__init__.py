"""A plot of schedules as plain numbers, and as SVG."""
