"""The pilot: it finds where a reward is decided, and offers a plan only where it won on images it did not see."""

from __future__ import annotations

import pytest
import torch
from sigmasmith.schedules.search.pilot import decided_share, run_pilot
from sigmasmith.schedules.search.rewards import ScoreReward
from sigmasmith.schedules.search.stepwise import StepRecord
from sigmasmith.schedules.search.widths import UNIFORM, until

from .models import SIGMAS

REWARD = ScoreReward("number", lambda images: images.mean(dim=(1, 2, 3)))
SPREAD = [1.0, 2.0, 1.0, 0.2, 0.05, 0.0, 0.0]


def searches(gain, noise=0.1):
    """Runs whose plan is worth `gain` more than the uniform one."""

    def run(plan, seeds):
        values = torch.tensor(
            [noise * (seed % 5) + (0.0 if plan == UNIFORM else gain + 0.01 * (seed % 3)) for seed in seeds]
        )
        return values[:, None], StepRecord(spread=[torch.full((len(seeds),), value) for value in SPREAD])

    return run


def piloted(gain):
    return run_pilot(searches(gain), REWARD, SIGMAS.tolist(), flow=False, pilot=range(4), held_out=range(4, 12))


def test_the_reward_is_decided_where_a_tenth_of_the_spread_is_left():
    assert decided_share(SPREAD, [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3]) == 0.7
    assert decided_share([1.0, 1.0], [0.9, 0.3]) is None
    assert decided_share([0.0, 0.0], [0.9, 0.3]) is None


def test_a_plan_is_offered_where_it_wins_on_unseen_images():
    result = piloted(0.2)
    assert result.plan == result.proposed != UNIFORM
    assert result.gain == pytest.approx(0.21, abs=0.01)
    assert f"Plan: {result.plan.text()}" in result.in_words()


@pytest.mark.parametrize("gain", [0.0, -0.2])
def test_else_the_uniform_plan_stays_and_the_report_says_so(gain):
    result = piloted(gain - 0.01)
    assert result.plan == UNIFORM
    assert result.proposed != UNIFORM
    assert "The uniform plan stays" in result.in_words()


def test_images_that_judge_have_chosen_nothing():
    with pytest.raises(ValueError, match="held_out"):
        run_pilot(searches(0.0), REWARD, SIGMAS.tolist(), flow=False, pilot=range(4), held_out=range(3, 9))
    assert until(0.4) != UNIFORM
