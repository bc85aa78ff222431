"""The figures that are promised of schedules."""
