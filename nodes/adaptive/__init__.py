"""Steps chosen by the error: the adaptive sampler and schedule."""
