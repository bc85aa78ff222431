"""`plot` writes an SVG whole or not at all."""

from dataclasses import replace
from xml.etree import ElementTree

import pytest
from sigmasmith.cli.main import main
from sigmasmith.schedules.curves.powers import karras_sigmas
from sigmasmith.schedules.presets.file import save_preset
from sigmasmith.schedules.presets.identity import ModelIdentity
from sigmasmith.schedules.presets.preset import Preset


@pytest.fixture
def preset(folder) -> Preset:
    made = Preset(
        schedules={5: karras_sigmas(5, 0.002, 80.0), 8: karras_sigmas(8, 0.002, 80.0)},
        sampler="euler",
        model=ModelIdentity(sigma_min=0.002, sigma_max=80.0, flow=False),
    )
    save_preset(folder / "mine.safetensors", made)
    return made


def description(svg: str) -> str:
    return ElementTree.fromstring(svg).findtext("{http://www.w3.org/2000/svg}desc") or ""


def test_a_preset_alone_is_drawn_with_every_step_count(preset, folder, capsys):
    assert main(["plot", "mine.safetensors", "--out", "sub/all.svg"]) == 0
    said = description((folder / "sub" / "all.svg").read_text(encoding="utf-8"))
    assert "5 steps: 5 steps from 80" in said
    assert "8 steps: 8 steps from 80" in said


def test_a_large_last_step_is_noted_of_no_list_that_runs_chose(folder, preset, capsys):
    short = replace(preset, schedules={2: karras_sigmas(2, 5.0, 80.0)})
    save_preset(folder / "short.safetensors", short)
    assert main(["plot", "short.safetensors", "--out", "-"]) == 0
    assert main(["plot", "short.safetensors", "karras", "--out", "-"]) == 0
    assert main(["plot", "family", "--steps", "3", "--out", "-"]) == 0
    assert "last step" not in capsys.readouterr().err
    save_preset(folder / "pasted.safetensors", replace(short, exact=True))
    assert main(["plot", "pasted.safetensors", "--out", "-"]) == 0
    assert "last step jumps from 5 to 0" in capsys.readouterr().err


def test_other_schedules_take_the_presets_range_and_step_count(preset, capsys):
    assert main(["plot", "mine.safetensors", "exponential", "--out", "-"]) == 0
    said = description(capsys.readouterr().out)
    assert "mine: 5 steps from 80" in said
    assert "exponential: 5 steps from 80 down to 0.002" in said


def test_without_a_preset_the_range_is_given_or_stable_diffusions(folder, capsys):
    assert main(["plot", "karras", "--out", "-"]) == 0
    assert "10 steps from 14.6 down to 0.0292" in description(capsys.readouterr().out)
    flow = ["--sigma-min", "0.003", "--sigma-max", "1", "--flow"]
    assert main(["plot", "simple", "oss_flux", *flow, "--steps", "4", "--dark", "--out", "-"]) == 0
    assert "oss_flux: 4 steps from 0.9" in description(capsys.readouterr().out)
    assert main(["plot", "beta", "--model", "digits_flow", "--out", "-"]) == 0
    assert "beta: 10 steps from 1 " in description(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["karras", "--out", "a.png"], "--out must end in .svg"),
        (["karas", "--out", "a.svg"], "did you mean karras"),
        (["karras", "--out", "a.svg", "--width", "3"], "width"),
        (["karras", "--out", "a.svg", "--steps", "0"], "steps"),
        (["karras", "--out", "a.svg", "--sigma-min", "1"], "--sigma-max"),
        (["karras", "--out", "a.svg", "--flow"], "--flow"),
        (["karras", "--out", "own_model.py/a.svg"], "--out"),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(folder, capsys, arguments, named):
    assert main(["plot", *arguments]) == 2
    error = capsys.readouterr().err
    assert named in error
    assert len(error.splitlines()) == 1
    assert not (folder / "a.svg").exists()
