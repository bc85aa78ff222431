"""Rewards: one score for each image, on a common scale where several are added, and refused by name where they fail."""

from __future__ import annotations

import math

import pytest
import torch
from sigmasmith.schedules.search.rewards import (
    IMAGE_MEASURES,
    CombinedReward,
    RewardError,
    ScoreReward,
    combined,
    image_reward,
    measured,
)


def plain(*values: float) -> torch.Tensor:
    """One grey 4 x 4 image for each value."""
    return torch.tensor(values).reshape(-1, 1, 1, 1).expand(-1, 4, 4, 3).clone()


def scores(reward, images):
    return reward.total(measured(reward, images))


@pytest.mark.parametrize("name", sorted(IMAGE_MEASURES))
def test_every_measure_gives_one_number_for_each_image_alone_and_together(name):
    images, reward = torch.rand(3, 5, 7, 3, generator=torch.Generator().manual_seed(0)), image_reward(name)
    together = scores(reward, images)
    torch.testing.assert_close(together, torch.cat([scores(reward, image[None]) for image in images]))
    assert together.unique().numel() == 3
    torch.testing.assert_close(scores(image_reward(name, less=True), images), -together)


def test_measures_say_what_they_are_named_after():
    red, stripes = plain(0.2), plain(0.5)
    red[..., 0] = 0.9
    stripes[:, :, ::2] = 1.0
    assert scores(image_reward("red"), torch.cat([red, plain(0.5)])).argmax() == 0
    assert scores(image_reward("blue"), red)[0] < 0.0
    assert scores(image_reward("colourfulness"), torch.cat([red, plain(1.0)])).argmax() == 0
    assert scores(image_reward("sharpness"), torch.cat([plain(1.0), stripes])).tolist()[0] == pytest.approx(0.0)
    assert scores(image_reward("brightness"), plain(0.25, 0.75)).tolist() == pytest.approx([0.25, 0.75])


def test_a_mask_counts_only_where_it_is_white_at_any_size():
    image = plain(0.0)
    image[:, :2] = 1.0
    top = torch.zeros(1, 8, 8)
    top[:, :4] = 1.0
    assert scores(image_reward("brightness", mask=top), image).item() == pytest.approx(1.0)
    assert scores(image_reward("brightness", mask=1.0 - top), image).item() == pytest.approx(0.0)


def test_parts_of_a_sum_have_one_scale_whatever_their_units_are():
    images = plain(0.1, 0.5, 0.9)
    huge = ScoreReward("huge", lambda images: 1e6 * -images.mean(dim=(1, 2, 3)))
    even = combined([1.0, 1.0], [image_reward("brightness"), huge])
    torch.testing.assert_close(scores(even, images), torch.zeros(3), atol=1e-5, rtol=0.0)
    assert scores(combined([2.0, 1.0], [image_reward("brightness"), huge]), images).argmax() == 2
    nested = CombinedReward(((1.0, combined([2.0, 1.0], [image_reward("brightness"), huge])), (0.5, huge)))
    assert scores(nested, images).argmax() == 2


def test_bad_rewards_and_inputs_are_named():
    images = plain(0.1, 0.2)
    for given, said in (
        ("good", "no number"),
        (1.0, "1 scores for 2"),
        ([0.5, math.nan], "NaN or infinity for image 2"),
    ):
        with pytest.raises(RewardError, match=f"reward odd: .*{said}"):
            measured(ScoreReward("odd", lambda _, given=given: given), images)

    def fails(_):
        raise KeyError("lost")

    with pytest.raises(RewardError, match="reward odd: it failed: KeyError: 'lost'"):
        measured(ScoreReward("odd", fails), images)
    with pytest.raises(ValueError, match="measure must be one of"):
        image_reward("beauty")
    with pytest.raises(ValueError, match="mask: it is black"):
        image_reward("red", mask=torch.zeros(1, 2, 2))
    with pytest.raises(ValueError, match="weight"):
        combined([0.0], [image_reward("red")])
