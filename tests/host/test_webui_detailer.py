"""A detailer beside ours in the real WebUIs: it starts generations of its own between the images of one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sigmasmith.schedules.presets.file import load_preset

from .webui_hosts import KINDS, find_webui
from .webui_requests import FIT, MATCH, OURS, difference, preset, put, values
from .webui_server import PROBE, Reply, WebuiServer

pytestmark = [pytest.mark.host, pytest.mark.slow]
DETAILER = Path(__file__).with_name("webui_detailer.py")
# Of 10 steps at the detailer's strength 5 run, the last ones of a list of 12 fitted for it.
STEPS, RUNS, FULL, STRENGTH = 10, 5, 12, 0.4


@pytest.fixture(scope="module", params=list(KINDS))
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebuiServer]:
    host, reason = find_webui(request.param)
    if host is None:
        pytest.skip(reason)
    base, pack = tmp_path_factory.mktemp(host.name.lower()), Path(__file__).resolve().parents[2]
    with WebuiServer(host, base, pack, probes=(PROBE, DETAILER)) as running:
        yield running


def detailed(
    server: WebuiServer, panel: list[Any], *, hooks: bool = False, face: tuple[str, str] = ("", ""), **body: Any
) -> Reply:
    """An image with the detailer on; `face` are the schedule type and the sampler of its own generations."""
    args = {"sigmasmith": {"args": panel}, "Detailer": {"args": [True, hooks, *face]}}
    asked = {"sampler_name": "Probe", "scheduler": OURS[0], "steps": STEPS, **body}
    return server.txt2img(alwayson_scripts=args, **asked)


@pytest.mark.parametrize("hooks", [False, True])
def test_the_chosen_preset_runs_in_image_and_face_and_every_infotext_holds_it_once(server, hooks):
    mine = put(server, preset("mine", STEPS))
    server.probed()
    before = len(server.log())
    reply = detailed(server, ["mine"], hooks=hooks, batch_size=2, n_iter=2)
    whole = values(mine.schedules[STEPS])
    assert server.probed() == 2 * [whole, *(2 * [whole[-RUNS - 1 :]])]
    said = re.findall(r"Sigmasmith[\w ]*: ", server.log()[before:])
    assert said == 2 * ["Sigmasmith Optimal: "]  # one of the images, one of their faces
    assert len(reply.images) == 4
    for infotext in reply.info["infotexts"]:
        assert infotext.count(f"Sigmasmith preset: mine ({mine.short_hash})") == 1
        assert infotext.count("Sigmasmith sigmas") == 1
    plain = server.txt2img(["mine"], sampler_name="Probe", scheduler=OURS[0], steps=STEPS)
    assert reply.infotext == plain.infotext
    assert difference(plain.images[0], reply.images[0]) > 2


@pytest.mark.parametrize("hooks", [False, True])
def test_the_face_takes_the_fit_for_its_own_strength(server, hooks):
    mine, changes = put(server, preset("mine", STEPS)), put(server, preset("changes", FULL, denoise=STRENGTH))
    server.probed()
    reply = detailed(server, [MATCH], hooks=hooks)
    assert server.probed() == [values(mine.schedules[STEPS]), values(changes.schedules[FULL][-RUNS - 1 :])]
    assert "Sigmasmith preset: mine (" in reply.infotext
    (server.presets / "changes.safetensors").unlink()


@pytest.mark.parametrize("hooks", [False, True])
def test_a_schedule_of_the_face_alone_is_not_claimed_by_the_image(server, hooks):
    mine = put(server, preset("mine", STEPS))
    server.probed()
    asked = {"sampler_name": "Euler", "scheduler": "Karras"}
    reply = detailed(server, ["mine"], hooks=hooks, face=(OURS[0], "Probe"), **asked)
    assert server.probed() == [values(mine.schedules[STEPS][-RUNS - 1 :])]
    assert "Sigmasmith" not in reply.infotext


def test_multistep_runs_in_image_and_face(server):
    reply = detailed(server, ["mine"], sampler_name="Sigmasmith Multistep", scheduler="Automatic")
    assert reply.infotext.count("Sigmasmith preset: mine (") == 1
    assert "Traceback" not in server.log().split("Startup time")[-1]


def test_fit_now_fits_once_and_shows_what_it_made_as_it_is(server):
    panel = [*FIT[:8], "fitted", True]
    before = len(server.log())
    fitted = detailed(server, panel, sampler_name="Euler", scheduler="Karras")
    assert server.log()[before:].count("Fitting Euler for") == 1
    digest = load_preset(server.presets / "fitted.safetensors").short_hash
    assert all(text.count(f"Sigmasmith preset: fitted ({digest})") == 1 for text in fitted.info["infotexts"])
    again = server.txt2img(["fitted"], sampler_name="Euler", scheduler=OURS[0], seed=0, steps=5, batch_size=4)
    assert again.images == fitted.images


def test_a_detailer_that_knows_no_switch_does_not_start_a_second_fit(server):
    panel = [*FIT[:8], "fitted once", True]
    before = len(server.log())
    fitted = detailed(server, panel, hooks=True, sampler_name="Euler", scheduler="Karras")
    assert server.log()[before:].count("Fitting Euler for") == 1
    assert all(text.count("Sigmasmith preset: fitted once (") == 1 for text in fitted.info["infotexts"])
    assert len(fitted.images) == 4
