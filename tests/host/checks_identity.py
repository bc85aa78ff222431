"""What a model is told apart by: the records of an unfinished fit, and the match of a preset.

Run by in_process.py in the host's interpreter.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import comfy.hooks
import comfy.samplers
import comfy_extras.nodes_apg as apg
import comfy_extras.nodes_custom_sampler as custom
import comfy_extras.nodes_model_advanced as advanced
import torch
from loaded_pack import (
    USER,
    Messages,
    applied,
    fit_inputs,
    fitted,
    guider_of,
    latent,
    model_of,
    part,
    preset_for,
    prompt,
    raises,
    sampled,
)


class Stopped(Exception):  # noqa: N818 (a person's act, no error)
    pass


def rescaled(model: Any, multiplier: float = 0.7) -> Any:
    return advanced.RescaleCFG().patch(model, multiplier)[0]


def with_apg(model: Any, eta: float, momentum: float = 0.0) -> Any:
    return apg.APG.execute(model, eta, 5.0, momentum).result[0]


def shifted(model: Any, by: float) -> Any:
    """A change that nothing can be read of but its class."""

    class Hidden:
        __slots__ = ("by",)

        def __call__(self, args: dict[str, Any]) -> Any:
            return args["denoised"] + self.by

    hidden, patched = Hidden(), model.clone()
    hidden.by = by
    patched.set_model_sampler_post_cfg_function(hidden)
    return patched


def dual(model: Any, first: float, second: float) -> Any:
    guider = custom.Guider_DualCFG(model)
    guider.set_conds(prompt(0.5), prompt(0.2), prompt(0.0))
    guider.set_cfg(first, second)
    return guider


def told(model: Any, guidance: float | None) -> Any:
    more = {} if guidance is None else {"guidance": guidance}
    guider = comfy.samplers.CFGGuider(model)
    guider.set_conds([[prompt(0.5)[0][0], more]], prompt(0.0))
    guider.set_cfg(3.0)
    return guider


def hooked(model: Any, strength: float) -> Any:
    hook = comfy.hooks.WeightHook(strength_model=strength)
    hook.weights = {"diffusion_model.weight": (torch.full((4, 4), 0.1),)}
    group = comfy.hooks.HookGroup()
    group.add(hook)
    guider = comfy.samplers.CFGGuider(model)
    guider.set_conds([[prompt(0.5)[0][0], {"hooks": group}]], prompt(0.0))
    guider.set_cfg(3.0)
    return guider


def request(guider: Any, name: str, **changed: Any) -> Any:
    return part("nodes.fit.work").FitRequest(guider=guider, latent=latent(), **fit_inputs(name=name, **changed))


def fit(guider: Any, name: str, **changed: Any) -> Any:
    return part("nodes.fit.work").fit(request(guider, name, **changed))


def stopped(guider: Any, name: str, after: int = 80) -> None:
    """A fit that is interrupted after some model calls, each of them recorded."""
    model = guider.model_patcher.model
    plain, calls = model.apply_model, [0]

    def counted(*given: Any, **kwargs: Any) -> Any:
        calls[0] += 1
        if calls[0] > after:
            raise Stopped
        return plain(*given, **kwargs)

    model.apply_model = counted
    journal = part("schedules.fitting.journal")
    slow, journal._SLOW_CALL_SECONDS = journal._SLOW_CALL_SECONDS, 0.0
    try:
        raises(Stopped, fit, guider, name)
    finally:
        model.apply_model, journal._SLOW_CALL_SECONDS = plain, slow


def calls_of(guider: Any, name: str, **changed: Any) -> tuple[Any, int]:
    network = guider.model_patcher.model.diffusion_model
    before = network.calls
    result = fit(guider, name, **changed)
    return result, network.calls - before


def unfinished() -> list[Any]:
    return sorted((USER / "user" / "sigmasmith" / "unfinished").glob("*/*.record"))


def test_an_interrupted_fit_goes_on_where_the_model_is_the_same():
    guider = guider_of(model_of("eps"))
    clean, all_calls = calls_of(guider, "clean")
    stopped(guider, "resumed")
    assert unfinished()
    resumed, calls = calls_of(guider_of(model_of("eps")), "resumed")
    assert torch.equal(resumed.sigmas, clean.sigmas)
    assert calls < all_calls - 40
    assert not unfinished()


CHANGES = {
    "RescaleCFG removed": (lambda: guider_of(rescaled(model_of("eps"))), lambda: guider_of(model_of("eps"))),
    "RescaleCFG changed": (
        lambda: guider_of(rescaled(model_of("eps"))),
        lambda: guider_of(rescaled(model_of("eps"), 0.4)),
    ),
    "something that cannot be read": (
        lambda: guider_of(shifted(model_of("eps"), 0.1)),
        lambda: guider_of(shifted(model_of("eps"), 0.2)),
    ),
    "the numbers of a guider": (lambda: dual(model_of("eps"), 7.0, 3.0), lambda: dual(model_of("eps"), 2.0, 1.0)),
    "a guidance that is told": (lambda: told(model_of("eps"), 3.5), lambda: told(model_of("eps"), 30.0)),
    "a prompt": (lambda: guider_of(model_of("eps")), lambda: guider_of(model_of("eps"), positive=0.4)),
}


def test_an_interrupted_fit_never_goes_on_with_another_models_records():
    for what, (before, after) in CHANGES.items():
        clean, all_calls = calls_of(after(), "clean")
        whole, _ = calls_of(before(), "whole")  # before there are records: another name is the same fit
        stopped(before(), "changed")
        result, calls = calls_of(after(), "changed")
        assert calls == all_calls, what
        assert torch.equal(result.sigmas, clean.sigmas), what
        assert unfinished(), what  # the first model's, for when it comes back
        back, fewer = calls_of(before(), "changed")
        assert torch.equal(back.sigmas, whole.sigmas), what
        # Self-test and probe are asked anew, whatever is on record.
        assert fewer < all_calls - 15, (what, fewer, all_calls)
        assert not unfinished(), what


def test_a_file_of_the_same_name_with_other_weights_is_another_model():
    def loaded(folder: str, weight: float) -> Any:
        model = model_of("eps")
        model.model.diffusion_model.weight.data.fill_(weight)
        model.cached_patcher_init = (None, (f"{folder}/model.safetensors",))
        return guider_of(model)

    clean, all_calls = calls_of(loaded("b", 0.5), "clean")
    for folder in ("a", "b"):  # in another folder, and in the same one, written over
        stopped(loaded(folder, 1.0), "renamed")
        result, calls = calls_of(loaded("b", 0.5), "renamed")
        assert calls == all_calls
        assert torch.equal(result.sigmas, clean.sigmas)


def test_records_know_a_checkpoint_by_its_content_and_not_by_its_place_or_time():
    digest = part("nodes.host.identity").records_digest

    def of(path: Path, data: bytes, time: float = 1e9) -> str:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        os.utime(path, (time, time))
        model = model_of("eps")
        model.cached_patcher_init = (None, (str(path),))
        return digest(guider_of(model))

    folder, data = Path(USER) / "files", bytes(range(256)) * 40_000
    first = of(folder / "a" / "model.safetensors", data)
    assert of(folder / "b" / "model.safetensors", data, 2e9) == first
    assert of(folder / "b" / "model.safetensors", data[:-1]) != first
    assert of(folder / "b" / "model.safetensors", data[:5_000_000] + bytes(40_000) + data[5_040_000:]) != first
    assert of(folder / "b" / "another.safetensors", data) != first


def test_a_digest_follows_settings_and_not_sessions_or_runs():
    digest = part("nodes.host.identity").patches_digest
    assert digest(model_of("eps")) == ""
    assert digest(rescaled(model_of("eps"))) == digest(rescaled(model_of("eps"))) != ""
    assert digest(rescaled(model_of("eps"))) != digest(rescaled(model_of("eps"), 0.71))
    model = with_apg(model_of("eps"), 0.5, momentum=0.5)
    before = digest(model)
    assert before != digest(with_apg(model_of("eps"), 0.6, momentum=0.5))
    sampled(model, "euler", "simple")
    assert digest(model) == before  # its running average is its state


def told_without_a_call(guider, name):
    """What a fit node says whose preset exists and was fitted otherwise: the queue goes on, and no call is made."""
    result, calls = calls_of(guider, name, refit=False)
    assert calls == 0
    return result.report


def test_a_preset_is_used_and_tells_where_what_is_on_the_model_has_changed():
    bare = model_of("eps")
    fit(guider_of(bare), "bare")
    said = told_without_a_call(guider_of(rescaled(bare)), "bare")
    assert "this run has RescaleCFG" in said
    fit(guider_of(rescaled(bare)), "with_rescale")
    said = told_without_a_call(guider_of(rescaled(bare, 0.4)), "with_rescale")
    assert "Fitted with other weight patches, guidance curve or changes" in said
    with Messages() as texts:
        sampled(applied(rescaled(bare), preset_for(bare)), "dpmpp_2m", "sigmasmith_optimal")
    assert any("this run has RescaleCFG" in text for text in texts)
    _, calls = calls_of(guider_of(rescaled(bare)), "with_rescale", refit=False)
    assert calls == 0


def test_guiders_are_told_apart_by_their_kind_and_numbers_and_never_by_the_prompt():
    model = model_of("eps")
    preset = fit(dual(model, 7.0, 3.0), "dual").preset
    assert preset.guidance is None
    assert dict(preset.made.guidance) == {"guider": "Guider_DualCFG", "cfg1": 7.0, "cfg2": 3.0, "nested": 0.0}
    assert calls_of(dual(model, 7.0, 3.0), "dual", refit=False)[1] == 0
    said = told_without_a_call(dual(model, 2.0, 1.0), "dual")
    assert "Fitted under Guider_DualCFG (cfg1 7, cfg2 3, nested 0), this run uses Guider_DualCFG (cfg1 2" in said
    said = told_without_a_call(guider_of(model), "dual")
    assert "this run uses one CFG" in said
    fit(told(model, 3.5), "told")
    said = told_without_a_call(told(model, 30.0), "told")
    assert "told a guidance of 3.5, this run tells it 30" in said
    plain = fit(guider_of(model), "plain").preset
    assert replace(plain.made, more={}) == part("schedules.presets.made").HowMade()
    assert calls_of(guider_of(model, positive=0.1), "plain", refit=False)[1] == 0


def test_a_lora_of_a_hook_is_a_patch_of_the_model():
    identity = part("nodes.host.identity").identity_under
    model = model_of("eps")
    patches = [identity(guider).patches for guider in (guider_of(model), hooked(model, 1.0), hooked(model, 0.5))]
    assert patches[0] == ""
    assert len(set(patches)) == 3
    assert identity(hooked(model, 1.0)).patches == patches[1]


def test_a_fit_that_cannot_be_saved_keeps_its_records_and_gives_its_share_code():
    guider, fitting = guider_of(model_of("eps")), part("nodes.fit.work")
    clean, all_calls = calls_of(guider, "clean")
    others = set(unfinished())

    def full(*_: Any, **__: Any) -> None:
        raise part("schedules.presets.checks").PresetError("full.safetensors: cannot be written: No space left")

    save, fitting.save_preset = fitting.save_preset, full
    try:
        said = raises(ValueError, fit, guider, "full")
    finally:
        fitting.save_preset = save
    assert "No space left" in said
    assert "sigmasmith/unfinished/" in said
    assert str(USER) not in said
    code = said[said.index("sigmasmith1:") :]
    held = part("schedules.presets.share_code").from_share_code(code)
    assert torch.equal(held.schedules[5], clean.sigmas)
    again, calls = calls_of(guider, "full")
    assert torch.equal(again.sigmas, clean.sigmas)
    assert calls < all_calls / 4
    assert set(unfinished()) == others


def test_a_user_folder_that_cannot_be_written_is_said_once_and_the_fit_goes_on():
    folders = part("nodes.host.folders")
    (USER / "file").write_bytes(b"")
    real, folders.unfinished_folder = folders.unfinished_folder, lambda: USER / "file" / "unfinished"
    try:
        with Messages() as texts:
            fitted(model_of("eps"), name="unrecorded")
    finally:
        folders.unfinished_folder = real
    assert sum("cannot be recorded" in text for text in texts) == 1
