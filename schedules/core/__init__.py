"""What everything else is written in: noise coordinates, sigma lists, step counts, errors and sentences."""
