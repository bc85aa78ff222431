"""Ordinary edits of a graph that a fit of before still serves: how far, and in which words beyond that."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

# Key in a preset's `made`: digest of the weight patches whatever their strengths.
PATCHES = "patches_at_any_strength"
# Guidances that differ by less count as one: `python -m sigmasmith.benchmarks edits` measures what that costs.
SAME_GUIDANCE = 0.1


def same_guidance(fitted: float | None, running: float | None) -> bool:
    """Whether a fit at one guidance serves runs at another without a word."""
    if fitted is None or running is None:
        return fitted is running
    return math.isclose(fitted, running, rel_tol=SAME_GUIDANCE)


_FORBIDDEN = re.compile(r'[<>:"|?*\\/\x00-\x1f]')
_LONGEST = 100


def stem_of(file: str | None) -> str:
    """A file's name without its ending, as a part of a preset's name."""
    bare = re.sub(r"\.(safetensors|sft|gguf|ckpt|pt|pth|bin)$", "", file or "")
    return _FORBIDDEN.sub("_", bare)[:_LONGEST].strip(" .") or "model"


def derived_name(files: Sequence[str | None], sampler: str, denoise: float = 1.0) -> str:
    """A preset's name where nobody types one: what an ordinary edit leaves, so that the preset is found again.

    Args:
        files: of the model, or of two in turn.
    """
    parts = [*(stem_of(file) for file in files), sampler]
    return ", ".join(parts + ([f"denoise {denoise:g}"] if denoise < 1.0 else []))
