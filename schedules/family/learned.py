"""The family's data: levels and parameters by step count, for noise prediction and for flow.

The files are made by `python -P -m sigmasmith.benchmarks.family.learn` and frozen: a saved workflow that names a
version gives the same images for good. A better family gets the next number.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ..core.noise_space import Array

VERSION = 1
# One file for each version.
_FOLDER = Path(__file__).parent
# Model outputs that a step weighs.
ORDER = 4
# Step counts that have coefficients. Of a family learned for fewer, those above fade into DPM++ 2M.
LEAST_STEPS, MOST_STEPS = 3, 30
# Guidance beyond which nothing was learned.
_MOST_GUIDANCE = 10.0
_GUIDANCE_UNIT = math.log(3.0)
# Terms of the parameters: at guidance 1, for each factor 3 of guidance, and once more for what lies above 3.
TERMS = 3
# A move of the parameters is one at every guidance: of the first term.
_OFFSET = np.eye(TERMS)[0][:, None, None]


@dataclass(frozen=True)
class Learned:
    """The lists and coefficients learned for one step count.

    Args:
        levels: (steps - 1,) falling log levels (VE sigma; flow: odds) on the family's own scale.
        parameters: (3, steps, features) what is added to the parameters of DPM++ 2M (samplers/parameters.py): at
            guidance 1, for each factor 3 of guidance, and once more for each factor 3 above 3.
    """

    levels: Array
    parameters: Array

    def parameters_at(self, guidance: float) -> Array:
        """(steps, features) at a guidance, which counts from 1 to 10."""
        usual, factors, above = self.parameters
        _, factor, more = guidance_terms(guidance)
        return usual + factor * factors + more * above


@dataclass(frozen=True)
class Directions:
    """How models differ beyond scale and stretch, at one step count: one standard deviation along each direction.

    Args:
        levels: (directions, steps - 1) what is added to levels.
        parameters: (directions, steps, features) what is added to the parameters at every guidance.
    """

    levels: Array
    parameters: Array

    def moved(self, learned: Learned, numbers: Sequence[float]) -> Learned:
        """The learned values, moved along the first directions by as many numbers."""
        along = np.asarray(numbers, float)
        levels = learned.levels + np.tensordot(along, self.levels[: len(along)], axes=1)
        return Learned(
            levels, learned.parameters + np.tensordot(along, self.parameters[: len(along)], axes=1) * _OFFSET
        )


@dataclass(frozen=True)
class Family:
    """One version of the family.

    Args:
        spaces: "ve" and "flow", each step count -> what was learned for it.
        typical: of "ve", "wide" and "flow" ranges: (scale, stretch) that serve where nothing else is known of a model.
        spread: (of log scale, of stretch) standard deviations between models: the precision of a prior.
        directions: "ve" and "flow", each step count -> how models differ beyond these two; the same numbers move
            every step count.
    """

    version: int
    spaces: Mapping[str, Mapping[int, Learned]]
    typical: Mapping[str, tuple[float, float]]
    spread: tuple[float, float]
    directions: Mapping[str, Mapping[int, Directions]] = field(default_factory=dict)

    def count_of_directions(self, *, flow: bool) -> int:
        """Numbers that `moved` takes at most."""
        known = self.directions.get("flow" if flow else "ve", {})
        return min((len(each.levels) for each in known.values()), default=0)

    def moved(self, numbers: Sequence[float], *, flow: bool) -> Family:
        """The family of a model that lies so many standard deviations along each direction; none moves nothing.

        Raises:
            ValueError: more numbers than directions.
        """
        if len(numbers) > self.count_of_directions(flow=flow):
            raise ValueError(f"numbers must be at most {self.count_of_directions(flow=flow)}, got {len(numbers)}")
        if not len(numbers):
            return self
        space = "flow" if flow else "ve"
        ways = self.directions[space]
        known = {count: _directions_at(ways, count).moved(old, numbers) for count, old in self.spaces[space].items()}
        return replace(self, spaces={**self.spaces, space: known})

    def at(self, steps: int, *, flow: bool) -> Learned:
        """The family at 3 to 30 steps: as learned, between its neighbours, or stretched beyond them; above, fading."""
        known = self.spaces["flow" if flow else "ve"]
        if steps in known:
            return known[steps]
        if steps > max(known):
            return _beyond(known[max(known)], steps)
        if steps < min(known):
            return _resampled(known[min(known)], steps)
        below = max(count for count in known if count < steps)
        above = min(count for count in known if count > steps)
        share = math.log(steps / below) / math.log(above / below)
        low, high = (_resampled(known[count], steps) for count in (below, above))
        return Learned(
            (1.0 - share) * low.levels + share * high.levels,
            (1.0 - share) * low.parameters + share * high.parameters,
        )


def guidance_terms(guidance: float) -> Array:
    """(3,) what each term of the parameters counts for, straight in the logarithm of guidance with a bend at 3.

    1, 0, 0 at guidance 1 and below; 1, 1, 0 at 3; 1, 2.1, 1.1 at 10 and above.
    """
    factors = math.log(min(max(guidance, 1.0), _MOST_GUIDANCE)) / _GUIDANCE_UNIT
    return np.array([1.0, factors, max(factors - 1.0, 0.0)])


def _resampled(learned: Learned, steps: int) -> Learned:
    """The same at a neighbouring count: first on first, last on last, linear between.

    The parameters of the last step and those of the steps before it are stretched apart, for the step to 0 is unlike
    others; so is a difference to an output that the first steps do not have.
    """
    at = np.linspace(0.0, 1.0, len(learned.levels))
    levels = np.interp(np.linspace(0.0, 1.0, steps - 1), at, learned.levels)
    terms, own, features = learned.parameters.shape
    parameters = np.zeros((terms, steps, features))
    for feature in range(features):
        first = min(feature + 1, own - 1) if feature < ORDER - 1 else 0
        start = min(first, steps - 1)
        for term in range(terms):
            inner = learned.parameters[term, first:-1, feature]
            if len(inner) and steps - 1 > start:
                place = np.linspace(0.0, len(inner) - 1.0, steps - 1 - start)
                parameters[term, start:-1, feature] = np.interp(place, np.arange(len(inner)), inner)
            if feature >= ORDER - 1 or feature + 1 < steps:
                parameters[term, -1, feature] = learned.parameters[term, -1, feature]
    return Learned(levels, parameters)


def _directions_at(known: Mapping[int, Directions], steps: int) -> Directions:
    """Those of a step count, or of the nearest one that has some, stretched."""
    if steps in known:
        return known[steps]
    near = known[min(known, key=lambda count: abs(math.log(count / steps)))]
    each = [
        _resampled(Learned(levels, parameters[None]), steps) for levels, parameters in zip(near.levels, near.parameters)
    ]
    return Directions(np.stack([one.levels for one in each]), np.stack([one.parameters[0] for one in each]))


def _beyond(learned: Learned, steps: int) -> Learned:
    """Above the most learned count: its levels at the same share of the steps, its parameters fading to none."""
    own = len(learned.levels) + 1
    at, places = np.arange(1, steps) / steps, np.arange(1, own) / own
    levels = np.interp(at, places, learned.levels)
    for end, inner in ((0, 1), (-1, -2)):  # straight on beyond the ends
        slope = (learned.levels[end] - learned.levels[inner]) / (places[end] - places[inner])
        outside = at < places[0] if end == 0 else at > places[-1]
        levels[outside] = learned.levels[end] + slope * (at[outside] - places[end])
    fade = (MOST_STEPS - steps) / (MOST_STEPS - own)
    return Learned(levels, fade * _resampled(learned, steps).parameters)


@lru_cache(maxsize=1)
def known_versions() -> tuple[int, ...]:
    """The versions that are here, the newest first."""
    return tuple(sorted((int(path.stem.split("_")[1]) for path in _FOLDER.glob("family_*.json")), reverse=True))


@lru_cache(maxsize=4)
def load_family(version: int = VERSION) -> Family:
    """A version of the family, read once.

    Raises:
        ValueError: no such version here.
    """
    path = _FOLDER / f"family_{version}.json"
    if not path.is_file():
        has = ", ".join(map(str, known_versions()))
        raise ValueError(f"family version {version} is not in this Sigmasmith; it has {has}")
    return family_of(json.loads(path.read_text(encoding="utf-8")))


def _all_terms(listed: Sequence[Any]) -> Array:
    """(3, steps, features), terms that a file leaves out being none."""
    parameters = np.asarray(listed, float)
    return np.concatenate([parameters, np.zeros((TERMS - len(parameters), *parameters.shape[1:]))])


def family_of(content: Mapping[str, Any]) -> Family:
    """The family of a data file's content."""
    spaces = {
        space: {
            int(count): Learned(np.asarray(known["levels"], float), _all_terms(known["parameters"]))
            for count, known in counts.items()
        }
        for space, counts in content["spaces"].items()
    }
    typical = {space: (float(scale), float(stretch)) for space, (scale, stretch) in content["typical"].items()}
    spread = content["spread"]
    directions = {
        space: {
            int(count): Directions(np.asarray(known["levels"], float), np.asarray(known["parameters"], float))
            for count, known in counts.items()
        }
        for space, counts in content.get("directions", {}).items()
    }
    return Family(int(content["version"]), spaces, typical, (float(spread[0]), float(spread[1])), directions)
