"""Ordinary edits of a graph that a fit of before still serves: how far, and in which words beyond that."""

from __future__ import annotations

import math

# Key in a preset's `made`: digest of the weight patches whatever their strengths.
PATCHES = "patches_at_any_strength"
# Guidances that differ by less count as one: `python -m sigmasmith.benchmarks edits` measures what that costs.
SAME_GUIDANCE = 0.1


def same_guidance(fitted: float | None, running: float | None) -> bool:
    """Whether a fit at one guidance serves runs at another without a word."""
    if fitted is None or running is None:
        return fitted is running
    return math.isclose(fitted, running, rel_tol=SAME_GUIDANCE)
