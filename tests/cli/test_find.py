"""`find`: the preset that suits a model and a run, among many."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest
from sigmasmith.cli.main import main
from sigmasmith.nodes.auto.library import RunFacts, matching
from sigmasmith.schedules.hosting.named_curves import CURVES
from sigmasmith.schedules.hosting.preset_store import PresetStore
from sigmasmith.schedules.presets import folder as preset_folder
from sigmasmith.schedules.presets.file import save_preset, to_bytes
from sigmasmith.schedules.presets.identity import ModelIdentity
from sigmasmith.schedules.presets.matching import best_match
from sigmasmith.schedules.presets.preset import Preset

from ..processor import cost

MODEL = ModelIdentity(
    family="SDXL", prediction="eps", sigma_min=0.03, sigma_max=14.6, flow=False, checkpoint="a.safetensors", patches=""
)
FIRST = Preset(schedules={5: CURVES["karras"](5, 0.03, 14.6)}, sampler="euler", model=MODEL, guidance=5.0)


def test_the_best_is_named_with_the_reason_and_what_differs(tmp_path, capsys):
    save_preset(tmp_path / "five.safetensors", FIRST)
    save_preset(tmp_path / "sub" / "seven.safetensors", replace(FIRST, guidance=7.0))
    save_preset(tmp_path / "b.safetensors", replace(FIRST, model=replace(MODEL, checkpoint="b.safetensors")))
    given = ["find", str(tmp_path), "--checkpoint", "models/a.safetensors", "--sampler", "euler"]
    assert main([*given, "--cfg", "7.5"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("sub/seven: fitted to a checkpoint of this name, the best of 3 presets\n")
    assert "differs: Fitted at guidance 7, this run uses 7.5." in said
    assert main([*given, "--cfg", "5"]) == 0
    assert capsys.readouterr().out.startswith("five: ")
    assert main(["find", str(tmp_path), "--like", str(tmp_path / "b.safetensors")]) == 0
    assert capsys.readouterr().out.startswith("b: ")


def test_what_cannot_be_found_is_named(tmp_path, capsys):
    save_preset(tmp_path / "five.safetensors", FIRST)
    assert main(["find", str(tmp_path), "--checkpoint", "aa.safetensors"]) == 2
    assert "no preset was fitted to aa.safetensors; did you mean a.safetensors?" in capsys.readouterr().err
    assert main(["find", str(tmp_path / "nowhere"), "--checkpoint", "a"]) == 2
    assert "nowhere is no folder" in capsys.readouterr().err
    assert main(["find", str(tmp_path), "--checkpoint", "a.safetensors", "--denoise", "1.5"]) == 2
    assert "none of the 1 presets can be used" in capsys.readouterr().err


@pytest.mark.slow
def test_a_choice_among_ten_thousand_presets_costs_little_more_than_asking_for_their_dates(tmp_path, monkeypatch):
    """The one store and the one matching that ComfyUI, the WebUI panel and the command line have."""
    monkeypatch.setattr(preset_folder, "YOUNG_NS", -(10**12))
    monkeypatch.setattr("sigmasmith.schedules.presets.index.YOUNG_NS", -(10**12))
    for number in range(10_000):
        folder = tmp_path / str(number % 20)
        folder.mkdir(exist_ok=True)
        model = replace(MODEL, checkpoint=f"{number % 2_000}.safetensors")
        preset = replace(FIRST, model=model, guidance=float(1 + number % 9))
        (folder / f"{number}.safetensors").write_bytes(to_bytes(preset))
    store = PresetStore([tmp_path])
    assert len(store.presets()) == 10_000
    running = replace(MODEL, checkpoint="77.safetensors")
    facts = RunFacts(running, "", ("euler",), 5, 14.6, True, 6.0, None)

    def webui_and_command_line() -> float | None:
        match = best_match(store.presets(), running, sampler="euler", guidance=6.0, steps=5)
        return None if match is None else match.preset.guidance

    def comfyui() -> float | None:
        preset = matching(store.presets(), facts)
        return None if preset is None else preset.guidance

    paths = [str(path) for path in tmp_path.rglob("*.safetensors")]

    def dates() -> None:
        for path in paths:
            os.stat(path)

    for ask in (webui_and_command_line, comfyui):
        assert ask() == 6.0
        assert cost(ask, dates) < 4.0
