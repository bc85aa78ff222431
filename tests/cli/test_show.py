"""`show` prints what a preset holds: its facts, its errors, sigmas to paste, and a share code."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sigmasmith.cli.main import main
from sigmasmith.schedules.core.words import plain_list
from sigmasmith.schedules.curves.powers import karras_sigmas
from sigmasmith.schedules.hosts.schedules import host_schedules
from sigmasmith.schedules.presets.file import save_preset
from sigmasmith.schedules.presets.identity import ModelIdentity
from sigmasmith.schedules.presets.preset import Preset
from sigmasmith.schedules.presets.share_code import from_share_code, to_share_code


@pytest.fixture
def preset(folder) -> Preset:
    made = Preset(
        schedules={5: karras_sigmas(5, 0.03, 14.6), 8: karras_sigmas(8, 0.03, 14.6, rho=5.0)},
        sampler="dpmpp_2m",
        model=ModelIdentity(
            family="SDXL", prediction="eps", sigma_min=0.03, sigma_max=14.6, flow=False, checkpoint="a.safetensors"
        ),
        guidance=4.5,
        origin={5: "karras", 8: "fitted"},
        errors={5: {"fitted": 0.2, "karras": 0.1}, 8: {"fitted": 0.05, "karras": 0.075}},
        author="A. Person",
    )
    save_preset(folder / "mine.safetensors", made)
    return made


def shown(capsys, *arguments: str) -> str:
    assert main(["show", *arguments]) == 0
    return capsys.readouterr().out


def test_a_preset_file_is_shown_with_facts_errors_and_share_code(preset, capsys):
    out = shown(capsys, "mine.safetensors")
    for fact in ("SDXL, a.safetensors, eps prediction", "dpmpp_2m", "4.5", "A. Person", "5, 8"):
        assert fact in out
    assert "5 steps, the host's karras, which was better than the fit:" in out
    assert "8 steps, fitted:" in out
    assert from_share_code(out.splitlines()[-1]).hash == preset.hash


def test_a_share_code_is_shown_like_a_file(preset, capsys):
    out = shown(capsys, to_share_code(preset, 8))
    assert "SDXL" in out
    assert plain_list(preset.schedules[8].tolist()) in out


def test_another_step_count_is_interpolated_and_says_so(preset, capsys):
    out = shown(capsys, "mine.safetensors", "--steps", "7")
    assert "7 steps, interpolated:" in out
    assert plain_list(preset.sigmas(7).tolist()) in out


def test_next_to_a_count_that_the_host_won_the_host_s_schedule_is_shown(capsys, preset):
    out = shown(capsys, "mine.safetensors", "--steps", "6")
    assert "6 steps, the host's karras, for no fit was better at 5 steps:" in out
    assert plain_list(host_schedules(preset.model.sigma_range)["karras"](6).tolist()) in out


def test_denoise_cuts_the_schedule(preset, capsys):
    assert plain_list(preset.sigmas(4, 0.5).tolist()) in shown(
        capsys, "mine.safetensors", "--steps", "4", "--denoise", "0.5"
    )
    start = shown(capsys, "mine.safetensors", "--steps", "4", "--denoise", "0.5", "--mode", "noise_level")
    assert plain_list(preset.sigmas(4, 0.5, "noise_level").tolist()) in start


def test_the_plain_numbers_are_the_float32_sigmas_again_and_have_no_exponent():
    sigmas = karras_sigmas(200, 1e-4, 14.6)
    text = plain_list(sigmas.tolist())
    assert "e" not in text
    assert torch.equal(torch.from_numpy(np.array(text.split(","), dtype=np.float32)), sigmas)


def test_thousands_of_steps_are_shown_without_a_share_code(preset, folder, capsys):
    many = replace(preset, schedules={10_000: karras_sigmas(10_000, 0.03, 14.6)}, origin={}, errors={})
    save_preset(folder / "many.safetensors", many)
    out = shown(capsys, "many.safetensors")
    assert out.splitlines()[-1].startswith("No share code: the code would have")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["nothing.safetensors"], "nothing.safetensors: does not exist"),
        (["karras"], "PRESET"),
        (["own_model.py"], "own_model.py"),
        (["sigmasmith1:abc"], "share code"),
        (["mine.safetensors", "--steps", "0"], "steps must be"),
        (["mine.safetensors", "--denoise", "1.5"], "denoise must be"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_else(preset, capsys, arguments, named):
    assert main(["show", *arguments]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert named in printed.err
    assert len(printed.err.splitlines()) == 1
