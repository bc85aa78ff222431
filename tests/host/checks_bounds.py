"""Bounds of the host that ours must not be stricter than: float32 ends of tables, denoise 0, very long lists.

Run by in_process.py in the host's interpreter.
"""

from __future__ import annotations

from typing import Any

import comfy.latent_formats
import comfy.model_base
import comfy.samplers
import comfy_extras.nodes_model_advanced
import torch
from loaded_pack import CLASSES, NODES, applied, fitted, guider_of, latent, model_of, part, preset_for, sampled
from torch import Tensor

# Of the widget's 10,000 shifts 99 end the table above 1.
SHIFTS = (1.83, 8.06, 3.0)


def shifted(shift: float) -> Any:
    """The flow model behind the host's ModelSamplingSD3."""
    node = comfy_extras.nodes_model_advanced.ModelSamplingSD3
    patched = (
        node.execute(model_of("flow"), shift) if hasattr(node, "execute") else node().patch(model_of("flow"), shift)
    )
    return patched.result[0] if hasattr(patched, "result") else patched[0]


def image_to_image_flow() -> Any:
    """A model of the host's image-to-image flow kind: CONST, with the levels of a noise-prediction model."""
    model = model_of("eps")
    kind = comfy.model_base.ModelType.IMG_TO_IMG_FLOW
    model.model.model_sampling = comfy.model_base.model_sampling(model.model.model_config, kind)
    return model


def usable(sigmas: Tensor) -> bool:
    """Whether solvers can tell every two neighbours apart."""
    levels = sigmas[sigmas > 0.0].double()
    return bool((levels[1:] <= levels[:-1] * (1.0 - 9e-6)).all())


def test_flow_tables_that_end_a_rounding_above_one_work_at_every_entry():
    assert any(float(shifted(shift).get_model_object("model_sampling").sigma_max) > 1.0 for shift in SHIFTS)
    for shift in SHIFTS:
        model = shifted(shift)
        top = float(model.get_model_object("model_sampling").sigma_max)
        result = fitted(model, name=f"shift_{int(100 * shift)}")
        on = applied(model, result.preset)
        sampling = on.get_model_object("model_sampling")
        for name in part("nodes.registration").SCHEDULER_NAMES:
            for subject in (sampling, model.get_model_object("model_sampling")):
                assert float(comfy.samplers.calculate_sigmas(subject, name, 7)[0]) == top
        for sampler in ("sigmasmith_adaptive", "sigmasmith_ddim", "sigmasmith_multistep", "euler"):
            assert bool(torch.isfinite(sampled(model, sampler, "simple")).all())
        curve = part("nodes.schedule.curves").curve_sigmas
        for name in ("karras", "cosine", "tangent", "vp", "beta", "laplace", "shifted_cosine", "log_snr_uniform"):
            assert float(curve(model, name, 9, 1.0)[0]) == 1.0
        guided, _ = part("nodes.schedule.guidance").guided_model(model, "interval", 0.2, 0.9, "percent", 1.0, "")
        assert bool(torch.isfinite(sampled(guided, "euler", "sigmasmith_optimal")).all())


def test_an_image_to_image_flow_model_runs_where_the_host_runs():
    if not hasattr(comfy.model_base.ModelType, "IMG_TO_IMG_FLOW"):  # hosts before 2026
        return
    model = image_to_image_flow()
    sampling = model.get_model_object("model_sampling")
    stock = comfy.samplers.calculate_sigmas(sampling, "simple", 6)
    for name in part("nodes.registration").SCHEDULER_NAMES:
        sigmas = comfy.samplers.calculate_sigmas(sampling, name, 6)
        assert float(sigmas[0]) == float(stock[0])
        assert usable(sigmas)
        assert bool(torch.isfinite(sampled(model, "euler", name)).all())


def test_nothing_runs_at_denoise_0_and_nothing_is_raised():
    model = model_of("eps")
    preset = preset_for(model)
    for mode in ("host (keep the steps)", "noise level"):
        output = NODES["SigmasmithSchedule"].execute(preset, 10, 0.0, mode)
        assert len(output.result[0]) == 0
        assert output.result[1] == ""
        assert "passes through" in output.result[2]
    for node, settings in (("SigmasmithCosine", (0.008, 0.999)), ("SigmasmithCurve", ("karras", ""))):
        assert len(NODES[node].execute(model, 10, 0.0, *settings).result[0]) == 0
    assert len(CLASSES) == len(NODES)


def test_150_steps_at_denoise_001_run_as_the_hosts_do():
    for kind in ("eps", "flow"):
        model = model_of(kind)
        for on in (model, applied(model, preset_for(model))):
            for name in part("nodes.registration").SCHEDULER_NAMES:
                k = comfy.samplers.KSampler(on, 150, torch.device("cpu"), "euler", name, 0.01)
                assert len(k.sigmas) == 151
                assert usable(k.sigmas)
        preset = preset_for(model)
        for mode in ("host (keep the steps)", "noise level"):
            assert usable(NODES["SigmasmithSchedule"].execute(preset, 150, 0.01, mode).result[0])
        assert usable(NODES["SigmasmithCurve"].execute(model, 150, 0.01, "cosine", "").result[0])


def test_a_start_below_the_models_range_still_gives_lists_that_every_sampler_can_run():
    model = model_of("eps")
    preset = preset_for(model)
    empty = latent()["samples"]
    for steps, denoise in ((10, 0.02), (4, 0.005), (30, 0.04), (10, 0.06)):
        sigmas = NODES["SigmasmithSchedule"].execute(preset, steps, denoise, "noise level").result[0]
        assert usable(sigmas)
        for name in ("dpmpp_2m", "dpmpp_3m_sde", "uni_pc", "deis", "ipndm", "res_multistep", "gradient_estimation"):
            sampler = comfy.samplers.sampler_object(name)
            noise = torch.randn(empty.shape, generator=torch.Generator().manual_seed(5))
            ends = guider_of(model).sample(noise, empty, sampler, sigmas, disable_pbar=True, seed=5)
            assert bool(torch.isfinite(ends).all()), (name, steps, denoise)
            assert float(ends.std()) > 0.0


def test_a_guidance_interval_reaches_the_levels_of_a_zero_snr_model():
    schema = NODES["SigmasmithGuidance"].GET_SCHEMA()
    start = next(field for field in schema.inputs if field.id == "start")
    assert start.as_dict()["max"] >= 5000.0
    model = model_of("eps")
    _, said = part("nodes.schedule.guidance").guided_model(model, "interval", 5000.0, 0.3, "sigma", 1.0, "")
    assert "sigma 5000" in said
