"""The preset: what it holds, how it is written and read, named, matched and shared."""
