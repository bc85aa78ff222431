"""Scale and stretch of models of which only the range is known."""

import math

import numpy as np
import pytest
from sigmasmith.schedules.core.noise_space import SigmaRange, shift_flow, told_shift
from sigmasmith.schedules.family.learned import load_family
from sigmasmith.schedules.family.placing import SCALES
from sigmasmith.schedules.family.schedule import family_schedule
from sigmasmith.schedules.family.typical import typical_scale
from sigmasmith.schedules.hosts.published import OSS_FLUX, OSS_WAN

# Flux tabulates 10,000 timesteps, every other flow model 1,000: name -> (sigma_min, shift).
HOSTS = {
    "no shift": (0.001, 1.0),
    "AuraFlow": (float(shift_flow(0.001, 1.73)), 1.73),
    "SD3": (float(shift_flow(0.001, 3.0)), 3.0),
    "Flux": (float(shift_flow(0.0001, math.exp(1.15))), math.exp(1.15)),
    "Wan": (float(shift_flow(0.001, 8.0)), 8.0),
}


def flow(name: str) -> SigmaRange:
    return SigmaRange(float(np.float32(HOSTS[name][0])), 1.0, flow=True)


@pytest.mark.parametrize("name", HOSTS)
def test_the_least_sigma_tells_the_shift(name: str):
    assert told_shift(flow(name).sigma_min) == pytest.approx(HOSTS[name][1], rel=1e-5)


@pytest.mark.parametrize("sigma_min", [1e-6, 5e-5, 0.0292, 0.5])
def test_a_shift_outside_all_makers_stays_in_bounds(sigma_min: float):
    scale, _ = typical_scale(load_family(), SigmaRange(sigma_min, 1.0, flow=True))
    assert SCALES[0] <= scale <= SCALES[1]


def test_the_scale_grows_with_the_shift():
    scales = [typical_scale(load_family(), flow(name))[0] for name in HOSTS]
    assert scales == sorted(scales)
    assert scales[-1] > 8.0 * scales[0]


@pytest.mark.parametrize(("name", "published"), [("Flux", OSS_FLUX), ("Wan", OSS_WAN)])
def test_lists_published_for_real_checkpoints_are_nearer_than_to_the_host_s_simple(name: str, published: tuple):
    levels = np.asarray(published)[1:-1]
    steps, known = len(levels) + 1, flow(name)
    simple = shift_flow(1.0 - np.arange(1, steps) / steps, HOSTS[name][1])
    schedule = family_schedule(steps, sigma_min=known.sigma_min, sigma_max=known.sigma_max, flow=True)
    own = schedule.sigmas[1:-1].double().numpy()

    def away(other: np.ndarray) -> float:
        return float(np.abs(np.log(levels / (1.0 - levels)) - np.log(other / (1.0 - other))).mean())

    assert away(own) < 0.8 * away(simple)


def test_the_range_of_noise_prediction_has_no_shift():
    family = load_family()
    assert typical_scale(family, SigmaRange(0.0292, 14.6146)) == family.typical["ve"]
    assert typical_scale(family, SigmaRange(0.002, 80.0)) == family.typical["wide"]
