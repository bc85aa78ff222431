"""The Compare node."""
