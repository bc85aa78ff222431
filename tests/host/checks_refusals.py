"""What cannot be is refused by name before anything runs, and what is done is not lost to its last step.

Run by in_process.py in the host's interpreter.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import comfy.patcher_extension
import comfy.samplers
import torch
from loaded_pack import NODES, applied, fitted, guider_of, latent, model_of, part, preset_for, prompt, raises, sampled


def refused(node_id: str, **inputs: Any) -> str:
    """What a node says, run as the host runs it."""
    return raises(ValueError, NODES[node_id].PREPARE_CLASS_CLONE(None).execute, **inputs)


def test_a_preset_that_is_none_is_named_by_every_node_that_takes_one():
    model = model_of("eps")
    assert refused("SigmasmithApply", model=model, preset=None).startswith("preset: ")
    said = refused("SigmasmithSchedule", preset=None, steps=5, denoise=1.0, mode="host (keep the steps)")
    assert said.startswith("preset: ")
    said = refused("SigmasmithSavePreset", preset=None, name="a", author="", licence="", notes="", overwrite=False)
    assert said.startswith("preset: ")
    assert refused("SigmasmithMultistep", preset=None).startswith("preset: ")


def test_a_guidance_that_is_no_number_is_named_and_not_the_model():
    for cfg in (float("nan"), float("inf")):
        said = raises(ValueError, part("nodes.host.guiders").cfg_guider, model_of("eps"), prompt(0.5), prompt(0.0), cfg)
        assert said.startswith("cfg: ")


def test_sigmas_without_a_step_are_named_by_every_sampler():
    none = torch.zeros(2)
    model = model_of("eps")
    empty = latent()["samples"]
    execute = NODES["SigmasmithAdaptiveSampler"].PREPARE_CLASS_CLONE(None).execute
    adaptive = execute(20, 0.0, "predictive (no step taken back)").args[0]
    euler = comfy.samplers.sampler_object("euler")
    settings = {
        "eta": "", "s_noise": "1", "posterior": 0.0, "clamp": "0", "s_churn": 0.0, "s_tmin": 0.0, "s_tmax": 9.0,
        "restarts": "", "noise": "the sampler's own",
    }  # fmt: skip
    variance = NODES["SigmasmithVariance"].PREPARE_CLASS_CLONE(None).execute(sampler=euler, **settings).args[0]
    for sampler in (adaptive, variance):
        said = raises(ValueError, guider_of(model).sample, torch.randn(empty.shape), empty, sampler, none)
        assert "sigmas" in said


def test_a_comparison_is_not_lost_to_its_csv():
    output = part("nodes.compare.output")
    real = output.write_csv

    def full(*_: Any) -> str:
        raise ValueError("filename_prefix: sigmasmith/compare cannot be written: No space left on device")

    output.write_csv = full
    try:
        node = NODES["SigmasmithCompare"].PREPARE_CLASS_CLONE(None)
        made = node.execute(
            model=model_of("eps"), positive=prompt(0.5), negative=prompt(0.0), cfg=3.0, latent=latent(),
            schedules="karras", samplers="euler", steps="4", seeds=2, first_seed=5, reference_steps=16,
            filename_prefix="sigmasmith/compare",
        )  # fmt: skip
    finally:
        output.write_csv = real
    report = made.args[2]
    assert "No space left on device" in report
    assert "karras" in report


def test_a_file_name_that_cannot_be_written_is_refused_before_a_comparison_runs():
    model = model_of("eps")
    for prefix in ("x" * 300, "../../outside", "a\0b"):
        inputs = {"schedules": "karras", "samplers": "euler", "steps": "4", "seeds": 2, "first_seed": 5}
        said = refused(
            "SigmasmithCompare", model=model, positive=prompt(0.5), negative=prompt(0.0), cfg=3.0, latent=latent(),
            reference_steps=16, filename_prefix=prefix, **inputs,
        )  # fmt: skip
        assert said.startswith("filename_prefix: "), said
    assert model.model.diffusion_model.calls == 0


class Request:
    """A request whose body comes in parts, and never ends where `ends` is False."""

    def __init__(self, size: int, ends: bool) -> None:
        self.size, self.ends, self.content = size, ends, self

    async def iter_chunked(self, most: int) -> AsyncIterator[bytes]:
        for _ in range(self.size // most):
            yield bytes(most)
        if not self.ends:
            await asyncio.Event().wait()


def test_unfinished_bodies_are_given_up_and_hold_little():
    routes = part("nodes.host.routes")
    bodies, seconds = routes._Bodies(), routes.BODY_SECONDS

    async def all_at_once() -> list[Any]:
        stalled = [bodies.read(Request(2**22, False), 2**23) for _ in range(40)]
        return await asyncio.gather(*stalled, return_exceptions=True)

    routes.BODY_SECONDS = 0.5
    try:
        ends = asyncio.run(all_at_once())
        whole = asyncio.run(bodies.read(Request(2**20, True), 2**23))
    finally:
        routes.BODY_SECONDS = seconds
    kinds = [type(end).__name__ for end in ends]
    assert kinds.count("_TooManyError") >= 40 - routes.MAX_READING // 2**22
    assert set(kinds) <= {"_TooManyError", "TimeoutError"}
    assert len(whole) == 2**20  # there is room again
    assert bodies._reading == 0


def test_a_guider_that_passes_unknown_names_on_is_fitted():
    class Passing(comfy.samplers.CFGGuider):
        """Its `copy.copy` recurses: a copy without attributes is asked for the one it passes everything on to."""

        def __getattr__(self, name: str) -> Any:
            return getattr(self.inner, name)

    guider = Passing(model_of("eps"))
    guider.inner = guider_of(guider.model_patcher)
    guider.set_conds(prompt(0.5), prompt(0.0))
    guider.set_cfg(3.0)
    runs = part("nodes.host.runs").GuiderRuns(guider, torch.zeros(3, 4, 8, 8), 3)
    assert runs.guider is not guider
    ends: list[Any] = []
    sigmas = comfy.samplers.calculate_sigmas(guider.model_patcher.get_model_object("model_sampling"), "karras", 4)
    euler = comfy.samplers.k_diffusion_sampling.sample_euler
    runs(lambda *given, **options: ends.append(euler(*given, **options)) or ends[-1], sigmas, slice(0, 2))
    assert bool(torch.isfinite(ends[0]).all())


def test_a_step_cache_is_named_without_a_path_and_by_its_own_name():
    wrappers = comfy.patcher_extension.WrappersMP
    for key, name in (
        ("easycache", "EasyCache"),
        ("lazycache", "LazyCache"),
        ("/home/me/packs/fastcache.py", "fastcache.py"),
    ):
        model = model_of("eps")
        model.add_wrapper_with_key(wrappers.DIFFUSION_MODEL, key, lambda executor, *given, **kw: executor(*given, **kw))
        said = raises(ValueError, fitted, model, name="cached")
        assert name in said
        assert "/home/me" not in said, said


def test_images_run_after_what_was_refused():
    model = model_of("eps")
    assert bool(torch.isfinite(sampled(applied(model, preset_for(model)), "dpmpp_2m", "sigmasmith_optimal")).all())
