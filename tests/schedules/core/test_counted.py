"""Model calls counted where a sampler makes them."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from sigmasmith.schedules.core.counted import CountedModel


class Doubler:
    """A model with an attribute that samplers read."""

    inner_model = SimpleNamespace(sigma_max=1.0)

    def __call__(self, x: torch.Tensor, sigma: torch.Tensor, **extra_args: float) -> torch.Tensor:
        return 2.0 * x + extra_args.get("plus", 0.0)


def test_every_call_is_told_with_its_rows_and_passes_through_unchanged():
    rows = []
    model = CountedModel(Doubler(), after=rows.append)
    x = torch.ones(3, 2)
    assert torch.equal(model(x, torch.ones(3)), 2.0 * x)
    assert torch.equal(model(x[:1], torch.ones(1), plus=1.0), 2.0 * x[:1] + 1.0)
    assert rows == [3, 1]


def test_attributes_of_the_model_are_seen_through_it():
    assert CountedModel(Doubler()).inner_model.sigma_max == 1.0


def test_what_is_raised_before_a_call_keeps_the_model_from_running():
    def stop():
        raise RuntimeError("no call is left")

    ran = []
    with pytest.raises(RuntimeError, match="no call is left"):
        CountedModel(Doubler(), before=stop, after=ran.append)(torch.ones(1, 1), torch.ones(1))
    assert ran == []
