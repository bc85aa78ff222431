"""The Auto node: every sampler behind it runs what is best for it."""
