"""Search: rewards, the best of many seeds, the best child of every step."""
