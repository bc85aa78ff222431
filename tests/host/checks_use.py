"""The dropdown entries and Apply in the host's own KSampler, and that nothing of the host changes.

Run by in_process.py in the host's interpreter.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import time
from typing import Any

import comfy.model_management
import comfy.samplers
import comfy_extras.nodes_model_advanced
import torch
from loaded_pack import (
    BEFORE,
    HELD,
    IMPORT_SECONDS,
    KINDS,
    LOADED,
    NODES,
    PACK,
    REBOUND,
    Messages,
    applied,
    guider_of,
    model_of,
    node_classes,
    part,
    preset_for,
    sampled,
    stock_results,
)


def test_import_takes_less_than_150_ms_of_an_idle_core_beyond_the_host():
    assert IMPORT_SECONDS < 0.15, IMPORT_SECONDS
    fitting = part("schedules.fitting").__name__
    assert not [name for name in LOADED if name.startswith(fitting)]


def test_stock_results_are_bit_identical_with_the_pack_loaded():
    after = stock_results()
    for name, before in BEFORE.items():
        assert torch.equal(before, after[name]), name


def test_lists_are_the_same_objects_and_names_are_appended_once_after_all_others():
    registration = part("nodes.registration")
    names, handlers, samplers = HELD
    assert comfy.samplers.SCHEDULER_NAMES is names
    assert comfy.samplers.SCHEDULER_HANDLERS is handlers
    assert comfy.samplers.KSampler.SAMPLERS is samplers
    assert comfy.samplers.KSampler.SCHEDULERS is REBOUND
    node_classes()  # a second registration changes nothing
    ours = list(registration.SCHEDULER_NAMES)
    for found in (names, REBOUND):
        assert found[-3:] == ours
        assert len(set(found)) == len(found)
        assert found[-4] == "other_pack"


def test_ids_names_and_tooltips_of_every_node():
    listed = json.loads((PACK / "node_list.json").read_text(encoding="utf-8"))
    assert set(listed) == set(NODES)
    for node_id, cls in NODES.items():
        schema = cls.GET_SCHEMA()
        assert "Sigmasmith" in schema.display_name
        assert node_id.startswith("Sigmasmith")
        for field in [*schema.inputs, *schema.outputs]:
            assert field.tooltip, f"{node_id}: {getattr(field, 'id', field)}"


def test_dropdown_entry_runs_the_preset_and_is_fast():
    for kind in KINDS:
        model = model_of(kind)
        preset = preset_for(model)
        on = applied(model, preset)
        k = comfy.samplers.KSampler(on, 6, torch.device("cpu"), "dpmpp_2m", "sigmasmith_optimal", 1.0)
        assert torch.equal(k.sigmas[1:], preset.sigmas(6)[1:])
        assert float(k.sigmas[0]) == float(torch.as_tensor(on.get_model_object("model_sampling").sigma_max))
        half = comfy.samplers.KSampler(on, 5, torch.device("cpu"), "dpmpp_2m", "sigmasmith_optimal", 0.5)
        assert torch.equal(half.sigmas, preset.sigmas(10)[-6:])
        sampling = on.get_model_object("model_sampling")
        assert float(comfy.samplers.calculate_sigmas(sampling, "sigmasmith_adaptive", 8)[0]) == float(
            sampling.sigma_max
        )
        start = time.perf_counter()
        for _ in range(20):
            comfy.samplers.calculate_sigmas(sampling, "sigmasmith_optimal", 8)
        assert (time.perf_counter() - start) / 20 < 4 * 0.005
        ours, theirs = sampled(on, "dpmpp_2m", "sigmasmith_optimal"), sampled(model, "dpmpp_2m", "karras")
        assert torch.allclose(ours, theirs, atol=1e-4)


def test_samplers_that_drop_the_penultimate_sigma_run_the_presets_own_steps():
    model = model_of("eps")
    preset = preset_for(model, "dpm_2")
    k = comfy.samplers.KSampler(applied(model, preset), 10, torch.device("cpu"), "dpm_2", "sigmasmith_optimal", 1.0)
    assert torch.equal(k.sigmas[1:], preset.sigmas(10)[1:])
    assert len(k.sigmas) == 11
    with Messages() as said:
        sampled(applied(model, preset_for(model, "dpm_2")), "dpm_2", "sigmasmith_optimal")
    assert not said, said


def test_without_a_preset_the_dropdown_runs_the_family_and_says_so_once():
    for kind in KINDS:
        part("nodes.registration")._handed_out.clear()
        sampling = model_of(kind).get_model_object("model_sampling")
        for name in ("sigmasmith_optimal", "sigmasmith_adaptive", "sigmasmith_cosine"):
            for steps in (1, 2, 9):
                with Messages(logging.INFO) as said:
                    sigmas = comfy.samplers.calculate_sigmas(sampling, name, steps)
                assert len(sigmas) == steps + 1
                assert abs(float(sigmas[0]) / float(sampling.sigma_max) - 1.0) < 1e-5
                assert float(sigmas[-1]) == 0.0
                assert bool(said) == (name == "sigmasmith_optimal")
                assert all("family" in text for text in said)


def test_a_run_as_fitted_is_silent_and_every_difference_is_said():
    model = model_of("eps")
    on = applied(model, preset_for(model))
    with Messages() as said:
        sampled(on, "dpmpp_2m", "sigmasmith_optimal")
        sampled(on, "dpmpp_2m", "sigmasmith_optimal", steps=5, denoise=0.5)
    assert not said, said
    cases = {
        "euler": lambda: sampled(on, "euler", "sigmasmith_optimal"),
        "guidance": lambda: sampled(on, "dpmpp_2m", "sigmasmith_optimal", cfg=7.0),
        "another scheduler": lambda: sampled(on, "dpmpp_2m", "simple"),
    }
    for word, run in cases.items():
        with Messages() as said:
            run()
        assert len(said) == 1, (word, said)
        assert word in said[0], said


def test_what_runs_as_fitted_takes_the_place_of_an_older_warning_below_the_node():
    host, shown = part("nodes.host.messages"), []
    show, host.show = host.show, lambda text, node_id: shown.append(text)
    try:
        on = applied(model_of("eps"), preset_for(model_of("eps")))
        with Messages():
            sampled(on, "euler", "sigmasmith_optimal")
        assert "uses euler" in shown[-1], shown
        sampled(on, "dpmpp_2m", "sigmasmith_optimal")
        assert shown[-1].startswith("6 steps will run, from sigma 14.6"), shown
    finally:
        host.show = show


def test_a_lora_or_model_sampling_node_behind_apply_is_said():
    model = model_of("eps")
    on = applied(model, preset_for(model))
    patched = on.clone()
    patched.add_patches({"diffusion_model.weight": (torch.full((4, 4), 0.1),)}, 0.5)
    with Messages() as said:
        sampled(patched, "dpmpp_2m", "sigmasmith_optimal")
    assert len(said) == 1, said
    assert "patch" in said[0]
    node = comfy_extras.nodes_model_advanced.ModelSamplingDiscrete()
    (rebuilt,) = node.patch(on, "eps", False)
    part("nodes.registration")._handed_out.clear()
    with Messages(logging.INFO) as said:
        sampled(rebuilt, "dpmpp_2m", "sigmasmith_optimal")
    assert any("ModelSampling" in text for text in said), said
    assert any("family" in text for text in said), said


def test_apply_changes_no_run_with_another_scheduler_and_not_its_input():
    model = model_of("flow")
    on = applied(model, preset_for(model))
    assert torch.equal(sampled(on, "euler", "simple"), sampled(model, "euler", "simple"))
    assert not hasattr(model.get_model_object("model_sampling"), "sigmasmith_preset")
    assert on.patches_uuid == model.patches_uuid  # no reload
    twice = applied(on, preset_for(model))
    assert len(twice.wrappers["outer_sample"]["sigmasmith"]) == 1


def test_patch_digests_follow_strengths_and_not_sessions():
    digest = part("nodes.host.identity").patches_digest

    def with_patch(strength: float) -> Any:
        model = model_of("eps")
        model.add_patches({"diffusion_model.weight": (torch.full((4, 4), 0.1),)}, strength)
        return model

    assert digest(model_of("eps")) == ""
    assert digest(with_patch(0.5)) == digest(with_patch(0.5)) != digest(with_patch(0.6))


def heard(model: Any, preset: Any, sigmas: torch.Tensor, sampler: str = "dpmpp_2m", silent: bool = False) -> str:
    """What Apply's watch warns of in a run of these sigmas."""
    guider = guider_of(applied(model, preset))
    noise = torch.zeros(1, 4, 8, 8) if silent else torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(5))
    with Messages() as said:
        guider.sample(
            noise, torch.zeros(1, 4, 8, 8), comfy.samplers.sampler_object(sampler), sigmas, disable_pbar=True, seed=5
        )
    return " ".join(said)


def test_samplers_that_no_schedule_reaches_are_told_under_apply():
    model = model_of("eps")
    preset = preset_for(model)
    for name in ("dpm_fast", "dpm_adaptive"):
        assert f"{name} chooses its noise levels itself" in heard(model, preset, preset.sigmas(6), name)
    assert "chooses" not in heard(model, preset, preset.sigmas(6))


def test_samplers_whose_function_has_another_name_are_the_fitted_one():
    for name in ("ddim", "uni_pc", "uni_pc_bh2", "sigmasmith_ddim", "sigmasmith_multistep", "sigmasmith_2m_weighted"):
        model = model_of("eps")
        preset = preset_for(model, name)
        assert "Fitted for sampler" not in heard(model, preset, preset.sigmas(6), name), name
        assert "Fitted for sampler" in heard(model, preset, preset.sigmas(6), "lms"), name


def test_a_pair_that_is_split_at_another_step_is_told_where_to_switch():
    made = part("schedules.presets.made").HowMade(boundary=3.0, models=("high", "low"))
    model = model_of("eps")
    preset = dataclasses.replace(preset_for(model), made=made)
    sigmas = preset.sigmas(6)
    switch = int((sigmas[:-1] >= 3.0).sum())
    assert "boundary" not in heard(model, preset, sigmas[: switch + 1])
    assert "boundary" not in heard(model, preset, sigmas[switch:], silent=True)
    late = heard(model, preset, sigmas[: switch + 2])
    assert f"switch after step {switch} of this run" in late
    early = heard(model, preset, sigmas[switch - 1 :], silent=True)
    assert "above the boundary 3" in early


def test_guiders_that_guide_by_other_numbers_have_no_guidance_of_one():
    from comfy_extras.nodes_custom_sampler import Guider_DualCFG

    guidance_of, model = part("nodes.host.guiders").guidance_of, model_of("eps")
    assert guidance_of(guider_of(model)) == 3.0
    assert guidance_of(Guider_DualCFG(model)) is None
