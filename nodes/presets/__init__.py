"""Presets as files: Save and Load."""
