"""Fits through the host's own guider: rows, prompts, memory, interrupts, bad input.

Run by in_process.py in the host's interpreter.
"""

from __future__ import annotations

import logging
import os
from typing import Any

import comfy.model_management
import comfy.samplers
import torch
from loaded_pack import (
    KINDS,
    NODES,
    USER,
    Messages,
    applied,
    end_of,
    fit_inputs,
    fitted,
    guider_of,
    latent,
    model_of,
    part,
    preset_for,
    prompt,
    raises,
    runs_of,
)
from torch import Tensor


def test_fit_runs_on_every_prediction_type():
    for kind in KINDS:
        model = model_of(kind)
        result = fitted(model, name=f"fit_{kind}")
        preset = result.preset
        assert preset.model.prediction == kind
        assert preset.guidance == 3.0
        assert preset.latent_shape == (4, 8, 8)
        assert preset.seeds == tuple(range(3, 14))
        sampling = model.get_model_object("model_sampling")
        assert float(result.sigmas[0]) == float(torch.as_tensor(sampling.sigma_max).float())
        errors = preset.errors[5]
        assert preset.origin[5] in errors
        assert len(errors) >= 2  # the fitted schedule and a host's
        assert "5" in result.report
        assert (USER / "models" / "sigmasmith" / f"fit_{kind}.safetensors").is_file()


def test_the_published_search_comes_after_what_graphs_have_saved_and_is_an_advanced_one():
    for node in ("SigmasmithFit", "SigmasmithFitGuider"):
        *_, before, last, vae, weight = NODES[node].GET_SCHEMA().inputs
        assert (before.id, vae.id, weight.id) == ("denoise", "vae", "frequency_weight")  # vae, a link, takes no widget
        assert last.id == "method"
        assert last.optional
        assert last.as_dict()["advanced"] is True
    model = model_of("eps")
    own, published = (fitted(model, name=f"by_{name}", steps="4", method=name) for name in ("gauss_newton", "oss"))
    assert published.preset.origin[4] in published.preset.errors[4]
    assert not torch.equal(own.preset.schedules[4], published.preset.schedules[4])
    said = raises(ValueError, fitted, model, name="by_oss", sampler_name="sigmasmith_multistep", method="oss")
    assert said.startswith("method:")


def test_the_plot_shows_the_best_host_schedule_and_simple():
    for steps in ("5", "5, 6"):
        for _, _, hosts in fitted(model_of("flow"), name="plotted", steps=steps).plots:
            assert "simple" in hosts
            assert len(hosts) >= 2


def test_an_existing_preset_is_returned_without_a_model_call_whatever_the_prompt():
    model = model_of("eps")
    fitted(model, name="again")
    model.model.diffusion_model.calls = 0
    fitting = part("nodes.fit.work")
    other = part("nodes.host.guiders").cfg_guider(model, prompt(-0.7), prompt(0.0), 3.0)
    request = fitting.FitRequest(guider=other, latent=latent(), **fit_inputs(name="again", refit=False))
    result = fitting.fit(request)
    assert model.model.diffusion_model.calls == 0
    assert "no model call" in result.report


def test_an_existing_preset_that_does_not_fit_is_an_error_that_says_what_differs():
    model = model_of("eps")
    fitted(model, name="mine")
    said = raises(ValueError, fitted, model, name="mine", refit=False, sampler_name="euler", steps="5, 7")
    assert "name:" in said
    assert "dpmpp_2m" in said
    assert "euler" in said
    assert "7" in said
    assert "refit" in said


def test_an_existing_preset_says_where_other_samplers_were_to_be_compared():
    model = model_of("eps")
    fitted(model, name="alone")
    said = fitted(model, name="alone", refit=False, choose_sampler=True).report
    assert "choose_sampler: this preset is for dpmpp_2m" in said
    assert "Turn on refit to choose among dpmpp_2m, res_multistep, ipndm and deis" in said
    chosen = fitted(model, name="chosen", choose_sampler=True).preset
    assert "Chosen among dpmpp_2m, res_multistep, ipndm and deis." in chosen.notes
    assert "choose_sampler" not in fitted(model, name="chosen", refit=False, choose_sampler=True).report
    said = fitted(model, name="chosen", refit=False, choose_sampler=True, sampler_name="lms").report
    assert "was chosen among dpmpp_2m, res_multistep, ipndm and deis. Turn on refit to choose among lms," in said


def test_facts_of_a_fit_outlive_an_edit_of_its_notes():
    model = model_of("eps")
    chosen = fitted(model, name="edited", choose_sampler=True).preset
    path = part("nodes.presets.store").save_as(chosen, "edited", "", "", "my own words", overwrite=True)
    edited = part("schedules.presets.file").load_preset(path)
    assert edited.notes == "my own words"
    assert edited.made.chosen_among == ("dpmpp_2m", "res_multistep", "ipndm", "deis")
    assert "Notes: Chosen among dpmpp_2m" in part("nodes.presets.node").preset_info(edited)
    assert "choose_sampler" not in fitted(model, name="edited", refit=False, choose_sampler=True).report


def test_a_preset_is_saved_and_found_in_folders_and_offered_in_the_dropdown():
    store, folders = part("nodes.presets.store"), part("nodes.host.folders")
    preset = fitted(model_of("eps"), name="shelf/mine").preset
    assert "shelf/mine" in folders.preset_names()
    assert store.file_of("shelf/mine.safetensors") == folders.preset_folder() / "shelf" / "mine.safetensors"
    path = store.save_as(preset, "shelf/mine", "", "", "", overwrite=False)  # the very same: no error
    assert path == store.file_of("shelf/mine")
    assert "did you mean shelf/mine" in raises(ValueError, store.file_of, "shelf/mime")
    assert "differs only in case" in raises(ValueError, folders.checked_path, "shelf/Mine")


def test_the_memory_is_stated_before_the_first_model_call():
    model, said = model_of("eps"), []

    class Heard(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append((record.getMessage(), model.model.diffusion_model.calls))

    logger, heard = logging.getLogger("sigmasmith"), Heard()
    level = logger.level
    logger.addHandler(heard)
    logger.setLevel(logging.INFO)
    try:
        report = fitted(model, name="memory").report
    finally:
        logger.removeHandler(heard)
        logger.setLevel(level)
    first = next(entry for entry in said if "Memory: the fit keeps at most" in entry[0])
    assert first[1] == 0
    assert "11 noises of 4x8x8" in first[0]
    assert "up to 11 of them through the model at a time" in report


def test_a_fit_removes_the_records_of_one_that_nobody_went_on_with():
    unfinished = part("nodes.host.folders").unfinished_folder()
    old, new = (unfinished / f"{number:032x}" / f"{number:032x}.safetensors" for number in (1, 2))
    for path in (old, new):
        path.parent.mkdir(parents=True)
        path.write_bytes(b"record")
    os.utime(old, (1e9, 1e9))
    os.utime(old.parent, (1e9, 1e9))
    fitted(model_of("eps"), name="pruning")
    assert not old.parent.exists()
    assert new.exists()


def test_rows_do_not_depend_on_the_batch():
    for kind in KINDS:
        model = model_of(kind)
        whole, alone = end_of(runs_of(model)), end_of(runs_of(model), rows=slice(2, 3))
        assert torch.allclose(whole[2:3], alone, atol=1e-5), kind
        few = part("nodes.host.runs").noise_rows((2, 4, 8, 8), 7)
        assert torch.equal(few, runs_of(model).noise[:2])


def test_row_groups_give_what_the_whole_batch_gives_with_cfg_pp_too():
    for sampler in ("dpmpp_2m", "euler_cfg_pp", "heun"):
        model = model_of("eps")
        whole = end_of(runs_of(model), sampler)
        runs = runs_of(model)
        runs.groups.size = 1
        model.model.diffusion_model.largest = 0
        grouped = end_of(runs, sampler)
        assert model.model.diffusion_model.largest <= 2  # one row, with and without the prompt
        assert torch.allclose(whole, grouped, atol=1e-5), sampler


def test_each_row_runs_with_its_own_prompt():
    model = model_of("eps")
    mixed = end_of(runs_of(model, positives=(prompt(-2.0),), prompt_of_row=(0, 1, 1, 0)))
    first = end_of(runs_of(model))
    second = end_of(runs_of(model, guider=guider_of(model, positive=-2.0)))
    assert torch.allclose(mixed[[0, 3]], first[[0, 3]], atol=1e-5)
    assert torch.allclose(mixed[[1, 2]], second[[1, 2]], atol=1e-5)
    assert not torch.allclose(first[1], second[1], atol=1e-2)


def test_the_callers_guider_and_model_are_left_as_they_were():
    model = model_of("eps")
    guider = guider_of(model)
    conds, options = dict(guider.original_conds), repr(guider.model_options)
    end_of(runs_of(model, guider=guider, positives=(prompt(1.0),), prompt_of_row=(0, 1, 0, 1)))
    assert guider.original_conds == conds
    assert guider.model_patcher is model
    assert repr(guider.model_options) == options
    assert not any(model.wrappers.values())


def test_out_of_memory_takes_fewer_rows_and_at_one_row_says_what_to_do():
    model = model_of("eps")
    plain = end_of(runs_of(model))
    tight = model_of("eps", out_of_memory_above=3)
    runs = runs_of(tight)
    assert torch.allclose(end_of(runs), plain, atol=1e-5)
    assert runs.chunk < 4
    said = raises(MemoryError, end_of, runs_of(model_of("eps", out_of_memory_above=0)))
    assert "latent" in said


def test_an_interrupt_acts_before_the_next_model_call():
    model = model_of("eps")
    runs = runs_of(model)
    network = model.model.diffusion_model
    forward = network.forward

    def pressed(*given: Any, **kwargs: Any) -> Tensor:
        comfy.model_management.interrupt_current_processing(True)
        return forward(*given, **kwargs)

    network.forward = pressed
    raises(comfy.model_management.InterruptProcessingException, end_of, runs)
    assert network.calls == 1
    assert not list((USER / "models").rglob("*.tmp"))


def test_nan_from_the_model_names_sigma_and_sample():
    model = model_of("eps")
    model.model.diffusion_model.weight.data.fill_(float("nan"))
    said = raises(ValueError, fitted, model, name="nan")
    assert "NaN" in said
    assert "sigma" in said
    assert "sample" in said
    assert not (USER / "models" / "sigmasmith" / "nan.safetensors").exists()


def test_an_unknown_sampler_is_told_with_the_nearest_names():
    said = raises(ValueError, part("nodes.host.samplers").check_sampler, "dpmp_2m")
    assert "sampler_name" in said
    assert "dpmpp_2m" in said


def test_fit_for_a_sampler_that_drops_the_penultimate_sigma_compares_what_the_host_runs():
    model = model_of("eps")
    schedules = part("nodes.host.subject").host_baselines(
        part("nodes.host.noise_levels").noise_levels_of(model), "dpm_2"
    )
    k = comfy.samplers.KSampler(model, 6, torch.device("cpu"), "dpm_2", "karras", 1.0)
    assert torch.allclose(schedules["karras"](6), k.sigmas)
    assert "other_pack" in schedules
    assert not any(name.startswith("sigmasmith") for name in schedules)
    assert len(schedules["ddim_uniform"](6)) == 7


def test_video_latents_are_fitted_and_rows_stay_rows():
    model = model_of("flow", video=True)
    result = fitted(model, shape=(1, 4, 3, 8, 8), name="video")
    assert result.preset.latent_shape == (4, 3, 8, 8)
    still = part("nodes.host.latents").latent_rows(model, latent(1, 4, 8, 8), 4)
    assert tuple(still.shape) == (4, 4, 1, 8, 8)


def test_bad_latents_name_the_input():
    rows = part("nodes.host.latents").latent_rows
    model = model_of("eps")
    for bad in ({}, latent(0, 4, 8, 8), {"samples": torch.full((1, 4, 8, 8), float("nan"))}):
        assert raises(ValueError, rows, model, bad, 4).startswith("latent:")


def test_step_caches_and_context_windows_are_named():
    from comfy_extras.nodes_easycache import EasyCacheNode

    model = model_of("eps")
    cached = EasyCacheNode.execute(model, 0.2, 0.1, 0.9, False)[0]
    said = raises(ValueError, fitted, cached, name="cached")
    assert "EasyCache" in said
    assert "ypass" in said
    windows = model.clone()
    windows.model_options["context_handler"] = object()
    assert "Context Windows" in raises(ValueError, fitted, windows, name="windows")


def test_a_fit_behind_apply_is_not_disturbed_by_it():
    model = model_of("eps")
    with Messages() as said:
        fitted(applied(model, preset_for(model)), name="behind")
    assert not any("another scheduler" in text for text in said), said


def test_minutes_that_do_not_suffice_name_the_input():
    assert raises(ValueError, fitted, model_of("eps"), name="hurry", minutes=1e-5).startswith("minutes:")


def test_no_ordinary_edit_stops_the_queue_or_costs_a_call():
    model = model_of("eps")
    fitting = part("nodes.fit.work")
    fitted(model, name="edits", steps="5, 6")
    model.model.diffusion_model.calls = 0

    def again(cfg: float = 3.0, shape: tuple[int, ...] = (1, 4, 8, 8), on: Any = model, **changed: Any) -> str:
        inputs = fit_inputs(**({"name": "edits", "steps": "5, 6", "refit": False} | changed))
        request = fitting.FitRequest(guider=guider_of(on, cfg=cfg), latent=latent(*shape), **inputs)
        result = fitting.fit(request)
        assert len(result.sigmas) - 1 == int(inputs["steps"].split(",")[0])
        return result.report

    patched = model.clone()
    patched.add_patches({"diffusion_model.weight": (torch.full((4, 4), 0.1),)}, 0.7)
    same = again()
    for harmless in (again(cfg=3.05), again(cfg=2.8), again(noises=8), again(effort="balanced"), again(minutes=3.0)):
        assert harmless == same
    for said, words in (
        (again(cfg=7.0), "Fitted at guidance 3, this run uses 7."),
        (again(shape=(1, 4, 12, 8)), "this run has"),
        (again(steps="9, 12"), "It holds 5, 6 steps, not 9 and 12."),
        (again(on=patched), "patch"),
    ):
        assert words in said, said
        assert "no model call was made" in said
    assert model.model.diffusion_model.calls == 0


def test_without_a_name_the_preset_is_that_of_the_model_and_sampler():
    model = model_of("flow")
    given: dict[str, Any] = {"name": " ", "checkpoint": "mine v2.safetensors"}
    assert "Saved as mine v2, dpmpp_2m." in fitted(model, **given).report
    assert "no model call" in fitted(model, **(given | {"refit": False})).report
    assert "Saved as model, euler, denoise 0.5." in fitted(model, name="", sampler_name="euler", denoise=0.5).report


def test_names_that_would_leave_the_folder_write_nothing():
    for name in ("../out", "/etc/out", "a\\b", "CON", "x.", "C:/x", "in_Process2/../../x"):
        said = raises(ValueError, fitted, model_of("eps"), name=name)
        assert said.startswith("name:"), said
    assert not list(USER.glob("*.safetensors"))
