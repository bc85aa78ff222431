"""Search at run time: rewards, many seeds by drafts, the best child of every step."""
