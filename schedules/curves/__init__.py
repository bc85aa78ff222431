"""Closed-form schedules, one file a family, and the curves of other numbers over sigma."""
