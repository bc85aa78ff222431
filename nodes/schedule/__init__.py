"""Schedules and samplers in a graph: presets in use, closed-form curves, coefficients, guidance."""
