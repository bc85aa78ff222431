"""Variance control and deterministic options: how much noise a sampler adds at which level, and from which seed."""
