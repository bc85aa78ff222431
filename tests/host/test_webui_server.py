"""Our entries in the real WebUIs, over their HTTP API and their page's description."""

from __future__ import annotations

import base64
import io
import json
import threading
import time
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from sigmasmith.schedules.family.schedule import family_schedule
from sigmasmith.schedules.fitting.record_folder import RECORD
from sigmasmith.schedules.hosting.named_curves import CURVES
from sigmasmith.schedules.presets.file import load_preset, save_preset
from sigmasmith.schedules.presets.identity import ModelIdentity
from sigmasmith.schedules.presets.preset import Preset
from sigmasmith.schedules.presets.share_code import to_share_code

from .webui_server import WebuiServer

pytestmark = [pytest.mark.host, pytest.mark.slow]

OURS = ["Sigmasmith Optimal", "Sigmasmith Cosine", "Sigmasmith Adaptive"]
# The ends of SD 1.5's table; A1111 rounds its lower end otherwise, so there the curves differ and presets do not.
LOW, HIGH = 0.029167158529162407, 14.614641189575195
SAMPLERS = ["Sigmasmith Predictive", "Sigmasmith Variance", "Sigmasmith DDIM-eta", "Sigmasmith Multistep"]
MATCH, HOST, LEVEL = "Match the checkpoint", "Host's slicing", "Noise level"
# Behind these stand the options of our samplers, then the inputs of a comparison, further prompts, and the rest.
OPTIONS, COMPARING = [0, 0.0, "Euler a", "1", 1.0], [[], ["Karras"], "4", 2]
FIT = [MATCH, "", HOST, True, "5", 4, "fast", 0, "fitted", True]


@pytest.fixture(scope="module")
def server(webui: WebuiServer) -> WebuiServer:
    return webui


def preset(name: str, *counts: int, **fields: Any) -> Preset:
    model = ModelIdentity(family="SD15", prediction="eps", sigma_min=LOW, sigma_max=HIGH, flow=False)
    schedules = {count: CURVES["laplace"](count, LOW, HIGH, flow=False) for count in counts}
    return Preset(schedules=schedules, sampler="", model=model, name=name, **fields)


def put(server: WebuiServer, found: Preset) -> Preset:
    save_preset(server.presets / f"{found.name}.safetensors", found, overwrite=True)
    return found


def difference(left: str, right: str) -> int:
    """The largest difference between two images as the API sends them, of 255."""
    pixels = [np.asarray(Image.open(io.BytesIO(base64.b64decode(image)))).astype(int) for image in (left, right)]
    return int(abs(pixels[0] - pixels[1]).max())


def values(sigmas: torch.Tensor) -> list[float]:
    return [float(sigma) for sigma in sigmas]


def test_the_extension_loads_without_an_error(server):
    log = server.log()
    assert "Error loading script" not in log.split("sigmasmith_webui.py")[0][-200:]
    for marker in ("Error calling: ", "Error running after_component", "Error creating UI"):
        assert not [line for line in log.splitlines() if marker in line and "sigmasmith" in line]


def test_the_api_lists_every_entry_once_under_name_and_label(server):
    found = server.get("/sdapi/v1/schedulers")
    for label in OURS:
        named = [entry for entry in found if entry["label"] == label]
        assert [entry["name"] for entry in named] == [label.lower().replace(" ", "_")]
    assert found[0]["name"] == "automatic"
    assert "Sigmasmith Fit" not in [entry["name"] for entry in server.get("/sdapi/v1/samplers")]


def test_the_page_offers_them_in_txt2img_img2img_and_hires(server):
    components = {part["props"].get("elem_id"): part["props"] for part in server.get("/config")["components"]}
    for elem_id in ("txt2img_scheduler", "img2img_scheduler", "hr_scheduler"):
        choices = [choice if isinstance(choice, str) else choice[0] for choice in components[elem_id]["choices"]]
        assert [choice for choice in choices if choice.startswith("Sigmasmith")] == OURS, elem_id
    for tab in ("txt2img", "img2img"):
        assert f"script_{tab}_sigmasmith_panel" in components


def test_without_a_preset_optimal_runs_the_family_and_says_so(server):
    server.probed()
    low = server.host.kind.sigma_min
    for scheduler in ("Sigmasmith Optimal", "sigmasmith_adaptive"):
        reply = server.txt2img(sampler_name="Probe", scheduler=scheduler, steps=7)
        assert server.probed() == [values(family_schedule(7, sigma_min=low, sigma_max=HIGH, flow=False).sigmas)]
        assert "Sigmasmith preset: family" in reply.infotext
    assert "7 steps of the family's list" in server.log()
    assert "No preset matches this checkpoint" in server.log()


def test_cosine_runs_the_cosine_curve(server):
    server.probed()
    reply = server.txt2img(sampler_name="Probe", scheduler="Sigmasmith Cosine", steps=6)
    assert server.probed() == [values(CURVES["cosine"](6, server.host.kind.sigma_min, HIGH, flow=False))]
    assert "Schedule type: Sigmasmith Cosine" in reply.infotext


def test_a_chosen_preset_runs_bit_for_bit_and_is_written_with_its_sigmas(server):
    mine = put(server, preset("mine", 5, 10))
    server.probed()
    reply = server.txt2img(["mine"], sampler_name="Probe", scheduler="Sigmasmith Optimal", steps=10)
    assert server.probed() == [values(mine.schedules[10])]
    assert f"Sigmasmith preset: mine ({mine.short_hash})" in reply.infotext
    assert "Sigmasmith sigmas: " in reply.infotext
    server.txt2img(["mine"], sampler_name="Probe dropping", scheduler="Sigmasmith Optimal", steps=10)
    assert server.probed() == [values(mine.schedules[10])]
    server.txt2img(["mine"], sampler_name="Probe", scheduler="Sigmasmith Optimal", steps=7)
    assert server.probed() == [values(mine.sigmas(7))]


def test_one_share_code_gives_the_same_sigmas_on_every_host(server):
    mine = preset("shared", 5, 10)
    panel = ["Share code below", to_share_code(mine)]
    server.probed()
    for steps in (5, 10, 7):
        server.txt2img(panel, sampler_name="Probe", scheduler="Sigmasmith Optimal", steps=steps)
    assert server.probed() == [values(mine.schedules[5]), values(mine.schedules[10]), values(mine.sigmas(7))]


def test_in_img2img_the_hosts_slicing_stays_and_noise_level_mode_is_pythons(server):
    mine = put(server, preset("mine", 5, 10))
    image = server.txt2img(steps=2).images[0]
    server.probed()
    asked = {"sampler_name": "Probe", "scheduler": "Sigmasmith Optimal", "steps": 10, "denoising_strength": 0.5}
    server.img2img(image, ["mine"], **asked)
    assert server.probed() == [values(mine.schedules[10][-7:])]
    reply = server.img2img(image, ["mine", "", LEVEL], **asked)
    assert server.probed() == [values(mine.sigmas(6, 0.5, mode="noise_level"))]
    assert "Sigmasmith denoise: noise level" in reply.infotext
    asked["sampler_name"] = "Probe dropping"
    server.img2img(image, ["mine", "", LEVEL], **asked)
    assert server.probed() == [values(mine.sigmas(6, 0.5, mode="noise_level"))]


def test_the_hires_pass_runs_as_many_steps_as_asked_for(server):
    mine = put(server, preset("mine", 5, 10))
    server.probed()
    asked = {
        "sampler_name": "Probe",
        "scheduler": "Sigmasmith Optimal",
        "enable_hr": True,
        "hr_scale": 1.5,
        "hr_upscaler": server.host.kind.upscaler,
        "denoising_strength": 0.5,
        "hr_second_pass_steps": 4,
    }
    reply = server.txt2img(["mine"], **asked)
    assert server.probed() == [values(mine.sigmas(5)), values(mine.sigmas(8)[-5:])]
    assert "Sigmasmith hires sigmas: " in reply.infotext
    server.txt2img(["mine", "", LEVEL], **asked)
    assert server.probed() == [values(mine.sigmas(5)), values(mine.sigmas(4, 0.5, mode="noise_level"))]


def test_a_preset_of_the_checkpoint_is_matched_by_its_hash(server):
    digest = server.get("/sdapi/v1/sd-models")[0]["sha256"]
    assert len(digest) == 64
    plain = preset("of the checkpoint", 5)
    model = ModelIdentity(
        family="SD15", prediction="eps", sigma_min=LOW, sigma_max=HIGH, flow=False, checkpoint_hash=digest
    )
    mine = put(server, Preset(schedules=plain.schedules, sampler="", model=model, name="of the checkpoint"))
    reply = server.txt2img(sampler_name="Probe", scheduler="Sigmasmith Optimal")
    assert f"Sigmasmith preset: of the checkpoint ({mine.short_hash})" in reply.infotext
    (server.presets / "of the checkpoint.safetensors").unlink()


def test_a_pasted_infotext_restores_the_preset_or_its_very_sigmas(server):
    mine = put(server, preset("goes away", 5))
    asked = {"sampler_name": "Probe", "scheduler": "Sigmasmith Optimal"}
    first = server.txt2img(["goes away"], **asked)
    # Forge's API cannot read its own styles field from an infotext, so it is given one.
    pasted = {"infotext": first.infotext, "styles": []}
    server.probed()
    again = server.post("/sdapi/v1/txt2img", pasted)
    assert server.probed() == [values(mine.schedules[5])]
    assert again.infotext == first.infotext
    assert again.images == first.images
    (server.presets / "goes away.safetensors").unlink()
    gone = server.post("/sdapi/v1/txt2img", pasted)
    assert server.probed() == [values(mine.schedules[5])]
    assert gone.images == first.images


@pytest.mark.parametrize("label", SAMPLERS)
def test_our_samplers_run_and_an_image_is_the_same_alone_and_in_a_batch(server, label):
    put(server, preset("mine", 5, 10))
    panel = ["mine", "", HOST, False, "5", 4, "fast", 0, "", False, 6, 0, "Euler a", "cosine 1 to 0", 1.05]
    asked = {"sampler_name": label, "scheduler": "Sigmasmith Optimal"}
    batch = server.txt2img(panel, batch_size=2, seed=1, **asked)
    alone = server.txt2img(panel, seed=2, **asked)
    assert len(batch.images) == 2
    assert difference(batch.images[1], alone.images[0]) <= 2  # of 255: a batch is summed in another order
    assert difference(batch.images[0], alone.images[0]) > 2
    assert f"Sampler: {label}, Schedule type: Sigmasmith Optimal" in alone.infotext
    if label in ("Sigmasmith Variance", "Sigmasmith DDIM-eta"):
        assert "Sigmasmith eta: cosine 1 to 0, Sigmasmith s noise: 1.05" in alone.infotext
        changed = server.txt2img([*panel[:13], "0", 1.0], seed=2, **asked)
        assert difference(changed.images[0], alone.images[0]) > 2
    pasted = server.post("/sdapi/v1/txt2img", {"infotext": alone.infotext, "styles": []})
    assert pasted.infotext == alone.infotext
    assert pasted.images == alone.images


def test_our_samplers_are_listed_once_and_no_host_takes_their_names_apart(server):
    names = [entry["name"] for entry in server.get("/sdapi/v1/samplers")]
    for label in SAMPLERS:
        assert names.count(label) == 1
        # The old way of writing both into one name: it must not be read out of ours.
        reply = server.post(
            "/sdapi/v1/txt2img", {"infotext": f"a\nSteps: 2, Sampler: {label}, Size: 64x64", "styles": []}
        )
        assert f"Sampler: {label}" in reply.infotext


def test_a_sampler_that_knows_no_schedulers_is_named(server):
    put(server, preset("mine", 5, 10))
    reply = server.txt2img(["mine"], sampler_name="DDIM", scheduler="Sigmasmith Optimal")
    assert "Sigmasmith sigmas" not in reply.infotext
    assert "DDIM did not ask for Sigmasmith Optimal" in server.log()


def test_a_sampler_with_its_own_levels_does_not_claim_the_schedule(server):
    own = server.host.kind.own_levels
    if not own:
        pytest.skip(f"{server.host.name} has no such sampler")
    put(server, preset("mine", 5, 10))
    reply = server.txt2img(["mine"], sampler_name=own, scheduler="Sigmasmith Optimal")
    assert "Sigmasmith sigmas" not in reply.infotext
    assert f"{own} was given Sigmasmith Optimal but ran at other noise levels" in server.log()


def test_a_wrong_input_stops_the_generation_and_is_named(server):
    for panel, named in (
        (["no such preset"], "no such preset"),
        (["Share code below", "sigmasmith1:__import__('os')"], "Share code"),
        ([MATCH, "", HOST, True, "ten"], "steps"),
        ([MATCH, "", HOST, True, "5", 2], "Noises"),
    ):
        reply = server.txt2img(panel, sampler_name="Euler", scheduler="Sigmasmith Optimal")
        assert reply.status == 500
        assert named in str(reply.body) + server.log()[-3000:]
    assert server.txt2img(sampler_name="Euler", scheduler="Karras").status == 200


def test_a_fit_saves_a_preset_and_shows_the_images_that_it_makes(server):
    asked = {"sampler_name": "DPM++ 2M", "scheduler": "Karras", "enable_hr": True, "denoising_strength": 0.5}
    fitted = server.txt2img(FIT, **asked)
    found = load_preset(server.presets / "fitted.safetensors")
    assert found.sampler == "dpmpp_2m"
    assert found.guidance == 5.0
    assert found.latent_shape == (4, 8, 8)
    assert found.model.family == "SD15"
    assert found.model.checkpoint_hash == server.get("/sdapi/v1/sd-models")[0]["sha256"]
    assert (found.model.sigma_min, found.model.sigma_max) == (server.host.kind.sigma_min, HIGH)
    errors = found.errors[5]
    assert errors["fitted"] < min(error for name, error in errors.items() if name != "fitted")
    assert "The fit takes about" in server.log()
    assert "Saved as fitted" in server.log()
    again = server.txt2img(
        ["fitted"], sampler_name="DPM++ 2M", scheduler="Sigmasmith Optimal", seed=0, batch_size=4, enable_hr=False
    )
    assert len(fitted.images) == len(again.images)
    assert again.images == fitted.images
    assert again.infotext == fitted.infotext


def test_a_fit_for_changed_images_is_used_by_the_same_strength_in_img2img(server):
    image = server.txt2img(steps=2).images[0]
    # On 12 noises: of 4 the 2 rows that judge the result cannot tell two close schedules apart.
    panel = [*FIT[:4], "6", 12, *FIT[6:8], "for changes", True]
    asked = {"sampler_name": "Euler", "denoising_strength": 0.5, "steps": 6}
    fitted = server.img2img(image, panel, **asked)
    mine = load_preset(server.presets / "for changes.safetensors")
    assert mine.denoise == 0.5
    assert mine.counts_in_words == "4 steps at denoise 0.5"  # int(0.5 * 6) + 1 of the host's 6
    assert mine.errors[8]["fitted"] <= min(mine.errors[8].values())
    server.probed()
    using = {**asked, "scheduler": "Sigmasmith Optimal"}
    server.img2img(image, ["for changes"], **{**using, "sampler_name": "Probe"})
    assert server.probed() == [values(mine.schedules[8][-5:])]
    again = server.img2img(image, ["for changes"], seed=0, batch_size=12, **using)
    assert again.infotext == fitted.infotext
    # The fit takes the noise back out of the host's start state to put it on at another level: float32 rounding.
    assert max(difference(*pair) for pair in zip(again.images, fitted.images, strict=True)) <= 2


def test_the_coefficients_are_fitted_and_used_under_schedule_automatic(server):
    panel = [*FIT[:8], "coefficients", True]
    label = "Sigmasmith Multistep"
    fitted = server.txt2img(panel, sampler_name=label, scheduler="Automatic")
    mine = load_preset(server.presets / "coefficients.safetensors")
    assert mine.sampler == "sigmasmith_multistep"
    assert set(mine.coefficients) == {5}
    again = server.txt2img(["coefficients"], sampler_name=label, scheduler="Automatic", seed=0, batch_size=4)
    assert "Sigmasmith preset: coefficients (" in again.infotext
    assert again.images == fitted.images
    plain = server.txt2img(["coefficients"], sampler_name="DPM++ 2M", scheduler="Sigmasmith Optimal", seed=0)
    assert difference(plain.images[0], again.images[0]) > 2


def comparison(schedules: list[str], steps: str, seeds: int) -> list[Any]:
    """The panel's arguments of a comparison: those of a fit and the options of our samplers stand before them."""
    return [MATCH, "", HOST, "comparison", *FIT[4:], *OPTIONS, [], schedules, steps, seeds]


def test_a_comparison_says_what_is_better_and_its_pictures_are_those_of_a_plain_run(server):
    schedules = ["Sigmasmith Cosine", "Karras"]
    reply = server.txt2img(comparison(schedules, "4", 3), sampler_name="Euler", scheduler="Karras", steps=9)
    log = server.log()
    assert "The comparison takes about" in log
    assert "Up to 4 model calls:" in log
    shown = dict(zip((text.split("Sigmasmith compared: ")[1] for text in reply.info["infotexts"]), reply.images))
    names = {f"Euler with {schedule} at 4 steps": schedule for schedule in schedules}
    assert len(shown) == 3  # the reference, and two runs of the same seed
    for named, schedule in names.items():
        picture = next(image for text, image in shown.items() if named in text)
        plain = server.txt2img(sampler_name="Euler", scheduler=schedule, steps=4, seed=1000)
        assert difference(plain.images[0], picture) <= 2
    reference = next(image for text, image in shown.items() if "reference" in text)
    fine = server.txt2img(sampler_name="DPM++ 2M", scheduler="Karras", steps=60, seed=1000)
    assert difference(fine.images[0], reference) <= 4
    assert "Sigmasmith compared" not in server.txt2img(sampler_name="Euler", scheduler="Karras").infotext


def test_a_comparison_of_something_that_is_not_there_names_it(server):
    reply = server.txt2img(comparison(["Nowhere"], "4", 2), sampler_name="Euler")
    assert reply.status == 500
    assert "Nowhere" in str(reply.body) + server.log()[-3000:]


def test_guidance_holds_in_its_interval_and_is_one_outside(server):
    asked = {"sampler_name": "Euler", "scheduler": "Karras"}
    panel = [MATCH, "", HOST, "", *FIT[4:], *OPTIONS, *COMPARING, "", False]
    guided = {
        line: server.txt2img([*panel, line], **asked)
        for line in ("", "interval 0 to 1", "list 0 to 1: 1, 1", "interval 0.2 to 0.9")
    }
    one = server.txt2img(**{**asked, "cfg_scale": 1})
    assert difference(guided["interval 0 to 1"].images[0], guided[""].images[0]) == 0
    assert difference(guided["list 0 to 1: 1, 1"].images[0], one.images[0]) <= 2
    assert difference(guided["interval 0.2 to 0.9"].images[0], guided[""].images[0]) > 2
    assert difference(guided["interval 0.2 to 0.9"].images[0], one.images[0]) > 2
    text = guided["interval 0.2 to 0.9"].infotext
    assert "Sigmasmith guidance: interval 0.2 to 0.9" in text
    pasted = server.post("/sdapi/v1/txt2img", {"infotext": text, "styles": []})
    assert pasted.images == guided["interval 0.2 to 0.9"].images
    assert "Sigmasmith guidance" not in guided[""].infotext
    assert server.txt2img([*panel, "interval 0.9"], **asked).status == 500
    assert "Guidance: 'interval 0.9' cannot be read" in server.log()


def test_a_search_over_seeds_gives_the_ordinary_image_of_the_best_one(server):
    asked = {"sampler_name": "Euler", "scheduler": "Karras", "steps": 6, "seed": 40}
    panel = [MATCH, "", HOST, "seeds", *FIT[4:], *OPTIONS, *COMPARING, "", False, "", "red", "more", 3, 3]
    found = server.txt2img(panel, **asked)
    assert len(found.images) == 1
    best = found.info["all_seeds"][0]
    assert 40 <= best < 44  # 4 drafts of 3 steps beside a full run of 6
    assert f"Seed {best} won" in server.log()
    assert "Schedule type: Karras" in found.infotext
    plain = server.txt2img(**{**asked, "batch_size": 4})
    assert difference(plain.images[best - 40], found.images[0]) <= 2
    automatic = server.txt2img(panel, **{**asked, "scheduler": "Automatic"})
    seed = automatic.info["all_seeds"][0]
    plain = server.txt2img(**{**asked, "scheduler": "Automatic", "batch_size": 4})
    assert difference(plain.images[seed - 40], automatic.images[0]) <= 2
    assert automatic.infotext == plain.info["infotexts"][seed - 40]
    refused = server.txt2img(panel, **{**asked, "sampler_name": "Euler a"})
    assert refused.status == 500
    assert "draws noise; choose one without" in str(refused.body) + server.log()[-3000:]


def test_a_pilot_run_is_frozen_for_the_adaptive_schedule(server):
    panel = [MATCH, "", HOST, True, "6", 4, "pilot", 0, "frozen", True]
    frozen = server.txt2img(panel, sampler_name="DPM++ 2M")
    mine = load_preset(server.presets / "frozen.safetensors")
    assert (mine.made.method, mine.sampler, mine.guidance) == ("pilot", "dpmpp_2m", 5.0)
    assert set(mine.schedules) >= {4, 6, 10, 50}
    assert mine.errors[6][mine.origin[6]] == min(mine.errors[6].values())
    server.probed()
    server.txt2img(sampler_name="Probe", scheduler="Sigmasmith Adaptive", steps=6)
    assert server.probed() == [values(mine.schedules[6])]
    again = server.txt2img(
        ["frozen"], sampler_name="DPM++ 2M", scheduler="Sigmasmith Adaptive", seed=0, steps=6, batch_size=4
    )
    assert max(difference(*pair) for pair in zip(again.images, frozen.images, strict=True)) <= 2
    (server.presets / "frozen.safetensors").unlink()


def test_a_fit_of_several_prompts_chooses_the_sampler_and_says_so(server):
    panel = [MATCH, "", HOST, True, "4", 4, "fast", 0, "several", True, *OPTIONS, *COMPARING, "a dog\na house", True]
    fitted = server.txt2img(panel, sampler_name="Euler")
    mine = load_preset(server.presets / "several.safetensors")
    assert "Fitted on 3 prompts." in mine.notes
    assert "a dog" in fitted.info["infotexts"][1]
    assert mine.sampler in ("euler", "dpmpp_2m", "res_multistep", "ipndm", "deis")
    assert "Fitting Euler, DPM++ 2M" in server.log()
    used = fitted.info["sampler_name"]
    assert f"Sampler: {used}, Schedule type: Sigmasmith Optimal" in fitted.infotext
    again = server.txt2img(["several"], sampler_name=used, scheduler="Sigmasmith Optimal", seed=0, steps=4)
    assert difference(again.images[0], fitted.images[0]) <= 2  # of 255: a batch is summed in another order


@pytest.mark.parametrize("label", ["Sigmasmith Predictive", "Sigmasmith Variance", "Sigmasmith DDIM-eta"])
def test_a_sampler_that_cannot_be_fitted_for_says_which_one_can(server, label):
    reply = server.txt2img(FIT, sampler_name=label)
    assert reply.status == 500
    assert "DPM++ 2M" in str(reply.body) + server.log()[-3000:]


def grid(server: WebuiServer, axis: str, cells: str, **body: Any) -> list[str]:
    """Infotexts of the cells of a grid over one axis."""
    script = next(one for one in server.get("/sdapi/v1/script-info") if one["name"] == "x/y/z plot")
    axes = script["args"][0]["choices"]
    # Of two with one label the first is the text box, the second the dropdown. Some hosts have further arguments.
    wanted: dict[str, list[Any]] = {
        "X type": [axes.index(axis)],
        "X values": [cells, cells.split(", ")],
        "Y type": [axes.index("Nothing")],
        "Z type": [axes.index("Nothing")],
        "Draw legend": [False],
        "Include Sub Images": [True],
    }
    args = [wanted.get(one["label"], []).pop(0) if wanted.get(one["label"]) else one["value"] for one in script["args"]]
    assert not any(wanted.values()), wanted
    reply = server.txt2img(script_name="x/y/z plot", script_args=args, **body)
    return reply.info["infotexts"][1:]


def test_in_a_grid_each_cell_claims_its_own_schedule_alone(server):
    put(server, preset("mine", 5))
    cells = ["Sigmasmith Cosine", "Karras", "Sigmasmith Optimal", "Simple"]
    texts = grid(server, "Schedule type", ", ".join(cells), sampler_name="Euler")
    assert [("Sigmasmith preset" in text, "Sigmasmith sigmas" in text) for text in texts] == [
        (True, True),
        (False, False),
        (True, True),
        (False, False),
    ]


def test_a_grid_goes_over_presets_and_their_step_counts(server):
    mine, other = put(server, preset("mine", 5, 10)), put(server, preset("other", 7))
    asked = {"sampler_name": "Probe", "scheduler": "Sigmasmith Optimal"}
    server.probed()
    texts = grid(server, "Sigmasmith preset", "mine, other", **{**asked, "steps": 7})
    assert server.probed() == [values(mine.sigmas(7)), values(other.schedules[7])]
    assert [f"Sigmasmith preset: {name} (" in text for name, text in zip(("mine", "other"), texts)] == [True, True]
    grid(server, "Sigmasmith steps as fitted", "5, 10", **asked)
    assert [len(sigmas) - 1 for sigmas in server.probed()] == [5, 10]


def test_an_interrupted_fit_saves_nothing_and_goes_on_where_it_stopped(server):
    panel = [*FIT[:8], "interrupted", True]
    replies: list[Any] = []
    thread = threading.Thread(target=lambda: replies.append(server.txt2img(panel, sampler_name="Euler")))
    thread.start()
    end = time.monotonic() + 120.0
    while time.monotonic() < end and server.get("/sdapi/v1/progress")["state"]["sampling_step"] < 30:
        time.sleep(0.2)
    assert 0.0 < server.get("/sdapi/v1/progress")["progress"] < 1.0
    server.post("/sdapi/v1/interrupt", {})
    thread.join(60.0)
    assert replies[0].status == 200
    assert not (server.presets / "interrupted.safetensors").exists()
    assert "The fit was interrupted" in server.log()
    records = list((server.base / "cache" / "sigmasmith" / "unfinished").rglob(f"*{RECORD}"))
    assert records
    assert server.txt2img(panel, sampler_name="Euler").status == 200
    assert (server.presets / "interrupted.safetensors").exists()
    assert not [path for path in records if path.exists()]


def test_a_plain_generation_is_not_touched_by_us(server):
    reply = server.txt2img(sampler_name="Euler", scheduler="Karras")
    assert "Sigmasmith" not in reply.infotext


def test_nothing_is_written_but_presets_and_records(server):
    own = {path.relative_to(server.base).parts[0] for path in server.base.rglob("*sigmasmith*")}
    assert own <= {"models", "cache", "extensions"}
    assert json.loads((server.base / "config.json").read_text()).get("sigmasmith_folder", "") == ""
