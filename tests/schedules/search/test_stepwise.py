"""The search inside a run: it raises the reward, keeps to its calls, and an image is the same alone and in a batch."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from sigmasmith.schedules.core.finite import ModelError
from sigmasmith.schedules.search.rewards import ScoreReward
from sigmasmith.schedules.search.stepwise import StepRecord, sample_search
from sigmasmith.schedules.search.widths import until
from sigmasmith.schedules.search.words import steps_in_words

from .models import BRIGHT, SIGMAS, bright_search, two_modes

START = 15.0 * torch.randn(12, 1, 4, 4, generator=torch.Generator().manual_seed(3))


def run(search, x=START, model=two_modes, record=None, **options):
    return sample_search(model, x, SIGMAS, search=search, flow=False, seed=5, record=record, **options)


@pytest.mark.parametrize("rule", ["euler_ancestral", "dpmpp_2m_sde"])
@pytest.mark.parametrize("paths", [1, 2])
def test_images_go_to_the_mode_that_the_reward_likes(rule, paths):
    plain = sum(float(run(bright_search(9, rule=rule), x=START).mean(dim=(1, 2, 3)).gt(0.0).sum()) for _ in range(1))
    bright = run(bright_search(64, rule=rule, paths=paths)).mean(dim=(1, 2, 3))
    assert float(bright.gt(0.9).sum()) >= 11
    assert plain < 11


@pytest.mark.parametrize("budget", [9, 24, 40])
@pytest.mark.parametrize("paths", [1, 2])
def test_the_budget_in_model_calls_is_kept(budget, paths):
    if budget < 8 * paths:
        return
    record, calls = StepRecord(), []
    run(
        bright_search(budget, paths=paths),
        model=lambda x, sigma: calls.append(x.shape) or two_modes(x, sigma),
        record=record,
    )
    assert record.calls == len(calls) <= budget
    assert set(calls) == {START.shape}
    assert record.calls >= budget - paths + 1


def test_an_image_is_the_same_alone_and_in_any_batch():
    search = bright_search(30, paths=2)
    together = run(search)
    for row in (0, 7):
        alone = run(replace(search, seeds=(5 + row,)), x=START[row : row + 1])
        torch.testing.assert_close(alone, together[row : row + 1])


def test_one_child_a_step_on_one_path_is_the_plain_sampler():
    """Against ancestral Euler written out, with the same noise."""
    from sigmasmith.schedules.variance.noise import RowNoise

    noise, x = RowNoise(START, range(5, 17), kind="white", device="cpu", flow=False), START
    for sigma, target in zip(SIGMAS.tolist(), SIGMAS[1:].tolist()):
        denoised = two_modes(x, torch.full((12,), sigma))
        up = target * math.sqrt(1.0 - (target / sigma) ** 2)
        down = math.sqrt(target**2 - up**2)
        x = x + (x - denoised) / sigma * (down - sigma)
        if target > 0.0:
            x = x + up * noise(sigma, target)
    same = ScoreReward("nothing", lambda images: torch.zeros(len(images)))
    # The plan looks for children below a share that no level reaches: one child in every step.
    searched = run(replace(bright_search(8 + 1), reward=same, plan=until(0.95)))
    torch.testing.assert_close(searched, x, rtol=1e-4, atol=1e-4)


def test_video_latents_keep_their_five_dimensions():
    x = START.reshape(6, 1, 2, 4, 4)
    assert run(bright_search(20), x=x).shape == x.shape


def test_a_reward_that_fails_ends_the_search_and_not_the_run():
    scored = []

    def fails(images):
        scored.append(len(images))
        if len(scored) == 3:
            raise RuntimeError("the reward's model is gone")
        return images.mean(dim=(1, 2, 3))

    record, search = StepRecord(), replace(bright_search(30), reward=ScoreReward("odd", fails))
    end = run(search, record=record)
    assert torch.isfinite(end).all()
    assert "reward odd: it failed: RuntimeError: the reward's model is gone" in record.stopped
    assert record.calls < 30
    assert "went on without it" in steps_in_words(search, record)


def test_a_judge_is_reported_and_chooses_nothing():
    judge, record = ScoreReward("dark", lambda images: -images.mean(dim=(1, 2, 3))), StepRecord()
    search = bright_search(30)
    end = run(replace(search, judge=judge), record=record)
    torch.testing.assert_close(end, run(search))
    assert record.judged is not None
    assert record.judged.shape == (12,)
    assert "which chose nothing" in steps_in_words(replace(search, judge=judge), record)


def test_a_model_that_answers_nan_is_named_and_an_interrupt_goes_through():
    with pytest.raises(ModelError, match="NaN or infinity at sigma"):
        run(bright_search(), model=lambda x, sigma: two_modes(x, sigma) * (math.nan if sigma[0] < 1.0 else 1.0))

    class StopError(Exception):
        pass

    def stop(_):
        raise StopError

    with pytest.raises(StopError):
        run(bright_search(), callback=stop)


def test_settings_that_cannot_search_are_refused():
    with pytest.raises(ValueError, match="eta"):
        bright_search(eta=0.0)
    with pytest.raises(ValueError, match="paths"):
        bright_search(paths=0)
    with pytest.raises(ValueError, match="budget: 5 model calls"):
        run(bright_search(5))
    assert BRIGHT.name == "brightness"
