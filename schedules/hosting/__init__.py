"""What the layers of both hosts need and neither owns."""
