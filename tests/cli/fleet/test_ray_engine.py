"""The engine ray, on a cluster of this machine alone."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from sigmasmith.cli.fleet.fields import checked_field
from sigmasmith.cli.fleet.ray_engine import fitted_preset
from sigmasmith.cli.main import main

MODEL = """
import os, time
from pathlib import Path
import torch

HERE = Path(__file__).parent

def counted(x, sigma):
    with open(HERE / "calls", "ab") as file:
        file.write(b".")
        file.flush()
    if (HERE / "kill").exists() and (HERE / "calls").stat().st_size >= 60:
        (HERE / "kill").unlink()
        os._exit(1)
    s = sigma.reshape(-1, *[1] * (x.ndim - 1))
    variance = torch.linspace(0.05, 0.5, x[0].numel()).reshape(x.shape[1:])
    return variance / (variance + s**2) * x
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "counted_model.py").write_text(MODEL, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "counted_model", raising=False)
    return tmp_path


JOB = {
    "name": "gaussian",
    "denoiser": "counted_model:counted",
    "shape": [4],
    "sigma_min": 0.03,
    "sigma_max": 14.6,
    "steps": 5,
    "effort": "fast",
    "noises": 8,
}


def written(folder: Path, *jobs: dict[str, object]) -> str:
    path = folder / "jobs.json"
    path.write_text(json.dumps({"engine": "ray", "jobs": jobs}), encoding="utf-8")
    return str(path)


def test_what_is_not_there_is_named_before_ray_starts(folder, capsys):
    jobs = written(folder, JOB, JOB | {"name": "b", "denoiser": "nowhere:x"}, JOB | {"name": "c", "sampler": "eulr"})
    assert main(["fleet", jobs, "--out", str(folder / "out")]) == 2
    said = capsys.readouterr().err
    assert "jobs[1] (b): --denoiser: there is no module 'nowhere'" in said
    assert "jobs[2] (c): --sampler" in said
    assert not (folder / "calls").exists()


@pytest.mark.slow
def test_a_killed_worker_is_replaced_and_goes_on_from_its_records(folder):
    pytest.importorskip("ray", reason='needs Ray: pip install -e ".[ray]"')
    given = {name: checked_field(name, value) for name, value in JOB.items()}
    clean = fitted_preset(given, str(folder / "records"))
    needed = (folder / "calls").stat().st_size
    (folder / "calls").unlink()
    (folder / "kill").touch()
    assert main(["fleet", written(folder, JOB), "--out", str(folder / "out")]) == 0
    assert not (folder / "kill").exists()
    assert (folder / "out" / "gaussian.safetensors").read_bytes() == clean
    spent = (folder / "calls").stat().st_size
    print(f"{needed} calls without a kill, {spent} with one after 60")
    assert spent < needed + 30  # it was killed after 60
    before = spent
    assert main(["fleet", written(folder, JOB), "--out", str(folder / "out")]) == 0
    assert (folder / "calls").stat().st_size == before
    assert not (folder / "out" / "unfinished").exists()
