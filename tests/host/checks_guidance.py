"""The guidance curve under the host's own guiders, samplers and fits. Run by in_process.py in the host."""

from __future__ import annotations

from typing import Any

import comfy.samplers
import torch
from loaded_pack import (
    KINDS,
    Messages,
    applied,
    fit_inputs,
    guider_of,
    latent,
    model_of,
    part,
    preset_for,
    prompt,
    raises,
    sampled,
)
from torch import Tensor


def guided(model: Any, shape: str = "interval", start: float = 0.2, end: float = 0.9, **changed: Any) -> Any:
    """The model as the node gives it out."""
    settings = {"unit": "percent", "outside": 1.0, "values": ""} | changed
    return part("nodes.schedule.guidance").guided_model(model, shape, start, end, **settings)[0]


def calls_at(model: Any, cfg: float = 3.0, sampler: str = "euler") -> tuple[list[float], list[int], Tensor]:
    """Sigmas of a run, rows of the network at each, and its end."""
    network = model.model.diffusion_model
    seen: list[tuple[float, int]] = []
    inner = network.forward

    def forward(xc: Tensor, *args: Any, transformer_options: Any = None, **kwargs: Any) -> Tensor:
        seen.append((float(transformer_options["sigmas"][0]), xc.shape[0]))
        return inner(xc, *args, transformer_options=transformer_options, **kwargs)

    network.forward = forward
    end = sampled(model, sampler, "karras", steps=10, cfg=cfg)
    del network.forward
    return [sigma for sigma, _ in seen], [rows for _, rows in seen], end


def test_an_interval_leaves_the_negative_prompt_out_outside_of_it():
    for kind in KINDS:
        model = model_of(kind)
        on = guided(model)
        curve = on.get_attachment("sigmasmith_guidance")
        sigmas, rows, _ = calls_at(on)
        inside = [curve.sigma_low < sigma <= curve.sigma_high for sigma in sigmas]
        assert rows == [2 if guided_there else 1 for guided_there in inside], kind
        assert any(inside)
        assert not all(inside)


def test_a_curve_over_the_whole_run_is_bit_equal_to_no_curve_and_outside_equals_no_guidance():
    for kind in KINDS:
        model = model_of(kind)
        whole = guided(model, start=0.0, end=1.0)
        assert torch.equal(sampled(whole, "dpmpp_2m", "karras"), sampled(model, "dpmpp_2m", "karras"))
        flat = guided(model, "list", 0.0, 1.0, values="1")
        assert torch.equal(sampled(flat, "dpmpp_2m", "karras"), sampled(model, "dpmpp_2m", "karras", cfg=1.0))
        seven = guided(model, "list", 0.0, 1.0, values="7")
        assert torch.equal(sampled(seven, "dpmpp_2m", "karras"), sampled(model, "dpmpp_2m", "karras", cfg=7.0))


def test_cfg_functions_of_other_nodes_are_given_the_curves_scale():
    model = model_of("eps")
    seen: list[tuple[float, float]] = []

    def cfg_function(args: dict[str, Any]) -> Tensor:
        seen.append((float(args["sigma"].flatten()[0]), args["cond_scale"]))
        return args["uncond"] + (args["cond"] - args["uncond"]) * args["cond_scale"]

    both = guided(model, "falling line", 0.0, 1.0, unit="log sigma", outside=2.0)
    both.set_model_sampler_cfg_function(cfg_function)
    sampled(both, "euler", "karras", cfg=6.0)
    curve = both.get_attachment("sigmasmith_guidance")
    assert [scale for _, scale in seen] == [curve.at(sigma, 6.0) for sigma, _ in seen]
    assert seen[0][1] == 6.0
    assert abs(seen[-1][1] - 2.0) < 1e-6


def test_the_guiders_own_cfg_is_put_back_also_after_an_error():
    model = model_of("eps")
    guider = guider_of(guided(model, outside=5.0), cfg=3.0)

    def fails(*_: Any, **__: Any) -> Tensor:
        raise RuntimeError("inside the model")

    model.model.diffusion_model.forward = fails
    noise = torch.randn(1, 4, 8, 8)
    sigmas = torch.tensor([10.0, 1.0, 0.0])
    sampler = comfy.samplers.sampler_object("euler")
    assert "inside" in raises(RuntimeError, guider.sample, noise, latent()["samples"], sampler, sigmas)
    assert guider.cfg == 3.0


def test_rows_at_different_sigmas_take_their_own_scales():
    on = guided(model_of("eps"), "falling line", 0.0, 1.0, unit="log sigma")
    wrapper = on.wrappers["predict_noise"]["sigmasmith_guidance"][0]
    scales: list[float] = []

    class Guider:
        cfg = 5.0
        conds = {"negative": [1]}  # noqa: RUF012

    class Executor:
        class_obj = Guider()

        def __call__(self, x: Tensor, timestep: Tensor, *_: Any, **__: Any) -> Tensor:
            scales.append(self.class_obj.cfg)
            return x * 0.0 + self.class_obj.cfg

    sigmas = torch.tensor([14.0, 1.0, 14.0])
    out = wrapper(Executor(), torch.ones(3, 4, 2, 2), sigmas, {}, 0)
    want = [wrapper.curve.at(float(sigma), 5.0) for sigma in sigmas]
    assert torch.allclose(out[:, 0, 0, 0], torch.tensor(want))
    assert len(scales) == 2
    assert Executor.class_obj.cfg == 5.0


def test_guiders_without_one_cfg_run_unchanged_and_are_named():
    model = model_of("flow")
    on = guided(model)
    guider = comfy.samplers.CFGGuider(on)
    guider.inner_set_conds({"positive": prompt(0.5)})  # BasicGuider's way
    bare = comfy.samplers.CFGGuider(model)
    bare.inner_set_conds({"positive": prompt(0.5)})
    noise = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    sigmas = comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), "simple", 5)
    sampler = comfy.samplers.sampler_object("euler")
    with Messages() as texts:
        ends = [g.sample(noise.clone(), latent()["samples"], sampler, sigmas) for g in (guider, bare)]
    assert torch.equal(*ends)
    assert sum("one CFG" in text for text in texts) >= 1


def test_digests_and_warnings_see_the_curve():
    identity = part("nodes.host.identity")
    model = model_of("eps")
    digests = [
        identity.patches_digest(m)
        for m in (model, guided(model), guided(model, start=0.3), guided(guided(model, start=0.3)))
    ]
    assert digests[0] == ""
    assert len(set(digests)) == 3
    assert digests[3] == digests[1]  # the later curve replaces the earlier one
    on = guided(model)
    with Messages() as texts:
        sampled(applied(on, preset_for(on)), "dpmpp_2m", "sigmasmith_optimal")
    assert texts == []
    with Messages() as texts:
        sampled(applied(guided(model, start=0.3), preset_for(on)), "dpmpp_2m", "sigmasmith_optimal")
    assert len(texts) == 1
    assert "guidance curve" in texts[0]


def test_a_fit_under_the_curve_is_another_fit_and_says_so():
    fitting = part("nodes.fit.work")
    model = model_of("flow")
    fits = []
    for number, on in enumerate((model, guided(model, outside=1.0))):
        request = fitting.FitRequest(
            guider=guider_of(on, cfg=5.0), latent=latent(), **fit_inputs(name=f"guided_{number}", effort="balanced")
        )
        fits.append(fitting.fit(request))
    plain, under = fits
    assert not torch.equal(plain.sigmas, under.sigmas)
    assert "guidance curve: CFG 5 from sigma" in under.report
    assert "guidance curve" in under.preset.notes
    assert under.preset.model.patches
    assert "guidance curve" in " ".join(under.preset.model.differences(plain.preset.model))
    # The fitted schedule is better than the plain one's where it was fitted.
    on = applied(guided(model), under.preset)
    exact = sampled(guided(model), "dpmpp_2m", "sgm_uniform", steps=200, cfg=5.0)
    errors = []
    for preset in (under.preset, plain.preset):
        on = applied(guided(model), preset)
        with Messages():
            errors.append(float((sampled(on, "dpmpp_2m", "sigmasmith_optimal", steps=5, cfg=5.0) - exact).std()))
    assert errors[0] < errors[1], errors


def test_bad_windows_name_the_input():
    model = model_of("eps")
    cases = [
        ({"start": 0.9, "end": 0.2}, "upside down"),
        ({"start": 1.0, "end": 5.0, "unit": "sigma"}, "start must be above end"),
        ({"start": 2.0, "end": 3.0}, "start"),
        ({"shape": "list", "values": ""}, "values"),
        ({"shape": "list", "values": "a lot"}, "values"),
    ]
    for changed, word in cases:
        assert word in raises(ValueError, guided, model, **changed), changed


def test_video_latents_and_cfg_plus_plus_run_under_the_curve():
    on = guided(model_of("flow", video=True))
    k = comfy.samplers.KSampler(on, 5, torch.device("cpu"), "euler_cfg_pp", "simple", 1.0, on.model_options)
    empty = torch.zeros(2, 4, 3, 8, 8)
    end = k.sample(torch.randn(empty.shape), prompt(0.5), prompt(0.0), 4.0, empty, disable_pbar=True, seed=5)
    assert end.shape == empty.shape
    assert bool(torch.isfinite(end).all())


def test_the_adaptive_sampler_stops_where_the_interval_jumps_and_keeps_its_budget_under_a_ramp():
    adaptive = part("nodes.host.adaptive")
    for shape in ("interval", "falling line"):
        model = model_of("eps")
        on = guided(model, shape, 4.0, 0.5, unit="sigma")
        seen: list[float] = []
        network = model.model.diffusion_model
        inner = network.forward

        def forward(
            xc: Tensor, *args: Any, transformer_options: Any = None, seen: Any = seen, inner: Any = inner, **kwargs: Any
        ) -> Tensor:
            seen.append(float(transformer_options["sigmas"][0]))
            return inner(xc, *args, transformer_options=transformer_options, **kwargs)

        network.forward = forward
        sigmas = comfy.samplers.calculate_sigmas(on.get_model_object("model_sampling"), "karras", 20)
        noise = torch.randn(3, 4, 8, 8, generator=torch.Generator().manual_seed(1))
        guider = guider_of(on, cfg=5.0)
        sampler = adaptive.adaptive_sampler(None, calls=20)
        end = guider.sample(noise, torch.zeros(3, 4, 8, 8), sampler, sigmas, disable_pbar=True, seed=1)
        assert bool(torch.isfinite(end).all())
        assert len(seen) <= 20, (shape, len(seen))
        if shape == "interval":
            assert any(abs(sigma - 4.0) < 1e-5 for sigma in seen)
            assert any(abs(sigma - 0.5) < 1e-5 for sigma in seen)
