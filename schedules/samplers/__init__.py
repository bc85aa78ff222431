"""Samplers with k-diffusion's signature: linear multistep rules, the fitted one, noise that steps do not change."""
