"""The hosts' own modules/sd_schedulers.py, without a running host: what our entries rely on, and what differs."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
import torch
from sigmasmith.schedules.core.noise_space import SigmaRange
from sigmasmith.schedules.hosts.schedules import host_schedules
from sigmasmith.webui import samplers
from sigmasmith.webui.registration import FIT_SAMPLER, LABELS, label_of, register_schedulers, taken_apart

from .checkouts import NAMES, checkout, sd_schedulers

LOW, HIGH = 0.029167158529162407, 14.614641189575195


@pytest.fixture(params=NAMES)
def path(request):
    found, reason = checkout(request.param)
    if found is None:
        pytest.skip(reason)
    return found


def test_the_scheduler_class_takes_our_keywords_and_both_keys_are_found(path):
    with sd_schedulers(path) as module:
        before, names = module.schedulers, [entry.name for entry in module.schedulers]
        register_schedulers(module, {name: lambda **given: torch.zeros(given["n"] + 1) for name in LABELS})
        assert module.schedulers is before
        assert [entry.name for entry in before] == [*names, *LABELS]
        for name, label in LABELS.items():
            for key in (name, label):
                entry = module.schedulers_map[key]
                assert (entry.name, entry.label, entry.need_inner_model) == (name, label, True)
                # As the host calls it: no rho, the model beside the range.
                assert entry.default_rho == -1
                sigmas = entry.function(n=5, sigma_min=LOW, sigma_max=HIGH, inner_model=None, device="cpu")
                assert len(sigmas) == 6


def test_every_scheduler_is_called_by_the_label_that_the_dropdown_shows(path):
    with sd_schedulers(path) as module:
        for entry in module.schedulers:
            assert label_of(module, entry.name) == label_of(module, entry.label) == entry.label


def test_ours_can_be_hidden_where_the_host_lets_people_hide_schedulers(path):
    with sd_schedulers(path) as module:
        register_schedulers(
            module, {name: lambda **given: torch.zeros(given["n"] + 1) for name in LABELS}, ["Sigmasmith Cosine"]
        )
        shown = [entry.label for entry in module.schedulers if entry.label in LABELS.values()]
        assert shown == ["Sigmasmith Optimal", "Sigmasmith Adaptive"]
        assert module.schedulers_map["Sigmasmith Cosine"].name == "sigmasmith_cosine"
        if hasattr(module, "all_schedulers"):
            assert {entry.label for entry in module.all_schedulers} >= set(LABELS.values())


def test_none_of_our_names_is_taken_and_none_is_taken_apart(path):
    with sd_schedulers(path) as module:
        theirs = {word.lower() for entry in module.schedulers for word in (entry.name, entry.label)}
        assert not theirs & {word.lower() for pair in LABELS.items() for word in pair}
        register_schedulers(module, {name: lambda **given: torch.zeros(given["n"] + 1) for name in LABELS})
        for label in [*(one.label for one in samplers.OWN_SAMPLERS), FIT_SAMPLER]:
            assert taken_apart(label, module.schedulers) is None
        # What the rule is for: a sampler of this name would be read as "Sigmasmith" with the scheduler DDIM.
        assert taken_apart("Sigmasmith DDIM", module.schedulers) == "DDIM"


def test_hosts_call_schedulers_with_the_keywords_that_ours_take(path):
    with sd_schedulers(path) as module:
        for entry in module.schedulers:
            if entry.function is not None:
                known = set(inspect.signature(entry.function).parameters)
                assert {"n", "sigma_min", "sigma_max"} <= known
                assert ("inner_model" in known) == entry.need_inner_model


@pytest.mark.parametrize("steps", [5, 10, 11, 20])
@pytest.mark.parametrize("sdxl", [False, True])
def test_align_your_steps_is_what_the_readme_says_it_is(path, steps, sdxl):
    with sd_schedulers(path, sdxl=sdxl) as module:
        entry = module.schedulers_map["align_your_steps"]
        theirs = entry.function(n=steps, sigma_min=LOW, sigma_max=HIGH, device="cpu").double().numpy()
    known = host_schedules(SigmaRange(LOW, HIGH))
    family = "sdxl" if sdxl else "sd1"
    ours = known[f"webui_ays_{family}"](steps).double().numpy()
    comfy = known[f"ays_{family}"](steps).double().numpy()
    # The hosts interpolate from a printed 14.615, ours from the model's sigma_max.
    np.testing.assert_allclose(theirs[1:], ours[1:], rtol=5e-4)
    assert abs(theirs[0] / ours[0] - 1.0) < 1e-3
    assert np.abs(comfy[1:-1] / theirs[1:-1] - 1.0).max() > 0.05
