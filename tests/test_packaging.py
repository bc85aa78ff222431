"""A wheel holds all that its commands need, and nothing of the workshop."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("schedules", "nodes", "webui", "cli", "demo", "benchmarks")
# The wheel is built from what a clone holds; setuptools writes beside it.
SKIPPED = shutil.ignore_patterns(".*", "build", "dist", "out", "*.egg-info", "__pycache__", "node_modules")

pytestmark = pytest.mark.slow


def run(*command: str | Path, folder: Path) -> str:
    """The output of a command that must succeed, without the tree under test on its path."""
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [str(part) for part in command], cwd=folder, env=clean, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("wheel")
    shutil.copytree(ROOT, base / "tree", ignore=SKIPPED)
    build = ("wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", base / "dist", base / "tree")
    run(sys.executable, "-m", "pip", *build, folder=base)
    (built,) = (base / "dist").glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Runs the Python of an environment that holds the wheel and sees the packages of this one."""
    base = tmp_path_factory.mktemp("installed")
    environment = base / "environment"
    run(sys.executable, "-m", "venv", "--without-pip", environment, folder=base)
    python = environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    packages = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", folder=base).strip())
    borrowed = [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
    (packages / "borrowed.pth").write_text("\n".join(borrowed), encoding="utf-8")
    run(sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", wheel, folder=base)
    place = run(python, "-c", "import sigmasmith; print(sigmasmith.__file__)", folder=base).strip()
    assert Path(place).is_relative_to(packages)
    return lambda *command: run(python, "-P", "-m", *command, folder=base)


def test_a_wheel_holds_every_module_of_the_package_and_the_bundled_models(wheel):
    wanted = {f"sigmasmith/{name}" for name in ("__init__.py", "__main__.py")}
    for part in PARTS:
        wanted |= {f"sigmasmith/{path.relative_to(ROOT).as_posix()}" for path in (ROOT / part).rglob("*.py")}
    wanted |= {f"sigmasmith/demo/models/{path.name}" for path in (ROOT / "demo" / "models").glob("*.safetensors")}
    wanted |= {f"sigmasmith/schedules/family/{path.name}" for path in (ROOT / "schedules" / "family").glob("*.json")}
    with zipfile.ZipFile(wheel) as archive:
        assert {name for name in archive.namelist() if ".dist-info/" not in name} == wanted


def test_a_source_distribution_holds_all_tests_and_what_they_read(tmp_path):
    shutil.copytree(ROOT, tmp_path / "tree", ignore=SKIPPED)
    build = "import sys; from setuptools.build_meta import build_sdist; print(build_sdist(sys.argv[1]))"
    run(sys.executable, "-c", build, tmp_path / "dist", folder=tmp_path / "tree")
    (built,) = (tmp_path / "dist").glob("*.tar.gz")
    with tarfile.open(built) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    folders = ("tests", "web", "docs", "locales", "example_workflows", "scripts")
    wanted = {
        path.relative_to(ROOT).as_posix()
        for folder in folders
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and "node_modules" not in path.parts
    }
    assert wanted <= held
    assert {"Makefile", "constraints.txt", "node_list.json", "README.md"} <= held


def test_every_command_of_an_installed_wheel_runs(installed, wheel):
    preset = wheel.parent / "preset.safetensors"
    quick = ("--model", "digits_flow", "--steps", "3")
    fit = ("--noises", "3", "--effort", "fast", "--out", preset)
    assert "karras" in installed("sigmasmith", "fit", *quick, *fit)
    assert "sigmasmith1:" in installed("sigmasmith", "show", preset)
    assert "karras" in installed("sigmasmith", "compare", preset, "karras", *quick, "--noises", "3")
    assert "<svg" in installed("sigmasmith", "plot", preset, "karras", "family", "--out", "-")
    assert "--noises" in installed("sigmasmith.demo", "--help")


@pytest.mark.parametrize("command", [(), ("compare",), ("readme",), ("adaptive",), ("variance",), ("feedback",)])
def test_every_benchmark_of_an_installed_wheel_gives_its_help(installed, command):
    assert "usage: python -m sigmasmith.benchmarks" in installed("sigmasmith.benchmarks", *command, "--help")
