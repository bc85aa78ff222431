"""The standard that students are held against: the fine trajectory, errors along it, and whether it can be trusted."""
