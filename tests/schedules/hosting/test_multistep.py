"""The fitted sampler with the coefficients of the lists that it meets."""

import torch
from sigmasmith.schedules.core.noise_space import SigmaRange
from sigmasmith.schedules.curves.powers import karras_sigmas
from sigmasmith.schedules.family.schedule import family_schedule
from sigmasmith.schedules.hosting.multistep import multistep_of
from sigmasmith.schedules.presets.identity import ModelIdentity
from sigmasmith.schedules.presets.preset import Preset
from sigmasmith.schedules.samplers.by_name import own_sampler
from sigmasmith.schedules.samplers.fitted import NAME

RANGE = SigmaRange(0.0292, 14.6146)
KARRAS = karras_sigmas(6, 0.0292, 14.6146)


def model(x, sigma, **_):
    return x / (1.0 + sigma.reshape(-1, 1) ** 2)


def end(sampler, sigmas):
    return sampler(model, 14.6146 * torch.linspace(-1.0, 1.0, 8).reshape(2, 4), sigmas)


def test_a_preset_s_list_runs_its_coefficients_and_others_run_as_dpmpp_2m():
    ratio = KARRAS[1:] / KARRAS[:-1]
    rows = torch.zeros(6, 5)
    rows[:, 0], rows[:, 1] = ratio, 1.0 - ratio  # Euler's
    known = Preset(
        schedules={6: KARRAS},
        sampler=NAME,
        model=ModelIdentity(sigma_min=0.0292, sigma_max=14.6146, flow=False),
        coefficients={6: rows},
    )
    sampler = multistep_of(known, RANGE, None)
    torch.testing.assert_close(end(sampler, KARRAS), end(own_sampler("euler"), KARRAS), rtol=1e-4, atol=1e-5)
    other = karras_sigmas(6, 0.0292, 14.6146, rho=5.0)
    torch.testing.assert_close(end(sampler, other), end(own_sampler("dpmpp_2m"), other), rtol=1e-4, atol=1e-5)


def test_the_family_s_list_runs_the_family_s_coefficients():
    schedule = family_schedule(6, sigma_min=0.0292, sigma_max=14.6146, guidance=4.0)
    sampler = multistep_of(None, RANGE, 4.0)
    assert torch.equal(end(sampler, schedule.sigmas), end(schedule.sampler_function(), schedule.sigmas))
