"""Studies behind single features: each module prints its figures by `python -P -m sigmasmith.benchmarks <name>`."""

from __future__ import annotations

import argparse


def study_parser(name: str, about: str | None) -> argparse.ArgumentParser:
    """The parser of one study; its help is the docstring of the study's module."""
    return argparse.ArgumentParser(
        prog=f"python -m sigmasmith.benchmarks {name}",
        description=about,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
