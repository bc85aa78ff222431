"""Fitting: teacher, local errors, dynamic programming, refinement, held-out check. Start reading at calibrate.py."""
