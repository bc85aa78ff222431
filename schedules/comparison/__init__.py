"""Samplers and schedules compared on the same noises, as numbers and in words."""
