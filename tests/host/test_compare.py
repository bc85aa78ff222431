"""Sigmasmith Compare Schedules in a real server: pictures, report, CSV, interrupt, and what it refuses."""

from __future__ import annotations

import csv
import io
import shutil
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from .answers import error_of, ok
from .graphs import Graph, node, text_to_image
from .server import ComfyServer, Result, find_host, make_tiny_models

pytestmark = [pytest.mark.host, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]


# What a host needs of the repository, and nothing else.
PARTS = ("__init__.py", "nodes", "schedules", "web", "locales", "example_workflows", "node_list.json", "pyproject.toml")


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the pack, so that what is written into it can be seen."""
    folder = tmp_path_factory.mktemp("pack")
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / part, folder)
    return folder


def files_of(pack: Path) -> dict[str, bytes]:
    """Everything in the pack but what Python itself keeps beside modules."""
    kept = [path for path in pack.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    return {str(path.relative_to(pack)): path.read_bytes() for path in kept}


@pytest.fixture(scope="module")  # its own server, for these tests leave errors in the log
def server(pack: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ComfyServer]:
    host, reason = find_host()
    if host is None:
        pytest.skip(reason)
    base = tmp_path_factory.mktemp("comfy")
    make_tiny_models(host, base / "models")
    before = files_of(pack)
    with ComfyServer(host, base, pack=pack) as running:
        yield running
    assert files_of(pack) == before, "something was written into the pack"


@pytest.fixture(scope="module")
def result(server) -> Result:
    return ok(server.run(compare_graph(vae=["load", 2])))


def compare_graph(**changed: Any) -> Graph:
    """Checkpoint to Compare, the node called compare."""
    graph = text_to_image("tiny_sd3")
    for unused in ("sample", "decode", "save"):
        del graph[unused]
    inputs: dict[str, Any] = {
        "model": ["load", 0],
        "positive": ["positive", 0],
        "negative": ["negative", 0],
        "latent": ["latent", 0],
        "cfg": 5.0,
        "schedules": "simple, karras\nkarras rho: 3, 5",
        "samplers": "euler, dpmpp_2m",
        "steps": "3, 6",
        "seeds": 3,
        "first_seed": 20,
        "reference_steps": 40,
        "filename_prefix": "sigmasmith/compare",
    }
    graph["compare"] = node("SigmasmithCompare", **(inputs | changed))
    return graph


def test_the_pack_loads_without_its_tests_and_tools(server):
    assert server.import_failures() == []
    assert server.object_info("SigmasmithCompare")


def test_the_table_and_a_sheet_per_pictured_seed_are_shown(server, result):
    table, *sheets = [server.fetch(image) for image in result.outputs["compare"]["images"]]
    assert len(sheets) == 2
    width, height = struct.unpack(">II", table[16:24])
    assert width > 600
    assert height > 17 * 28  # 16 cells and their heading
    tiles = Image.open(io.BytesIO(sheets[0])).convert("RGB")
    assert tiles.size[0] > 5 * 64  # the reference and four schedules
    assert len(tiles.getcolors(tiles.width * tiles.height) or ()) > 100
    assert sheets[0] != sheets[1]


def test_the_report_and_the_csv_hold_the_same_numbers(server, result):
    report = result.outputs["compare"]["text"][0]
    (file,) = (server.base / "output" / "sigmasmith").glob("*.csv")
    assert f"sigmasmith/{file.name}" in report
    rows = list(csv.DictReader(io.StringIO(file.read_text(encoding="utf-8"))))
    assert len(rows) == 16
    for row in rows:
        assert f"{float(row['error']):.5f}" in report
        assert float(row["calls_per_sample"]) == float(row["steps"])
        assert float(row["seconds_per_sample"]) > 0.0
        assert {"error_seed_20", "error_seed_21", "error_seed_22"} <= set(row)
    assert "Error: RMSE" in report
    assert "is best" in report or "no winner" in report


def test_a_second_run_writes_a_second_file_and_without_a_vae_there_is_one_picture(server, result):
    again = ok(server.run(compare_graph(steps="2", schedules="simple", samplers="euler")))
    assert len(again.outputs["compare"]["images"]) == 1
    assert len(list((server.base / "output" / "sigmasmith").glob("*.csv"))) == 2


def test_progress_and_the_time_are_shown(server):
    server.events.clear()
    ok(server.run(compare_graph(first_seed=30, seeds=2)))
    assert any(message.get("node") == "compare" for message in server.events.of_type("progress"))
    assert any("The comparison takes" in message["text"] for message in server.events.of_type("sigmasmith.message"))


def test_a_guider_connected_sigmas_and_a_sampler_are_compared(server):
    graph = compare_graph(guider=["guider", 0], sigmas_1=["sigmas", 0], sampler_1=["kind", 0], steps="", samplers="")
    given = graph["compare"]["inputs"]
    graph["guider"] = node("CFGGuider", **{name: given[name] for name in ("model", "positive", "negative", "cfg")})
    graph["sigmas"] = node("BasicScheduler", model=["load", 0], scheduler="beta", steps=4, denoise=1.0)
    graph["kind"] = node("KSamplerSelect", sampler_name="heun")
    report = ok(server.run(graph)).outputs["compare"]["text"][0]
    assert "sampler_1 at 4 steps" in report
    assert "sigmas_1" in report


def test_bad_inputs_name_the_input(server):
    for changed, words in (
        ({"samplers": "dpmp_2m"}, ["samplers", "dpmpp_2m"]),
        ({"steps": "ten"}, ["steps", "'ten'"]),
        ({"schedules": "karras rho: many"}, ["schedules", "'many'"]),
        ({"schedules": "simpel"}, ["schedules", "simple"]),
        ({"seeds": 1}, ["seeds"]),
        ({"filename_prefix": "../../out"}, ["filename_prefix"]),
        ({"filename_prefix": "/etc/out"}, ["filename_prefix"]),
    ):
        said = error_of(server, compare_graph(**changed))
        assert all(word in said for word in words), said
    assert not list(server.base.parent.glob("*.csv"))


def test_an_interrupt_stops_it_and_writes_nothing(server):
    before = set((server.base / "output").rglob("*.csv"))
    server.events.clear()
    prompt_id = server.queue(compare_graph(seeds=32, reference_steps=1000, first_seed=77))
    server.events.wait_for("progress", node="compare")
    start = time.monotonic()
    server.interrupt()
    assert server.wait(prompt_id).status == "interrupted"
    assert time.monotonic() - start < 3.0
    assert set((server.base / "output").rglob("*.csv")) == before
