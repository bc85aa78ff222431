"""The vocabulary of everything else: noise coordinates, sigma lists, step counts, errors and sentences."""
