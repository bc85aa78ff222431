"""Our entries in the real WebUIs, over their HTTP API and their page's description."""

from __future__ import annotations

import re
from typing import Any

import pytest
from sigmasmith.schedules.family.schedule import family_schedule
from sigmasmith.schedules.hosting.named_curves import CURVES
from sigmasmith.schedules.presets.identity import ModelIdentity
from sigmasmith.schedules.presets.preset import Preset
from sigmasmith.schedules.presets.share_code import to_share_code

from .webui_requests import (
    COMPARING,
    FIT,
    HIGH,
    HOST,
    LEVEL,
    LOW,
    MATCH,
    OPTIONS,
    OURS,
    SAMPLERS,
    difference,
    preset,
    put,
    values,
)
from .webui_server import WebuiServer

pytestmark = [pytest.mark.host, pytest.mark.slow]


@pytest.fixture(scope="module")
def server(webui: WebuiServer) -> WebuiServer:
    return webui


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
    ran = server.probed()
    print(f"{server.host.name}, share code {mine.short_hash}, 10 steps: {' '.join(map(str, ran[1]))}")
    assert ran == [values(mine.schedules[5]), values(mine.schedules[10]), values(mine.sigmas(7))]


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


def test_a_plain_generation_is_not_touched_by_us(server):
    reply = server.txt2img(sampler_name="Euler", scheduler="Karras")
    assert "Sigmasmith" not in reply.infotext


@pytest.mark.parametrize("chosen", ["mine", "None (the family)"])
def test_images_add_one_line_to_the_log_at_most(server, chosen):
    put(server, preset("mine", 5, 10))
    before = len(server.log())
    server.txt2img([chosen], sampler_name="Euler", scheduler="Sigmasmith Optimal", n_iter=2, batch_size=2)
    assert re.findall(r"Sigmasmith[\w ]*: ", server.log()[before:]) == ["Sigmasmith Optimal: "]
