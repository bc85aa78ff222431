"""The host's sampler functions under the fit: every name of the dropdown, and those that draw noise.

Run by in_process.py in the host's interpreter.
"""

from __future__ import annotations

import inspect
from typing import Any

import comfy.samplers
import torch
from loaded_pack import end_of, fitted, model_of, part, raises, runs_of
from torch import Tensor

SDE = ("euler_ancestral", "dpmpp_sde", "dpmpp_2m_sde_gpu", "dpmpp_3m_sde", "er_sde")


def test_fit_for_samplers_that_write_into_their_sigmas_or_read_the_models_options():
    for sampler in ("uni_pc", "dpmpp_2m_cfg_pp"):
        result = fitted(model_of("eps"), name=f"for_{sampler}", sampler_name=sampler)
        assert "noise:" not in result.report
        assert result.preset.sampler == sampler
        assert float(result.sigmas[-1]) == 0.0


def test_every_sampler_of_the_host_runs_or_says_why_not():
    samplers = part("nodes.host.samplers")
    refused = []
    for kind in ("eps", "flow"):
        runs = runs_of(model_of(kind))
        for name in samplers.sampler_names():
            try:
                samplers.check_sampler(name)
            except ValueError:
                refused.append(name)
                continue
            assert samplers.fit_sampler(name).function.__name__ == f"sample_{name}"
            ends = [end_of(runs, name, steps=4) for _ in range(2)]
            assert torch.isfinite(ends[0]).all(), name
            assert torch.equal(*ends), f"{name} is not deterministic"
    assert set(refused) == {"dpm_fast", "dpm_adaptive", "sigmasmith_adaptive", "lcm"}


def test_a_sampler_runs_on_the_path_exactly_where_it_asks_for_noise():
    samplers = part("nodes.host.samplers")
    for name in set(samplers.sampler_names()) - {"dpm_fast", "dpm_adaptive", "sigmasmith_adaptive", "lcm"}:
        function, asked = samplers.fit_sampler(name).function, []

        def noise(sigma: Any, sigma_next: Any, asked: list[float] = asked) -> float:
            asked.append(float(sigma))
            return 0.0

        takes = "noise_sampler" in inspect.signature(function).parameters
        given: dict[str, Any] = {"noise_sampler": noise} if takes else {}
        end_of(runs_of(model_of("eps"), 2), function=function, steps=4, **given)
        assert takes == bool(asked) == samplers.draws_noise(name), name


def on_path(name: str, steps: int, kind: str, rows: slice | None = None) -> Tensor:
    """End states of a sampler on the Brownian path of rows."""
    brownian, every = part("schedules.samplers.brownian"), slice(0, 4)
    path = brownian.BrownianPath((4, 8, 8), 1.0 if kind == "flow" else 14.6146, 3, rows or every)
    function = brownian.on_path(part("nodes.host.samplers").fit_sampler(name).function, path)
    return end_of(runs_of(model_of(kind)), function=function, steps=steps, rows=rows)


def test_on_one_path_more_steps_come_nearer_to_one_end():
    for kind in ("eps", "flow"):
        for name in SDE:
            few, many, most = (on_path(name, steps, kind) for steps in (8, 32, 128))
            coarse, fine = ((end - most).square().mean().sqrt() for end in (few, many))
            assert fine < 0.75 * coarse, (kind, name, float(coarse), float(fine))
            alone = on_path(name, 8, kind, slice(2, 3))
            assert torch.allclose(few[2:3], alone, atol=1e-4), (kind, name)


def test_a_sampler_that_draws_noise_is_fitted_against_itself_on_that_noise():
    for kind, name in (("eps", "dpmpp_2m_sde"), ("flow", "euler_ancestral")):
        result = fitted(model_of(kind), name=f"path_{name}", sampler_name=name)
        assert f"{name} draws noise: it was fitted against itself with many steps" in result.report
        assert "eta 0" not in result.report
        assert result.preset.sampler == name
        assert result.preset.origin[5] == "fitted" or result.preset.origin[5] in result.preset.errors[5]


def test_a_sampler_that_draws_noise_of_its_own_only_is_fitted_without_it_and_says_so():
    etas = []

    euler = comfy.samplers.sampler_object("euler").sampler_function

    def with_eta(model: Any, x: Tensor, sigmas: Tensor, extra_args: Any = None, eta: float = 1.0, **_: Any) -> Tensor:
        etas.append(eta)
        return euler(model, x, sigmas, extra_args, disable=True)

    diffusion = comfy.samplers.k_diffusion_sampling
    diffusion.sample_other_packs_own = with_eta
    comfy.samplers.KSampler.SAMPLERS.append("other_packs_own")
    try:
        result = fitted(model_of("eps"), name="eta", sampler_name="other_packs_own")
    finally:
        comfy.samplers.KSampler.SAMPLERS.remove("other_packs_own")
        del diffusion.sample_other_packs_own
    assert set(etas) == {0.0}
    assert "without noise (eta 0)" in result.report


def test_a_sampler_that_draws_noise_cannot_be_one_of_several():
    said = raises(
        ValueError, fitted, model_of("eps"), name="several", sampler_name="euler_ancestral", choose_sampler=True
    )
    assert said.startswith("choose_sampler:")
    assert "euler_ancestral" in said


def test_an_unknown_sampler_is_told_with_the_nearest_names():
    said = raises(ValueError, part("nodes.host.samplers").check_sampler, "dpmp_2m")
    assert "sampler_name" in said
    assert "dpmpp_2m" in said
