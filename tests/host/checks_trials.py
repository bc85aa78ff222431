"""The self-test in the host: its own nodes, guiders that take one image, conditionings with an entry for every image.

Run by in_process.py in the host's interpreter.
"""

from __future__ import annotations

import types
from typing import Any

import comfy.conds
import comfy.model_management
import comfy.samplers
import comfy.utils
import comfy_extras.nodes_apg
import comfy_extras.nodes_custom_sampler
import comfy_extras.nodes_eps
import comfy_extras.nodes_lumina2
import comfy_extras.nodes_model_advanced
import torch
from loaded_pack import (
    applied,
    end_of,
    fit_inputs,
    fitted,
    guider_of,
    latent,
    model_of,
    part,
    prompt,
    raises,
    runs_of,
    sampled,
)
from torch import Tensor


def node(cls: Any, *given: Any) -> Any:
    """The model that a node of the host gives out, V1 or V3."""
    made = cls.execute(*given) if hasattr(cls, "execute") else getattr(cls(), cls.FUNCTION)(*given)
    return made.result[0] if hasattr(made, "result") else made[0]


def apg(model: Any, momentum: float) -> Any:
    return node(comfy_extras.nodes_apg.APG, model, 1.0, 5.0, momentum)


def renormed(model: Any) -> Any:
    model.model.diffusion_model.in_channels = 4
    return node(comfy_extras.nodes_lumina2.RenormCFG, model, 100.0, 0.8)


def rescaled(model: Any) -> Any:
    return node(comfy_extras.nodes_model_advanced.RescaleCFG, model, 0.7)


def annealed(model: Any) -> Any:
    """Noise on every output, as CADS and token merging have it in their own ways."""
    patched = model.clone()
    patched.set_model_sampler_post_cfg_function(noisy_output)
    return patched


def noisy_output(args: dict[str, Any]) -> Tensor:
    return args["denoised"] + 0.05 * torch.randn_like(args["denoised"])


def styled(model: Any) -> Any:
    """All images take a part of the first one's."""
    patched = model.clone()
    patched.set_model_sampler_post_cfg_function(lambda args: 0.7 * args["denoised"] + 0.3 * args["denoised"][:1])
    return patched


def compared(model: Any, **changed: Any) -> Any:
    work = part("nodes.compare.work")
    inputs = {"schedules": "karras", "samplers": "euler", "steps": "4", "seeds": 2, "first_seed": 5}
    return work.compare(
        work.CompareRequest(guider_of(model), latent(), **(inputs | changed), reference_steps=12)
    ).comparison


def frozen(model: Any, **changed: Any) -> Any:
    work = part("nodes.adaptive.work")
    inputs = fit_inputs(name="frozen", steps="6", noises=3, effort="pilot") | changed
    base = part("nodes.fit.request").FitRequest(guider=guider_of(model), latent=latent(), **inputs)
    return work.freeze(work.Freeze(base, 12, True))


def end_alone(model: Any, sigmas: Tensor, row: int, seed: int = 3, sampler: str = "dpmpp_2m") -> Tensor:
    """The host's own run of one noise of a fit."""
    noise = part("nodes.host.runs").noise_rows((row + 1, 4, 8, 8), seed)[row:]
    return guider_of(model).sample(
        noise, latent()["samples"], comfy.samplers.sampler_object(sampler), sigmas, disable_pbar=True, seed=seed
    )


def test_a_fit_through_the_hosts_own_guidance_nodes_says_what_it_had_to_do():
    assert "made whole" not in fitted(rescaled(model_of("eps")), name="rescaled").report
    said = fitted(apg(model_of("eps"), 0.5), name="momentum").report
    assert "keeps something from call to call" in said
    assert "keeps something" not in fitted(apg(model_of("eps"), 0.0), name="without").report
    assert "takes one image at a time" in fitted(renormed(model_of("eps")), name="renormed").report
    rescaling = getattr(comfy_extras.nodes_eps, "TemporalScoreRescaling", None)  # hosts before 2026 have none
    if rescaling is not None:
        assert "takes one image at a time" in fitted(node(rescaling, model_of("eps"), 0.95, 1.0), name="tsr").report
    assert "depends on the others in its batch" in fitted(styled(model_of("eps")), name="styled").report


def test_the_error_that_a_fit_tells_is_that_of_images_run_alone():
    for change in (lambda model: model, lambda model: apg(model, 0.5), renormed, styled):
        model = change(model_of("eps"))
        result = fitted(model, name="told", noises=4, sampler_name="euler")
        errors = result.preset.errors[5]
        origin = result.preset.origin[5]
        levels_of, teacher = part("schedules.fitting.teacher_levels"), part("schedules.fitting.teacher.teacher")
        levels = levels_of.teacher_sigmas(24, part("nodes.host.noise_levels").sigma_range_of(model))
        ends, aims = [], []
        for row in (2, 3):
            ends.append(end_alone(change(model_of("eps")), result.preset.schedules[5], row, sampler="euler"))
            runs = runs_of(change(model_of("eps")), rows=4)
            runs.noise = part("nodes.host.runs").noise_rows((4, 4, 8, 8), 3)
            budget = part("schedules.fitting.budget").Budget(4, 0.0)
            sketch = part("schedules.fitting.sketch").Sketch(256, 8)
            aims.append(teacher.run_teacher(runs, levels, slice(row, row + 1), sketch, budget).end)
        metrics = part("schedules.core.metrics")
        true = metrics.geometric_mean(metrics.sample_errors(torch.cat(ends), torch.cat(aims)))
        assert abs(errors[origin] - true) <= 0.05 * true + 2e-3, (errors[origin], true)


def test_random_patches_are_refused_by_every_tool_and_named():
    for tool in (lambda model: fitted(model, name="random"), compared, frozen):
        said = raises(ValueError, tool, annealed(model_of("eps")))
        assert "random numbers" in said
        assert "noisy_output (checks_trials)" in said


def test_an_interrupt_in_the_self_test_is_no_error_of_the_model():
    stop = comfy.model_management
    for number, tool in enumerate((lambda model: fitted(model, name="stopped"), compared, frozen)):
        model = model_of("eps")
        forward = model.model.diffusion_model.forward

        def pressing(*given: Any, forward: Any = forward, **options: Any) -> Tensor:
            stop.interrupt_current_processing(True)
            return forward(*given, **options)

        model.model.diffusion_model.forward = pressing
        try:
            tool(model)
        except stop.InterruptProcessingException:
            continue
        finally:
            stop.interrupt_current_processing(False)
        raise AssertionError(f"tool {number} went on")


def test_what_a_model_raises_is_named_as_its_own_by_every_tool():
    for tool in (lambda model: fitted(model, name="raises"), compared, frozen):
        model = model_of("eps")
        model.set_model_sampler_post_cfg_function(lambda args: {7: args["denoised"]}[len(args["denoised"])])
        said = raises(ValueError, tool, model)
        assert said.startswith("model: it cannot run: KeyError")
        assert "<lambda> (checks_trials)" in said
        assert "GuiderRuns" not in said  # our own watchers are no suspects


def test_compare_and_adaptive_run_images_alone_where_they_must():
    for change in (renormed, styled):
        notes = " ".join(compared(change(model_of("eps"))).notes)
        assert "ran alone" in notes or "takes one image at a time" in notes
        said = frozen(change(model_of("eps"))).report
        assert "ran alone" in said or "takes one image at a time" in said


def test_a_self_test_costs_at_most_40_evaluations_and_they_are_counted():
    for sampler in ("euler", "heun", "euler_cfg_pp", "dpmpp_sde"):
        runs = runs_of(model_of("eps"), rows=8)
        verdict, budget = part("schedules.fitting.self_test.verdict"), part("schedules.fitting.budget").Budget(8, 0.0)
        samplers = {sampler: part("nodes.host.samplers").fit_sampler(sampler).function}
        levels = part("nodes.host.noise_levels").sigma_range_of(runs.guider.model_patcher)
        decided = verdict.self_test(runs, samplers, levels, (4, 8, 8), 8, budget)
        assert decided.together
        assert decided.remembers == (sampler != "euler_cfg_pp")
        assert 0 < budget.rows_evaluated <= 40, (sampler, budget.rows_evaluated)
        assert budget.rows_evaluated == runs.timer.rows_timed + 2  # the first call is not timed


def with_entries(batch: int) -> Any:
    """A model that reads an image of its own for every row, dealt out as the host deals `concat_latent_image` out."""
    model = model_of("eps")
    base, network = model.model, model.model.diffusion_model
    extra, forward = base.extra_conds, network.forward

    def extra_conds(self: Any, **kwargs: Any) -> dict[str, Any]:
        image = comfy.utils.resize_to_batch_size(kwargs["concat_latent_image"], kwargs["noise"].shape[0])
        return extra(**kwargs) | {"entry": comfy.conds.CONDNoiseShape(image)}

    def reading(*given: Any, entry: Tensor, **kwargs: Any) -> Tensor:
        return forward(*given, **kwargs) + 0.2 * entry

    base.extra_conds = types.MethodType(extra_conds, base)
    network.forward = reading
    images = torch.stack([torch.full((4, 8, 8), 0.5 * row) for row in range(batch)])
    guider = part("nodes.host.guiders").cfg_guider(
        model,
        [[torch.full((1, 4, 8), 0.5), {"concat_latent_image": images}]],
        [[torch.zeros(1, 4, 8), {"concat_latent_image": images}]],
        3.0,
    )
    return model, guider


def test_every_row_sees_its_own_image_in_any_part_of_the_batch():
    for batch in (2, 4):
        model, guider = with_entries(batch)
        runs = runs_of(model, rows=4, guider=guider)
        assert runs.entries == batch
        whole = end_of(runs, "euler")
        assert float((whole[0] - whole[1]).abs().mean()) > 0.05
        for rows in (slice(0, 1), slice(1, 2), slice(0, 2), slice(1, 4), slice(3, 4)):
            assert torch.allclose(end_of(runs, "euler", rows), whole[rows], atol=1e-4), rows
        theirs = guider.sample(
            runs.noise[:batch], torch.zeros(batch, 4, 8, 8), comfy.samplers.sampler_object("euler"),
            sigmas_of(model), disable_pbar=True, seed=7,
        )  # fmt: skip
        assert torch.allclose(theirs, whole[:batch], atol=1e-4)


def sigmas_of(model: Any, steps: int = 6) -> Tensor:
    return comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), "karras", steps)


def test_every_row_sees_its_own_prompt_of_a_batch_of_prompts():
    model = model_of("eps")
    prompts = torch.stack([torch.full((4, 8), value) for value in (0.9, -0.9, 0.1, 0.4)])
    guider = part("nodes.host.guiders").cfg_guider(model, [[prompts, {}]], prompt(0.0), 3.0)
    runs = runs_of(model, rows=4, guider=guider)
    whole = end_of(runs, "euler")
    for row in range(4):
        alone = part("nodes.host.guiders").cfg_guider(model, [[prompts[row : row + 1], {}]], prompt(0.0), 3.0)
        rows = slice(row, row + 1)
        assert torch.allclose(end_of(runs, "euler", rows), whole[rows], atol=1e-4)
        assert torch.allclose(end_of(runs_of(model, rows=4, guider=alone), "euler", rows), whole[rows], atol=1e-4)


def test_entries_and_further_prompts_go_together():
    model, guider = with_entries(2)
    further = [[torch.full((1, 4, 8), -0.8), {"concat_latent_image": torch.ones(2, 4, 8, 8)}]]
    runs = runs_of(model, rows=4, guider=guider, positives=(further,), prompt_of_row=(0, 1, 1, 0))
    whole = end_of(runs, "euler")
    for rows in (slice(0, 2), slice(1, 2), slice(2, 4)):
        assert torch.allclose(end_of(runs, "euler", rows), whole[rows], atol=1e-4)


def test_a_control_image_of_every_row_goes_with_its_row():
    class Control:
        def __init__(self, hints: Tensor) -> None:
            self.cond_hint_original, self.previous_controlnet = hints, None

        def copy(self) -> Control:
            return Control(self.cond_hint_original)

    hints = torch.arange(3.0).reshape(3, 1, 1, 1).expand(3, 3, 8, 8)
    rows = part("nodes.host.row_conds")
    conds = [{"cross_attn": torch.zeros(1, 4, 8), "control": Control(hints)}]
    assert rows.entries(conds, 6) == 3
    for row in range(6):
        own = rows.conds_of_row(conds, row, 6)[0]["control"]
        assert own.cond_hint_original.shape == (1, 3, 8, 8)
        assert float(own.cond_hint_original.max()) == row % 3
    assert conds[0]["control"].cond_hint_original is hints


def test_no_dropdown_sampler_is_refused_that_can_be_fitted():
    runs, samplers = runs_of(model_of("eps"), rows=3), part("nodes.host.samplers")
    tested, verdict = part("nodes.host.tested"), part("schedules.fitting.self_test.verdict")
    levels = part("nodes.host.noise_levels").sigma_range_of(runs.guider.model_patcher)
    for name in samplers.sampler_names():
        if name in (*samplers.IGNORES_SCHEDULE, *samplers.RENEWS_NOISE):
            continue
        sampler = verdict.sampler_on(name, samplers.fit_sampler(name).function, levels, (4, 8, 8), 3)
        facts = tested.facts_of(runs, sampler)
        assert not facts.fault, (name, facts)
        verdict.check_sampler_facts(name, facts)


def test_images_of_a_model_that_takes_one_at_a_time_are_still_the_hosts():
    model = renormed(model_of("eps"))
    on = applied(model, fitted(model, name="one_at_a_time").preset)
    assert bool(torch.isfinite(sampled(on, "dpmpp_2m", "sigmasmith_optimal")).all())
