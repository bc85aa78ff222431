"""DMN as published: no model is asked, and the schedules are sigma lists."""

from __future__ import annotations

import pytest
from sigmasmith.benchmarks.published.dmn import dmn_schedules
from sigmasmith.schedules.core.noise_space import SigmaRange
from sigmasmith.schedules.core.sigmas import check_sigmas
from sigmasmith.schedules.fitting.refine.dmn import dmn_levels


@pytest.mark.parametrize("known", [SigmaRange(0.0292, 14.6146), SigmaRange(0.003, 1.0, flow=True)])
@pytest.mark.slow
def test_schedules_keep_the_contract_from_sigma_max(known):
    for steps, sigmas in dmn_schedules(known, (1, 4, 10), 2).items():
        assert len(check_sigmas(sigmas)) == steps + 1
        assert float(sigmas[0]) == pytest.approx(known.sigma_max)
        assert sigmas[:-1].tolist() == pytest.approx(dmn_levels(known, steps, 2).tolist())
