"""GITS as published: its nodes, its one teacher."""

from __future__ import annotations

import pytest
import torch
from sigmasmith.benchmarks.analytic import power_law, random_mixture
from sigmasmith.benchmarks.published.gits import NODES, gits_schedules, teacher_nodes
from sigmasmith.benchmarks.published.trajectory import CountedDenoiser
from sigmasmith.schedules.core.noise_space import SigmaRange
from sigmasmith.schedules.core.sigmas import check_sigmas


@pytest.mark.parametrize("flow", [False, True])
def test_schedules_come_from_one_teacher(flow):
    known = SigmaRange(0.003, 1.0, flow=True) if flow else SigmaRange(0.0292, 14.6146)
    model = CountedDenoiser(random_mixture(1, power_law(12, 1.2), flow=flow))
    nodes = teacher_nodes(known)
    assert len(nodes) == NODES
    assert float(nodes[-1]) == pytest.approx(known.sigma_min)
    found = gits_schedules(model, torch.randn(6, 12, generator=torch.Generator().manual_seed(0)), known, (4, 9))
    assert model.rows == 6 * (NODES - 1)
    for steps, sigmas in found.items():
        assert len(check_sigmas(sigmas)) == steps + 1
        assert float(sigmas[0]) == pytest.approx(known.sigma_max)
        assert set(sigmas[:-1].tolist()) <= set(nodes.tolist())
