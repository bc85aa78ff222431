"""The adaptive sampler and the adaptive schedule on the host's own samplers, guiders and nodes.

Run by in_process.py in the host's interpreter.
"""

from __future__ import annotations

import logging
from typing import Any

import comfy.sample
import comfy.samplers
import torch
from loaded_pack import (
    HELD,
    KINDS,
    NODES,
    Messages,
    guider_of,
    latent,
    model_of,
    node_classes,
    part,
    prompt,
    raises,
)
from torch import Tensor

CPU = torch.device("cpu")
METHODS = ("predictive", "embedded_2", "embedded_3")
NAME = "sigmasmith_adaptive"


def noise_of(*shape: int) -> Tensor:
    return torch.randn(shape or (3, 4, 8, 8), generator=torch.Generator().manual_seed(5))


def adaptive(**settings: Any) -> Any:
    """The SAMPLER that the node gives out."""
    cls = NODES["SigmasmithAdaptiveSampler"].PREPARE_CLASS_CLONE(None)
    inputs = {"calls": 12, "tolerance": 0.0, "method": "predictive (no step taken back)"} | settings
    return cls.execute(**inputs).args[0]


def by_method(method: str) -> str:
    named = part("nodes.adaptive.node").METHODS
    return next(words for words, name in named.items() if name == method)


def levels(model: Any, steps: int = 10, scheduler: str = "karras") -> Tensor:
    return comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), scheduler, steps)


def run(
    model: Any,
    sampler: Any,
    sigmas: Tensor | None = None,
    noise: Tensor | None = None,
    start: Tensor | None = None,
    mask: Tensor | None = None,
    positive: Any = None,
    callback: Any = None,
) -> Tensor:
    """One run on the path of SamplerCustom and KSampler."""
    noise = noise_of() if noise is None else noise
    start = torch.zeros_like(noise) if start is None else start
    sigmas = levels(model) if sigmas is None else sigmas
    positive = prompt(0.5) if positive is None else positive
    return comfy.sample.sample_custom(
        model, noise, 3.0, sampler, sigmas, positive, prompt(0.0), start,
        noise_mask=mask, callback=callback, disable_pbar=True, seed=5,
    )  # fmt: skip


def converged(model: Any, noise: Tensor) -> Tensor:
    return run(model, comfy.samplers.sampler_object("dpmpp_2m"), levels(model, 400), noise)


def test_the_name_is_in_the_sampler_lists_once_and_no_list_was_replaced():
    samplers = comfy.samplers
    functions = samplers.k_diffusion_sampling
    before = getattr(functions, f"sample_{NAME}")
    node_classes()
    assert getattr(functions, f"sample_{NAME}") is before
    assert samplers.KSampler.SAMPLERS is HELD[2]
    for names in (samplers.KSAMPLER_NAMES, samplers.SAMPLER_NAMES, samplers.KSampler.SAMPLERS):
        assert names.count(NAME) == 1


def test_the_dropdown_makes_as_many_calls_as_there_are_steps_and_is_better_than_dpmpp_2m():
    for kind in KINDS:
        model, noise = model_of(kind), noise_of()
        network = model.model.diffusion_model
        end = converged(model, noise)
        k = comfy.samplers.KSampler(model, 12, CPU, NAME, "simple", 1.0, model.model_options)
        network.calls = 0
        ours = k.sample(noise, prompt(0.5), prompt(0.0), 3.0, torch.zeros_like(noise), disable_pbar=True, seed=5)
        assert network.calls == 12
        theirs = min(
            float((run(model, comfy.samplers.sampler_object("dpmpp_2m"), levels(model, 12, name), noise) - end).norm())
            for name in ("simple", "karras", "beta")
        )
        assert float((ours - end).norm()) < theirs, kind


def test_one_step_is_one_call_and_two_steps_are_two():
    model = model_of("flow")
    for steps in (1, 2, 3):
        model.model.diffusion_model.calls = 0
        assert torch.isfinite(run(model, comfy.samplers.sampler_object(NAME), levels(model, steps))).all()
        assert model.model.diffusion_model.calls == steps


def test_an_image_is_the_same_alone_and_beside_others():
    for kind in KINDS:
        model, noise = model_of(kind), noise_of()
        for method in METHODS:
            for settings in ({}, {"tolerance": 0.02, "calls": 40}):
                sampler = adaptive(method=by_method(method), **settings)
                together = run(model, sampler, noise=noise)
                for row in range(len(noise)):
                    alone = run(model, sampler, noise=noise[row : row + 1])
                    assert torch.allclose(together[row], alone[0], atol=2e-4), (kind, method, settings)


def test_a_prompt_that_changes_on_the_way_is_the_same_alone_and_beside_others():
    early = [[prompt(0.9)[0][0], {"start_percent": 0.0, "end_percent": 0.4}]]
    late = [[prompt(-0.9)[0][0], {"start_percent": 0.4, "end_percent": 1.0}]]
    for kind in KINDS:
        model, noise = model_of(kind), noise_of()
        sampler = adaptive(calls=16)
        together = run(model, sampler, noise=noise, positive=early + late)
        alone = [run(model, sampler, noise=noise[row : row + 1], positive=early + late) for row in range(3)]
        assert torch.allclose(together, torch.cat(alone), atol=2e-4), kind
        assert not torch.allclose(together, run(model, sampler, noise=noise, positive=early), atol=1e-2)


def test_the_levels_where_conditionings_change_are_visited():
    model = model_of("eps")
    start = float(model.get_model_object("model_sampling").percent_to_sigma(0.4))
    timed = [[prompt(0.9)[0][0], {"start_percent": 0.0, "end_percent": 1.0}]]
    timed += [[prompt(-0.9)[0][0], {"start_percent": 0.4, "end_percent": 1.0}]]
    seen = [float(sigma[0]) for sigma in levels_seen(model, adaptive(calls=14), timed)]
    assert len(seen) == 14
    assert min(abs(sigma / start - 1.0) for sigma in seen) < 1e-6
    assert seen == sorted(seen, reverse=True)


def test_what_reads_one_noise_level_for_all_makes_all_images_take_the_same_steps():
    model = model_of("eps").clone()
    read: list[set[float]] = []

    def by_level(sigma: Tensor, mask: Tensor, extra_options: Any = None) -> Tensor:
        read.append({float(value) for value in sigma})
        return mask

    model.model_options["denoise_mask_function"] = by_level
    mask = torch.ones(1, 1, 64, 64)
    run(model, adaptive(), mask=mask)
    assert read
    assert all(len(sigmas) == 1 for sigmas in read)
    del model.model_options["denoise_mask_function"]
    assert len({len({float(s) for s in sigma}) for sigma in levels_seen(model_of("eps"))}) > 1


def levels_seen(model: Any, sampler: Any = None, positive: Any = None) -> list[Tensor]:
    """The noise levels of the rows, call by call, of a run of three images."""
    seen: list[Tensor] = []
    network = model.model.diffusion_model
    forward = network.forward

    def watched(xc: Any, t: Any, context: Any, control: Any = None, transformer_options: Any = None, **kw: Any) -> Any:
        seen.append(transformer_options["sigmas"])
        return forward(xc, t, context, control, transformer_options, **kw)

    network.forward = watched
    run(model, sampler or adaptive(), positive=positive)
    return seen


def test_an_inpaint_mask_keeps_what_it_covers():
    for kind in KINDS:
        model, noise = model_of(kind), noise_of()
        start = 0.3 * torch.randn(noise.shape, generator=torch.Generator().manual_seed(9))
        mask = torch.zeros(1, 1, 64, 64)
        mask[..., 32:] = 1.0
        for method in METHODS:
            out = run(model, adaptive(method=by_method(method)), levels(model)[3:], noise, start, mask)
            assert torch.allclose(out[..., :4], start[..., :4], atol=1e-5), (kind, method)
            assert not torch.allclose(out[..., 4:], start[..., 4:], atol=1e-2), (kind, method)


def test_runs_that_begin_late_or_stop_early_use_the_hosts_own_ends():
    for kind in KINDS:
        model, noise = model_of(kind), noise_of()
        sigmas, start = levels(model, 200), torch.zeros(3, 4, 8, 8)
        whole = converged(model, noise)
        # As KSampler (Advanced) splits a run: the first part leaves its noise in.
        first = run(model, adaptive(calls=16), sigmas[:101], noise, start)
        second = run(model, adaptive(calls=16), sigmas[100:], torch.zeros_like(noise), first)
        assert float((second - whole).abs().max()) < 0.02, kind


def test_video_latents_run():
    model = model_of("flow", video=True)
    noise = noise_of(2, 4, 3, 8, 8)
    both = run(model, adaptive(), noise=noise)
    assert both.shape == noise.shape
    assert torch.allclose(both[1], run(model, adaptive(), noise=noise[1:])[0], atol=2e-4)


def test_the_bar_moves_forward_to_its_end_and_shows_every_accepted_step():
    for method in METHODS:
        for calls, tolerance in ((12, 0.0), (60, 0.005)):
            told: list[tuple[int, int]] = []

            def callback(step: int, x0: Tensor, x: Tensor, total: int, told: list[Any] = told) -> None:
                told.append((step, total))

            run(
                model_of("eps"), adaptive(method=by_method(method), calls=calls, tolerance=tolerance), callback=callback
            )
            steps = [step for step, _ in told]
            assert steps == sorted(steps)
            assert steps[-1] == 9
            assert {total for _, total in told} == {10}


def test_the_report_is_said_and_nan_is_an_error_that_names_sigma_and_sample():
    model = model_of("eps")
    logging.getLogger("sigmasmith").setLevel(logging.INFO)
    with Messages() as said:
        logging.getLogger("sigmasmith").handlers[-1].setLevel(logging.INFO)
        run(model, adaptive())
    text = " ".join(said)
    assert "12 model calls" in text
    assert "14.61" in text
    model.model.diffusion_model.weight.data.fill_(float("nan"))
    error = raises(ValueError, run, model, adaptive())
    assert error.startswith("model:")
    assert "14.6" in error
    assert "sample 0" in error


def test_an_interrupt_acts_before_the_next_call():
    model = model_of("eps")
    network = model.model.diffusion_model
    forward = network.forward

    def pressed(*given: Any, **kwargs: Any) -> Tensor:
        comfy.model_management.interrupt_current_processing(True)
        return forward(*given, **kwargs)

    network.forward = pressed
    raises(comfy.model_management.InterruptProcessingException, run, model, adaptive())
    assert network.calls == 1


def frozen(model: Any, **changed: Any) -> Any:
    """The result of the Adaptive Schedule node's work."""
    inputs = {
        "latent": latent(), "sampler_name": "dpmpp_2m", "steps": "6, 12", "noises": 3, "effort": "pilot",
        "calibration_seed": 3, "minutes": 0.0, "name": "frozen", "refit": True,
    }  # fmt: skip
    own = {"pilot_calls": changed.pop("pilot_calls", 24), "check": changed.pop("check", True)}
    request = part("nodes.fit.request").FitRequest(guider=guider_of(model), **(inputs | changed))
    return part("nodes.adaptive.work").freeze(part("nodes.adaptive.work").Freeze(request, **own))


def test_an_adaptive_schedule_is_a_preset_for_any_count_and_says_who_won():
    for kind in KINDS:
        model = model_of(kind)
        result = frozen(model, name=f"frozen_{kind}")
        preset = result.preset
        assert {6, 12, 20, 50} <= set(preset.schedules)
        assert set(preset.errors) == {6, 12}
        assert preset.made.method == "pilot"
        for count in (6, 12):
            best = min(preset.errors[count], key=lambda name: preset.errors[count][name])
            assert preset.origin[count] == best
        top = float(torch.as_tensor(model.get_model_object("model_sampling").sigma_max))
        assert all(abs(float(sigmas[0]) / top - 1.0) < 1e-6 for sigmas in preset.schedules.values())
        assert "sigmasmith_adaptive" in result.report
        assert len(result.plots) == 2


def test_the_scheduler_entry_serves_the_adaptive_schedule():
    model = model_of("flow")
    preset = frozen(model, name="served").preset
    on = part("nodes.host.watch").with_preset(model, preset, None)
    with Messages() as said:
        k = comfy.samplers.KSampler(on, 12, CPU, "dpmpp_2m", "sigmasmith_adaptive", 1.0, on.model_options)
        k.sample(noise_of(1, 4, 8, 8), prompt(0.5), prompt(0.0), 3.0, latent()["samples"], disable_pbar=True, seed=5)
    assert torch.equal(k.sigmas, preset.sigmas(12))
    assert not said, said


def test_an_adaptive_schedule_that_exists_costs_no_call_and_one_for_a_noisy_sampler_is_not_compared():
    model = model_of("eps")
    frozen(model, name="twice")
    model.model.diffusion_model.calls = 0
    assert "no model call" in frozen(model, name="twice", refit=False).report
    assert model.model.diffusion_model.calls == 0
    noisy = frozen(model, name="noisy", sampler_name="euler_ancestral")
    assert not noisy.preset.errors
    assert "draws noise" in noisy.report
    error = raises(ValueError, frozen, model, name="own", sampler_name=NAME)
    assert error.startswith("sampler_name:")
