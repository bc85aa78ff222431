"""Our rebuilt host schedules against what a real ComfyUI computes, value by value."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sigmasmith.schedules.core.noise_space import SigmaRange
from sigmasmith.schedules.core.sigma_table import host_sigma_table
from sigmasmith.schedules.hosting.named_curves import CURVES
from sigmasmith.schedules.hosts.schedules import host_schedules

pytestmark = pytest.mark.host

STEPS = (1, 4, 5, 8, 10, 20)
FLOW_KINDS = ("flow3", "flow1", "flux")
KINDS = ("sd15", "zsnr", "svd", *FLOW_KINDS)
DROPDOWN = (
    "simple",
    "sgm_uniform",
    "karras",
    "exponential",
    "ddim_uniform",
    "beta",
    "normal",
    "linear_quadratic",
    "kl_optimal",
)
# Relative; hosts compute in float32. Measured: 2e-6 at worst, kl_optimal on SVD's 0.002 .. 700 7e-6.
TOLERANCE = 1e-5
# atan(4518) is 2e-4 below pi / 2, where float32 has three digits left: the host's own list starts at 4518.18.
FLOAT32_ANGLE = 2e-4


def hosts() -> list[Path]:
    """COMFYUI_PATH, else the usual places; the newer first."""
    named = os.environ.get("COMFYUI_PATH")
    return [Path(named)] if named else [Path.home() / "comfy" / name for name in ("ComfyUI", "ComfyUI-old")]


@pytest.fixture(scope="module", params=hosts(), ids=lambda path: path.name)
def reference(request: pytest.FixtureRequest) -> dict[str, Any]:
    path: Path = request.param
    python = Path(
        os.environ.get("COMFYUI_PYTHON", path / (".venv/Scripts/python.exe" if os.name == "nt" else ".venv/bin/python"))
    )
    if not (path / "comfy" / "samplers.py").is_file() or not python.exists():
        pytest.skip(f"no ComfyUI with an interpreter at {path}: clone it there, or set COMFYUI_PATH and COMFYUI_PYTHON")
    script = Path(__file__).with_name("schedule_reference.py")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        [str(python), str(script), str(path)],
        input=json.dumps({"steps": STEPS}),
        capture_output=True,
        text=True,
        timeout=300,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def range_of(reference: dict[str, Any], kind: str) -> SigmaRange:
    return SigmaRange(*reference["ranges"][kind], flow=kind in FLOW_KINDS)


def worst(ours: Any, theirs: Any) -> float:
    """Largest relative difference of the positive sigmas; the last is 0 in both."""
    mine, other = np.asarray(ours, dtype=np.float64), np.asarray(theirs, dtype=np.float64)
    assert len(mine) == len(other)
    assert mine[-1] == other[-1] == 0.0
    return float(np.abs(mine[:-1] / other[:-1] - 1.0).max())


@pytest.mark.parametrize("kind", KINDS)
def test_rebuilt_tables_are_the_hosts(reference, kind):
    theirs = np.asarray(reference["tables"][kind])
    ours = host_sigma_table(range_of(reference, kind))
    assert len(ours) == len(theirs)
    assert float(np.abs(ours / theirs - 1.0).max()) < TOLERANCE


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", DROPDOWN)
def test_every_scheduler_of_the_dropdown_is_rebuilt_from_the_hosts_table(reference, kind, name):
    ours = host_schedules(range_of(reference, kind), reference["tables"][kind])[name]
    for steps, theirs in reference["schedules"][kind][name].items():
        tolerance = FLOAT32_ANGLE if (kind, name) == ("zsnr", "kl_optimal") else TOLERANCE
        assert worst(ours(int(steps)), theirs) < tolerance, f"{steps} steps"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", DROPDOWN)
def test_every_scheduler_of_the_dropdown_is_rebuilt_from_the_range_alone(reference, kind, name):
    ours = host_schedules(range_of(reference, kind))[name]
    for steps, theirs in reference["schedules"][kind][name].items():
        tolerance = FLOAT32_ANGLE if (kind, name) == ("zsnr", "kl_optimal") else TOLERANCE
        assert worst(ours(int(steps)), theirs) < tolerance, f"{steps} steps"


def test_the_dropdown_has_no_scheduler_that_is_not_rebuilt(reference):
    assert set(reference["schedules"]["sd15"]) == set(DROPDOWN)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("sd15", "ays_sd1"),
        ("sd15", "ays_sdxl"),
        ("sd15", "gits"),
        ("svd", "ays_svd"),
        ("flow3", "oss_flux"),
        ("flow3", "oss_wan"),
        ("flow3", "oss_chroma"),
    ],
)
def test_published_lists_are_read_as_the_hosts_nodes_read_them(reference, kind, name):
    ours = host_schedules(range_of(reference, kind))[name]
    for steps, theirs in reference["lists"][name].items():
        assert worst(ours(int(steps)), theirs) < 1e-6, f"{steps} steps"


def test_laplace_agrees_with_the_hosts_where_the_host_does_not_clamp(reference):
    for steps, theirs in reference["laplace"].items():
        ours = CURVES["laplace"](int(steps), 1e-4, 1e4, mu=0.0, beta=0.5)[1:-2].double().log().numpy()
        assert np.abs(ours - np.log(theirs[1:-1])).max() < 1e-4
