"""The judge's figures on samples whose figures are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sigmasmith.benchmarks.field.judge import Judge, frechet_distance
from sigmasmith.benchmarks.mixtures import MIXTURES, ModeClassifier, mixture_model


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_equal_sets_have_no_frechet_distance_however_few():
    few = normal(5, 20).numpy()
    assert frechet_distance(few, few) == pytest.approx(0.0, abs=1e-6)


def test_a_shift_adds_its_square_and_a_scale_the_square_of_what_the_spread_changes():
    one = normal(400, 3).numpy()
    assert frechet_distance(one, np.add(one, [3.0, 0.0, 4.0])) == pytest.approx(25.0)
    spread = np.trace(np.cov(one, rowvar=False))
    scaled = one.mean(axis=0) + 2.0 * (one - one.mean(axis=0))
    assert frechet_distance(one, scaled) == pytest.approx(spread, rel=1e-6)


def test_figures_of_a_batch():
    reference = normal(40, 6)
    end = reference + 0.01
    end[7] = reference[11]  # one sample became another
    judge = Judge(reference, reference, lambda x: (x, x))
    found = judge(end)
    assert found.middle == pytest.approx(0.01)
    assert found.low == pytest.approx(0.01)
    assert found.switched == pytest.approx(1 / 40)
    assert found.error == pytest.approx(0.01, rel=0.2)
    assert found.agreement == float((end.argmax(1) == reference.argmax(1)).double().mean())
    assert found.distance > 0
    same = judge(reference)
    assert (same.switched, same.agreement) == (0.0, 1.0)
    assert same.error == pytest.approx(1e-9)


def test_classes_are_compared_with_the_teachers_not_with_the_references():
    reference = normal(10, 2)
    judge = Judge(reference, -reference, lambda x: (torch.cat([x[:, :1], -x[:, :1]], dim=1), x))
    assert judge(-reference).agreement == 1.0
    assert judge(reference).agreement == 0.0


@pytest.mark.parametrize("name", MIXTURES)
def test_the_mode_classifier_names_the_mode_a_sample_was_drawn_from(name):
    model = mixture_model(name, 1.0)
    drawn = model.means + 0.5 * model.variances.sqrt() * normal(*model.means.shape)
    logits, features = ModeClassifier(model)(drawn)
    assert (logits.argmax(dim=1) == torch.arange(len(drawn))).double().mean() > 0.9
    assert torch.equal(features, drawn)
    assert torch.equal(ModeClassifier(model)(model.means)[0].argmax(dim=1), torch.arange(len(drawn)))
