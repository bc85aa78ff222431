"""Which preset of the library a run may use without being asked for, what it runs, and a name for a new one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from ...schedules.core.words import Phrase
from ...schedules.family.learned import LEAST_STEPS, MOST_STEPS
from ...schedules.fitting.report import FAMILY
from ...schedules.hosting.lists import at_sigma_max
from ...schedules.hosting.whole_runs import family_place, preset_run
from ...schedules.presets.identity import ModelIdentity
from ...schedules.presets.made import HowMade
from ...schedules.presets.matching import SAME_NAME, best_match, grade_of
from ...schedules.presets.preset import FITTED, Preset
from ...schedules.samplers.fitted import NAME, WITHOUT_COEFFICIENTS
from ..edits import PATCHES, same_guidance, stem_of

# The effort whose presets hold no more than the family's scale and stretch.
RACE = "quick"
# Starts of runs below denoise 1 that differ by less count as one.
_SAME_START = 0.05


@dataclass(frozen=True)
class RunFacts:
    """Everything about a run that decides which preset is for it.

    Args:
        identity: of the model.
        patches: digest of its weight patches at any strength.
        samplers: names of the samplers that may run, the one wanted most first.
        steps: solver intervals; `start`: the first sigma.
        whole: whether it goes from pure noise to an image.
        guidance: where it is one number.
        latent_shape: of one sample, where it has one.
        made: how it is guided beside one CFG, and what is on the model.
    """

    identity: ModelIdentity
    patches: str
    samplers: tuple[str, ...]
    steps: int
    start: float
    whole: bool
    guidance: float | None
    latent_shape: tuple[int, ...] | None
    made: HowMade = field(default_factory=HowMade)


def matching(presets: Mapping[str, Preset], facts: RunFacts, *, refined: bool = False) -> Preset | None:
    """The preset of this very model that suits the run best, None where there is none.

    Another prompt, seed, size, LoRA strength, and a guidance that differs by a tenth, need no other one.

    Args:
        refined: leave out what the quick race made or gave up.
    """
    suitable = {
        name: preset
        for name, preset in presets.items()
        # Of a large library few are for this model; to look at the rest would take most of the time.
        if grade_of(preset.model, facts.identity) <= SAME_NAME
        and _suits(preset, facts)
        and not (refined and preset.effort == RACE)
    }
    match = best_match(
        suitable,
        facts.identity,
        sampler=facts.samplers[0],
        guidance=facts.guidance,
        latent_shape=facts.latent_shape,
        steps=facts.steps,
        # Of a run in the middle of the noise only its start is known; `_suits` has looked at that.
        denoise=1.0 if facts.whole else 0.0,
    )
    return None if match is None else match.preset


def choice_of(preset: Preset, facts: RunFacts) -> tuple[Tensor, str] | None:
    """((steps + 1,) sigmas, sampler name) that a matching preset has for the run; None where nothing could be fitted.

    A family's scale and stretch serve every step count, so those are asked for counts that the preset lacks.
    """
    listed, identity = _listed(preset, facts), facts.identity
    if listed is None:
        return at_sigma_max(preset_run(preset, facts.steps)[0], identity.sigma_max), preset.sampler
    if preset.origin.get(listed, FITTED) != FITTED and FITTED not in preset.errors.get(listed, {}):
        return None  # as for models distilled to few steps: the host's schedules stood alone
    sigmas = preset.runnable[listed][-(facts.steps + 1) :].clone()
    # Where no coefficients held, what was measured was the sampler without them.
    families = preset.made.method == FAMILY and preset.origin.get(listed, FITTED) == FITTED
    plain = preset.sampler == NAME and listed not in preset.coefficients and not families
    sampler = WITHOUT_COEFFICIENTS if plain else preset.sampler
    return (at_sigma_max(sigmas, identity.sigma_max) if facts.whole else sigmas), sampler


def choice_in_words(preset: Preset, facts: RunFacts, sampler: str) -> Phrase:
    """One sentence: which steps of a matching preset a run takes, with which sampler."""
    listed = _listed(preset, facts)
    origin = FITTED if listed is None else preset.origin.get(listed, FITTED)
    given: dict[str, Any] = {"steps": facts.steps, "name": preset.name or Phrase("without a name"), "sampler": sampler}
    if origin == FITTED:
        return Phrase("{steps} steps of the preset {name}, with {sampler}.", **given)
    return Phrase(
        "{steps} steps of the preset {name} (the host's {origin} won there), with {sampler}.", **given, origin=origin
    )


def preset_name(facts: RunFacts) -> str:
    """A name of model, steps and guidance, and of guider, sampler and patches where they are not the usual ones."""
    parts = [f"{facts.steps} steps"]
    if facts.guidance is not None:
        parts.append(f"cfg {facts.guidance:g}")
    if facts.made.guider:
        parts.append(stem_of(facts.made.guider_in_words))
    if "told" in facts.made.guidance:
        parts.append(f"told {facts.made.guidance['told']:g}")
    if facts.samplers[0] != NAME:
        parts.append(facts.samplers[0])
    if facts.identity.patches:
        parts.append(f"patched {facts.identity.patches[:6]}")
    return f"auto/{stem_of(facts.identity.checkpoint)}, {', '.join(parts)}"


def _suits(preset: Preset, facts: RunFacts) -> bool:
    fitted, running = preset.model.patches, facts.identity.patches
    same_patches = fitted == running or (facts.patches != "" and preset.made.more.get(PATCHES) == facts.patches)
    by_family = facts.whole and LEAST_STEPS <= facts.steps <= MOST_STEPS and family_place(preset) is not None
    return (
        preset.sampler in facts.samplers
        and preset.made.boundary is None
        and (preset.denoise == 1.0) == facts.whole
        and same_patches
        and same_guidance(preset.guidance, facts.guidance)
        and not preset.made_otherwise(facts.made)
        and (by_family or _listed(preset, facts) is not None)
    )


def _listed(preset: Preset, facts: RunFacts) -> int | None:
    """Step count of the preset's list whose end is for this run; None where it has none."""
    if facts.whole:
        return facts.steps if facts.steps in preset.schedules else None
    for full, sigmas in preset.schedules.items():
        start = float(sigmas[-(facts.steps + 1)]) if facts.steps == preset.running(full) else None
        if start is not None and math.isclose(start, facts.start, rel_tol=_SAME_START):
            return full
    return None
