"""What the page in the browser asks for: live curve, library, share codes. Knows no host."""
