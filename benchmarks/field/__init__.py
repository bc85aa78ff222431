"""The comparison with the field: every host schedule and sampler, the published optimisers, and ours."""
