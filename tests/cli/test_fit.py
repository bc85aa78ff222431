"""`fit` writes a preset from a bundled or an own model, says its mistakes in a line, and leaves nothing half done."""

import os
import re
import sys

import pytest
import torch
from sigmasmith.cli.main import main
from sigmasmith.cli.subjects import own_subject
from sigmasmith.schedules.fitting import journal
from sigmasmith.schedules.presets.file import load_preset
from sigmasmith.schedules.presets.share_code import from_share_code

OWN = ["--denoiser", "own_model:gaussian", "--shape", "2,3", "--sigma-min", "0.03", "--sigma-max", "10"]
QUICK = ["--steps", "3", "--noises", "4", "--effort", "fast", "--sampler", "euler"]


def test_fit_of_an_own_denoiser_writes_a_preset_and_prints_the_report(folder, capsys):
    assert main(["fit", *OWN, *QUICK, "--cfg", "1.5", "--seed", "7", "--out", "sub/own.safetensors"]) == 0
    preset = load_preset(folder / "sub" / "own.safetensors")
    assert list(preset.schedules) == [3]
    assert (preset.sampler, preset.guidance, preset.seeds, preset.latent_shape) == ("euler", 1.5, (7,), (2, 3))
    assert (preset.model.sigma_min, preset.model.sigma_max) == pytest.approx((0.03, 10.0))
    assert preset.name == "own"
    out = capsys.readouterr().out
    assert out.startswith("The fit keeps at most")
    assert "best of those compared" in out
    assert "Wrote sub" in out


def test_fit_without_out_prints_a_share_code_that_holds_the_schedule(folder, capsys):
    assert main(["fit", *OWN, *QUICK]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert list(from_share_code(lines[-1]).schedules) == [3]
    assert sorted(path.name for path in folder.iterdir() if path.suffix) == ["own_model.py"]


def test_fit_of_a_bundled_model_says_what_it_was_fitted_to(folder):
    arguments = ["--model", "digits_flow", "--cfg", "2", "--steps", "2", "--noises", "3", "--effort", "fast"]
    assert main(["fit", *arguments, "--out", "digits.safetensors"]) == 0
    model = load_preset(folder / "digits.safetensors").model
    assert (model.checkpoint, model.flow, model.shift) == ("digits_flow.safetensors", True, 1.0)


def test_calls_bound_a_fit_and_decide_in_the_efforts_place(folder, capsys):
    arguments = ["fit", "--model", "digits_flow", "--sampler", "sigmasmith_multistep", "--steps", "3"]
    assert main([*arguments, "--calls", "300"]) == 0
    spent = re.search(r"(\d+) model calls in all", capsys.readouterr().out)
    assert spent is not None
    assert 150 < int(spent[1]) <= 300
    assert main([*arguments, "--calls", "30"]) == 2
    assert "calls must be at least 240" in capsys.readouterr().err


def test_a_fit_for_changed_images_says_so_in_file_report_and_show(folder, capsys):
    assert main(["fit", *OWN, *QUICK, "--denoise", "0.5", "--out", "half.safetensors"]) == 0
    preset = load_preset(folder / "half.safetensors")
    assert preset.denoise == 0.5
    assert list(preset.schedules) == [6]
    assert "changed at denoise 0.5" in capsys.readouterr().out
    assert main(["show", "half.safetensors"]) == 0
    shown = capsys.readouterr().out
    assert "3 steps at denoise 0.5\n" in shown
    assert "3 steps at denoise 0.5, " in shown
    assert f"{float(preset.sigmas(3, 0.5)[0]):.4f}"[:5] in shown
    assert main(["show", "half.safetensors", "--denoise", "0.5"]) == 0
    assert "3 steps at denoise 0.5, " in capsys.readouterr().out
    assert main(["fit", *OWN, *QUICK, "--denoise", "0"]) == 2
    assert "--denoise must be above 0" in capsys.readouterr().err


def test_a_seed_repeats_the_fit_bit_for_bit(folder):
    for name in ("a", "b"):
        assert main(["fit", *OWN, *QUICK, "--seed", "3", "--out", f"{name}.safetensors"]) == 0
    first, second = (load_preset(folder / f"{name}.safetensors") for name in ("a", "b"))
    assert torch.equal(first.schedules[3], second.schedules[3])


def test_a_sampler_function_of_the_users_own_is_taken(folder):
    (folder / "own_sampler.py").write_text(
        "def sample_mine(model, x, sigmas, extra_args=None, callback=None, disable=None):\n"
        "    for s, n in zip(sigmas, sigmas[1:]):\n"
        "        x = x + (x - model(x, s * x.new_ones([len(x)]), **(extra_args or {}))) / s * (n - s)\n"
        "    return x\n",
        encoding="utf-8",
    )
    sampler = ["--sampler", "own_sampler:sample_mine"]
    assert main(["fit", *OWN, *QUICK, *sampler, "--out", "own.safetensors"]) == 0
    assert load_preset(folder / "own.safetensors").sampler == "mine"


def test_the_method_of_optimal_stepsize_gives_the_schedule_that_calibrate_finds_with_it(folder, capsys):
    assert main(["fit", *OWN, *QUICK, "--method", "oss", "--out", "oss.safetensors"]) == 0
    assert main(["fit", *OWN, *QUICK, "--out", "refined.safetensors"]) == 0
    oss, refined = (load_preset(folder / f"{name}.safetensors") for name in ("oss", "refined"))
    subject = own_subject("own_model:gaussian", shape=(2, 3), sigma_min=0.03, sigma_max=10.0, flow=False, guidance=None)
    found = subject.fit(subject.noise(4, 0), "euler", (3,), effort="fast", method="oss")
    assert torch.equal(oss.schedules[3], found.sigmas(3))
    assert not torch.equal(oss.schedules[3], refined.schedules[3])


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ([], "--model"),
        (["--model", "digits_flow", *OWN], "--model"),
        (["--model", "unheard_of"], "--model must be one of digits_eps"),
        (["--model", "digits_flow", "--shape", "2"], "--shape"),
        (["--denoiser", "own_model:gaussian", "--shape", "2", "--sigma-min", "1"], "--sigma-max"),
        (["--denoiser", "own_model", *OWN[2:]], "--denoiser must be module:attribute"),
        (["--denoiser", "nowhere:gaussian", *OWN[2:]], "no module 'nowhere'"),
        (["--denoiser", "own_model:nothing", *OWN[2:]], "no attribute 'nothing'"),
        (["--denoiser", "own_model:number", *OWN[2:]], "not callable"),
        (["--denoiser", "own_model:without_guidance", *OWN[2:], "--cfg", "3"], "--cfg"),
        (["--denoiser", "own_model:wrong_shape", *OWN[2:]], "must return the shape of x"),
        (["--denoiser", "own_model:no_tensor", *OWN[2:]], "must return a tensor"),
        (["--denoiser", "own_model:not_a_number", *OWN[2:]], "NaN or infinity at sigma 10"),
        ([*OWN[:-1], "0.01"], "sigma_min must be below sigma_max"),
        ([*OWN, "--flow"], "sigma_max"),
        ([*OWN, "--sampler", "dpm_9"], "--sampler"),
        ([*OWN, "--noises", "2"], "--noises"),
        ([*OWN, "--method", "oss", "--sampler", "sigmasmith_multistep"], "--method oss"),
        ([*OWN, "--minutes", "0"], "--minutes"),
        ([*OWN, "--minutes", "1e-9"], "--minutes"),
        ([*OWN, "--seed", "-1"], "--seed"),
        ([*OWN, "--noises", "10000000000"], "--noises"),
        ([*OWN, "--minutes", "inf"], "--minutes"),
        ([*OWN[:2], "--shape", "1000000000,1000000000,1000000000", *OWN[4:]], "--noises"),
        ([*OWN, "--device", " "], "--device"),
        ([*OWN, "--cfg", "nan"], "--cfg"),
        ([*OWN, "--device", "abacus"], "--device"),
        ([*OWN, "--out", "con.safetensors"], "Windows reserves"),
        ([*OWN, "--steps", ",".join(map(str, range(1, 67)))], "--steps"),
        ([*OWN, "--out", "a.txt"], "--out must end in .safetensors"),
        ([*OWN, "--out", "own_model.py/a.safetensors"], "--out"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_option(folder, capsys, arguments, named):
    assert main(["fit", *arguments]) == 2
    error = capsys.readouterr().err.splitlines()
    assert len(error) == 1
    assert named in error[0]
    assert error[0].startswith("python -m sigmasmith fit: error: ")


@pytest.mark.parametrize("steps", ["0", "5,x", "", "2.5"])
def test_step_counts_that_are_none_exit_with_status_2(capsys, steps):
    with pytest.raises(SystemExit) as stopped:
        main(["fit", "--model", "digits_flow", "--steps", steps])
    assert stopped.value.code == 2
    assert "--steps" in capsys.readouterr().err


def test_an_existing_file_is_kept_unless_forced(folder, capsys):
    target = folder / "kept.safetensors"
    target.write_bytes(b"mine")
    assert main(["fit", *OWN, *QUICK, "--out", "kept.safetensors"]) == 2
    assert "--force" in capsys.readouterr().err
    assert target.read_bytes() == b"mine"
    assert main(["fit", *OWN, *QUICK, "--out", "kept.safetensors", "--force"]) == 0
    assert list(load_preset(target).schedules) == [3]


def test_an_interrupt_ends_with_130_and_writes_nothing(folder, capsys):
    before = {path.name for path in folder.iterdir()}
    arguments = ["--denoiser", "own_model:interrupted", *OWN[2:], *QUICK]
    assert main(["fit", *arguments, "--out", "half.safetensors"]) == 130
    assert "Interrupted" in capsys.readouterr().err
    assert {path.name for path in folder.iterdir() if path.suffix} == before


def test_an_error_inside_the_users_model_keeps_its_traceback(folder):
    with pytest.raises(RuntimeError, match="own_model:own_mistake failed at sigma 10"):
        main(["fit", "--denoiser", "own_model:own_mistake", *OWN[2:], *QUICK])


def test_a_missing_import_inside_the_users_module_is_not_taken_for_a_missing_module(folder):
    (folder / "broken_model.py").write_text("import nowhere_to_be_found\n", encoding="utf-8")
    with pytest.raises(ModuleNotFoundError, match="nowhere_to_be_found"):
        main(["fit", "--denoiser", "broken_model:x", *OWN[2:]])


def test_a_fit_that_cannot_be_saved_still_prints_its_share_code(folder, capsys, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert main(["fit", *OWN, *QUICK, "--out", "own.safetensors"]) == 2
    printed = capsys.readouterr()
    assert "No space left on device" in printed.err
    assert list(from_share_code(printed.out.splitlines()[-1]).schedules) == [3]
    assert not (folder / "own.safetensors").exists()


def test_a_killed_fit_goes_on_from_its_journal_and_the_journal_is_removed_once_the_file_is_there(folder, monkeypatch):
    arguments = [*OWN, *QUICK, "--journal", "records"]
    assert main(["fit", *arguments, "--out", "whole.safetensors"]) == 0
    all_calls = sys.modules["own_model"].calls
    assert not (folder / "records").exists()
    monkeypatch.setattr(journal, "_SLOW_CALL_SECONDS", 0.0)
    (folder / "own_model.py").write_text(
        (folder / "own_model.py").read_text(encoding="utf-8")
        + "\nplain, left = gaussian, 40\n"
        + "def gaussian(x, sigma, cfg=1.0):\n"
        + "    global left\n"
        + "    left -= 1\n"
        + "    if left == 0:\n"
        + "        raise KeyboardInterrupt\n"
        + "    return plain(x, sigma, cfg)\n",
        encoding="utf-8",
    )
    del sys.modules["own_model"]
    assert main(["fit", *arguments, "--out", "resumed.safetensors"]) == 130
    assert list((folder / "records").iterdir())
    vars(sys.modules["own_model"])["calls"] = 0
    assert main(["fit", *arguments, "--out", "resumed.safetensors"]) == 0
    assert sys.modules["own_model"].calls < all_calls - 30
    assert not (folder / "records").exists()
    whole, resumed = (load_preset(folder / f"{name}.safetensors") for name in ("whole", "resumed"))
    assert torch.equal(whole.schedules[3], resumed.schedules[3])


def test_a_journal_that_is_a_file_is_refused(folder, capsys):
    assert main(["fit", *OWN, *QUICK, "--journal", "own_model.py"]) == 2
    assert "--journal must be a folder" in capsys.readouterr().err
