"""The panel in txt2img and img2img."""
