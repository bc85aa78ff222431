"""A fit from the panel."""
