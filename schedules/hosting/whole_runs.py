"""The sigmas of a preset: the list of a fitted count, and what stands in at other counts.

A preset that knows where the family lies on its model has the family there. Where the host's schedule was returned
instead of a fit, that schedule goes on. All else is interpolated between the fitted counts and extended beyond them,
but on flow models not far: fitted for 10 steps for dpmpp_2m and run at 20 and 30, lists are .3 to .7 and .2 to .5
times as near as the best host schedule there, and 1.3 to 3 times nearer on half of the noise predictions
(benchmarks/studies/away.py). There the host's schedule runs that was best beside the fit. A run below denoise 1 is the
end of such a list, as hosts cut it.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from ..core.sigmas import steps_before_truncation
from ..core.types import Schedule
from ..core.words import Phrase
from ..family.learned import LEAST_STEPS, MOST_STEPS
from ..family.place import FamilyPlace
from ..family.run import FamilyCoefficients
from ..family.schedule import family_schedule
from ..hosts.schedules import host_schedules
from ..presets.preset import FITTED, DenoiseMode, Preset
from ..samplers.fitted import NAME, CoefficientSource, PresetCoefficients

# Key of the family's facts in a preset.
_FAMILY = "family"
# How far beyond its fitted counts a flow model's list is extended.
_NEAR = 1.1


def preset_run(preset: Preset, steps: int, denoise: float = 1.0, mode: DenoiseMode = "steps") -> tuple[Tensor, str]:
    """((steps + 1,) sigmas, where they come from in words; "" as Preset.sigmas gives them).

    Args:
        steps, denoise, mode: as of Preset.sigmas, which answers where a run starts at a noise level.
    Raises:
        ValueError: names the argument; of an exact preset, says which counts it has.
    """
    if preset.denoise < 1.0 or preset.exact or steps < 1 or (denoise < 1.0 and mode != "steps"):
        return preset.sigmas(steps, denoise, mode), ""
    full = steps_before_truncation(steps, denoise)
    if full in preset.schedules:
        return preset.sigmas(steps, denoise), ""
    sigmas, said = _stood_in(preset, full)
    return sigmas[-(steps + 1) :], said


def _stood_in(preset: Preset, steps: int) -> tuple[Tensor, str]:
    """A whole run at a count that was not fitted."""
    place, model = family_place(preset), preset.model
    if place is not None and LEAST_STEPS <= steps <= MOST_STEPS:
        known = family_schedule(
            steps,
            sigma_min=model.sigma_min,
            sigma_max=model.sigma_max,
            flow=model.flow,
            scale=place.scale,
            stretch=place.stretch,
            version=place.version,
            numbers=place.at_steps(steps).numbers,
        )
        return known.sigmas, Phrase("not fitted for this count: the family's, at this model's scale")
    host = _stand_in(preset, steps)
    if host:
        said = Phrase("the host's {host}, for {reason}", host=host, reason=_why(preset, steps))
        return host_schedules(model.sigma_range)[host](steps), said
    return preset.sigmas(steps), ""


def preset_schedule(preset: Preset) -> Schedule:
    """A preset as a schedule: steps -> the sigmas of a whole run."""
    return lambda steps: preset_run(preset, steps)[0]


def preset_coefficients(preset: Preset, guidance: float) -> tuple[CoefficientSource, ...]:
    """The coefficients that run a preset's lists: those of its fitted counts, and the family's for others.

    Args:
        guidance: of the run.
    """
    own, place, model = PresetCoefficients(preset.schedules, preset.coefficients), family_place(preset), preset.model
    if place is None:
        return (own,)
    return own, FamilyCoefficients(model.sigma_range, guidance, place=place)


def family_place(preset: Preset) -> FamilyPlace | None:
    """Where the family lies, of a preset that knows it for its model and for which the host did not win."""
    known = preset.made.more.get(_FAMILY)
    won = any(_origin(preset, count) == FITTED for count in preset.schedules)
    if preset.sampler != NAME or preset.made.boundary is not None or not won:
        return None
    if not isinstance(known, Mapping):
        return None
    try:
        return FamilyPlace.of_facts(known, flow=preset.model.flow)
    except (KeyError, TypeError, ValueError):  # another program's words or family, which are no reason to stop a run
        return None


def _stand_in(preset: Preset, steps: int) -> str:
    """Name of the host schedule that runs at a count that was not fitted; "" where the fitted lists serve."""
    nearest = min(preset.schedules, key=lambda count: abs(count - steps))
    errors, offered = preset.errors.get(nearest, {}), host_schedules(preset.model.sigma_range)
    if _origin(preset, nearest) in offered:
        return _origin(preset, nearest)
    hosts = [name for name in errors if name in offered]
    low, high = min(preset.schedules) / _NEAR, max(preset.schedules) * _NEAR
    extended = not preset.model.flow or low <= steps <= high
    # Lists that nobody compared with a host's, such as a drawn curve, are the shape that a person wants.
    if extended or FITTED not in errors or not hosts:
        return ""
    return min(hosts, key=lambda name: errors[name])


def _why(preset: Preset, steps: int) -> str:
    nearest = min(preset.schedules, key=lambda count: abs(count - steps))
    if _origin(preset, nearest) != FITTED:
        return Phrase("no fit was better at {steps} steps", steps=nearest)
    return Phrase("{steps} steps are too far from the fitted {counts}", steps=steps, counts=preset.counts_in_words)


def _origin(preset: Preset, count: int) -> str:
    return preset.origin.get(count, FITTED)
