"""What a schedule will do, in words: for the node that runs and for its curve on the page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..schedules.presets import Preset

MODES = {"host (keep the steps)": "steps", "noise level": "noise_level"}


def schedule_info(preset: Preset, steps: int, denoise: float, sigmas: Any) -> str:
    """What a schedule will do, in words."""
    from ..schedules.sigmas import steps_before_truncation

    full = steps_before_truncation(steps, denoise)
    origin = preset.origin.get(full, "fitted")
    if not preset.is_fitted(full):
        kind = f"interpolated from {', '.join(map(str, preset.schedules))} steps"
    else:
        kind = (
            "an exact list" if preset.exact else "fitted" if origin == "fitted" else f"the host's {origin}, which won"
        )
    sampler = f" Made for {preset.sampler}." if preset.sampler else ""
    return f"{will_run(sigmas)}; {kind}.{sampler}"


def will_run(sigmas: Any) -> str:
    """Steps and start sigma, in words without a full stop."""
    steps = len(sigmas) - 1
    return f"{steps} step{'' if steps == 1 else 's'} will run, from sigma {float(sigmas[0]):.5g} to 0"
