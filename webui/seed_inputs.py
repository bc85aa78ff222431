"""The panel's inputs for a search over seeds, checked before anything runs."""

from __future__ import annotations

from dataclasses import dataclass

from ..schedules.search.rewards import IMAGE_MEASURES, ScoreReward, image_reward
from ..schedules.search.seeds import SeedBudget

MEASURES = tuple(IMAGE_MEASURES)
MORE, LESS = "more", "less"
MOST_DRAFTS = 64


@dataclass(frozen=True)
class SeedInputs:
    """A search that the panel asks for.

    Args:
        sampler, scheduler: the host's names, as the page has them.
        budget: how many seeds are drafted and how many are run in full.
        reward: what the pictures are scored by.
    """

    sampler: str
    scheduler: str
    budget: SeedBudget
    reward: ScoreReward

    @property
    def steps(self) -> tuple[int, ...]:
        """The step count of a full run."""
        return (self.budget.steps,)

    @property
    def rows(self) -> int:
        """Seeds that are drafted."""
        return self.budget.candidates


def seed_inputs(
    sampler: str, scheduler: str, steps: int, measure: str, wanted: str, images: object, draft_steps: object
) -> SeedInputs:
    """The panel's inputs for a search, brought to their types.

    Args:
        steps: of the page.
        images: the budget, in full images' worth of model calls.
    Raises:
        ValueError: names the input to change.
    """
    numbers = {"Budget": images, "Draft steps": draft_steps}
    for name, value in numbers.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ValueError(f"{name} must be a number, got {value!r}")
    if wanted not in (MORE, LESS):
        raise ValueError(f"Wanted must be {MORE} or {LESS}, got {wanted!r}")
    try:
        budget = SeedBudget(float(images), steps, int(draft_steps))  # pyright: ignore[reportArgumentType]
        reward = image_reward(measure, less=wanted == LESS)
    except ValueError as error:
        raise ValueError(f"Seeds: {error}") from None
    if budget.candidates > MOST_DRAFTS:
        raise ValueError(f"Budget: {budget.candidates} seeds would be drafted at once, at most {MOST_DRAFTS}; lower it")
    return SeedInputs(sampler, scheduler, budget, reward)
