"""Parts that the layers of both hosts need and neither owns."""

# A constant and not __name__: a host's name for our package is its path.
LOGGER_NAME = "sigmasmith"
