"""Schedule optimisers that others have published, each written from its paper, to compare fits with.

The search of Optimal Stepsize for Diffusion Sampling (OSS) is in schedules/fitting/refine/oss.py.
"""
