"""The core: schedules, their fitting and their file format. Knows no host."""
