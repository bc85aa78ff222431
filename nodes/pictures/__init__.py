"""End states of runs as pictures, side by side: as an image, and on the page."""
