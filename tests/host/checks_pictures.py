"""Before and after a fit through the host's own guider: which rows, whose numbers, what it costs, what it never costs.

Run by in_process.py in the host's interpreter.
"""

from __future__ import annotations

from typing import Any

import comfy.samplers
import torch
from loaded_pack import FIGURES, KINDS, fit_inputs, guider_of, latent, model_of, part, raises

HELD_OUT = 2  # of the six noises of effort quick


def seen(model: Any, in_use: tuple[str, str] = ("euler", "karras"), **changed: Any) -> Any:
    """What a fit shows, where a graph has that sampler and scheduler."""
    fitting, kind = part("nodes.fit.work"), part("nodes.fit.in_use").InUse
    inputs = fit_inputs(effort="quick", steps="6", sampler_name="sigmasmith_multistep") | changed
    request = fitting.FitRequest(guider=guider_of(model), latent=latent(), in_use=kind(*in_use), **inputs)
    return fitting.fit(request).beside


def compared(model: Any, schedules: str, samplers: str, steps: str = "6", **changed: Any) -> Any:
    """The numbers of a comparison on the rows that judged the fit, against a reference of as many levels."""
    comparing = part("nodes.compare.work")
    given = {"seeds": HELD_OUT, "first_seed": 3 + 6 - HELD_OUT, "reference_steps": 32} | changed
    request = comparing.CompareRequest(
        guider=guider_of(model), latent=latent(), schedules=schedules, samplers=samplers, steps=steps, **given
    )
    return comparing.compare(request).comparison


def test_its_numbers_are_those_of_compare_on_the_same_rows():
    for kind in KINDS:
        model = model_of(kind)
        beside = seen(model, name=f"beside_{kind}")
        _, before, after = beside.entries
        assert before.label == "until now: euler, karras"
        assert [len(entry.ends) for entry in beside.entries] == [HELD_OUT] * 3
        preset = part("nodes.presets.store").load(f"beside_{kind}", "")
        stock = compared(model, "karras", "euler").cells[0]
        FIGURES[f"{kind} until now, beside Compare"] = [before.error, stock.error]
        assert abs(before.error / stock.error - 1.0) < 1e-4, (kind, before.error, stock.error)
        on = part("nodes.host.watch").with_preset(model, preset, None)
        ours = compared(on, "sigmasmith_optimal", preset.sampler).cells[0]
        FIGURES[f"{kind} fitted, beside Compare"] = [after.error, ours.error]
        assert abs(after.error / ours.error - 1.0) < 1e-3, (kind, after.error, ours.error)
        assert abs(after.error / preset.errors[6]["fitted"] - 1.0) < 1e-6


def test_its_run_is_in_the_total_that_is_stated_and_no_more_calls_are_made():
    model = model_of("flow")
    network, told = model.model.diffusion_model, []
    progress = part("nodes.fit.work")
    made, progress.progress_bar = progress.progress_bar, lambda *_: lambda *given: told.append(given)
    network.calls = 0
    try:
        beside = seen(model, name="counted")
    finally:
        progress.progress_bar = made
    dones, totals = [done for done, _, _ in told], [total for _, total, _ in told]
    assert told[-1][2] == "before and after"
    assert dones == sorted(dones)
    assert max(dones) <= totals[0]
    assert totals[-1] == totals[0]
    before = beside.entries[1]
    assert before.error > 0.0
    assert network.calls <= (totals[0] + 1) * 6


def test_what_ran_until_now_is_read_from_the_graph_and_has_its_own_sampler():
    cases = [
        (("heun", "beta"), "heun, beta"),
        (("euler_ancestral", "karras"), "dpmpp_2m, karras"),
        (("dpm_adaptive", "karras"), "dpmpp_2m, karras"),
        (("nobody_has_it", "nor_this"), "dpmpp_2m, simple"),
        (("", "simple"), "dpmpp_2m, simple"),
    ]
    for number, (in_use, label) in enumerate(cases):
        beside = seen(model_of("eps"), in_use, name=f"in_use_{number}")
        assert beside.entries[1].label == f"until now: {label}"


def test_a_fit_below_denoise_1_and_one_of_a_sampler_with_noise_are_seen_too():
    model = model_of("eps")
    part_way = seen(model, sampler_name="euler", denoise=0.5, effort="fast", name="seen_half")
    assert all(torch.isfinite(entry.ends).all() for entry in part_way.entries)
    noisy = seen(model, ("euler", "karras"), sampler_name="euler_ancestral", effort="fast", name="seen_noise")
    assert noisy.entries[1].label == "until now: euler_ancestral, karras"


def test_a_run_that_breaks_down_costs_the_pictures_and_not_the_fit():
    model, before = model_of("eps"), part("nodes.fit.before")
    run, before.run_sampler = before.run_sampler, lambda *_: 1 / 0
    try:
        assert seen(model, name="broken_before") is None
    finally:
        before.run_sampler = run
    assert part("nodes.presets.store").load("broken_before", "").schedules


def test_an_interrupt_in_it_leaves_the_preset():
    model, before = model_of("eps"), part("nodes.fit.before")
    interrupt = comfy.model_management.InterruptProcessingException

    def pressed(*_: Any) -> Any:
        raise interrupt

    run, before.run_sampler = before.run_sampler, pressed
    try:
        raises(interrupt, seen, model, name="interrupted_before")
    finally:
        before.run_sampler = run
    assert part("nodes.presets.store").load("interrupted_before", "").schedules


def test_models_without_a_reference_show_nothing():
    model = model_of("eps")
    network = model.model.diffusion_model
    network.denoised = lambda x, sigma, context: torch.sin(1e3 * torch.log(sigma)) * torch.ones_like(x)
    assert seen(model, name="no_reference") is None


def test_pictures_come_from_the_vae_or_from_the_preview_and_stand_in_a_sheet():
    beside_part = part("nodes.pictures.beside")
    beside = seen(model_of("eps"), name="sheet")

    def decode(ends: torch.Tensor) -> torch.Tensor:
        return ends[:, :3].movedim(1, -1).clamp(0.0, 1.0)

    pictures = beside_part.pictures_of(beside, decode)
    assert [tuple(rows.shape) for rows in pictures] == [(HELD_OUT, 8, 8, 3)] * 3
    assert beside_part.sheet_of(beside, pictures).shape[0] == HELD_OUT
    assert beside_part.sheet_of(None, []).shape[0] == 1
    (data,) = beside_part.for_page(beside, pictures, None)
    assert [len(entry["images"]) for entry in data["entries"]] == [HELD_OUT] * 3
    assert (data["left"], data["right"]) == (1, 2)
    assert beside_part.for_page(beside, [], None) == []
