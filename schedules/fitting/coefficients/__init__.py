"""Coefficients of the fitted multistep sampler: unknowns, a first fit, and refinement with the schedule."""
