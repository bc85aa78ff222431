"""Variance and DDIM."""
