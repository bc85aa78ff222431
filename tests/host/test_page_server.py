"""The routes on a real server, as the page and as a hostile page would use them; what saved images carry."""

from __future__ import annotations

import http.client
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from sigmasmith.schedules.presets.file import from_bytes, load_preset, save_preset, to_bytes
from sigmasmith.schedules.presets.share_code import from_share_code

from .graphs import Graph, node, text_to_image
from .pack_graphs import custom_sampler, fit_graph, use_graph
from .page_files import SD3, preset
from .server import ComfyServer, Result, find_host, make_tiny_models

pytestmark = [pytest.mark.host, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
# Its 8 steps are what a host that runs 4 at denoise 0.5 asks for.
QUICK = preset(SD3, (4, 6, 8), name="quick", author="Grace")
ROUTES = ["curves", "code", "library"] + [
    f"library/{what}" for what in ("file", "code", "share", "export", "rename", "duplicate", "delete")
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ComfyServer]:
    host, reason = find_host()
    if host is None:
        pytest.skip(reason)
    base = tmp_path_factory.mktemp("comfy")
    make_tiny_models(host, base / "models")
    save_preset(base / "models" / "sigmasmith" / "quick.safetensors", QUICK)
    with ComfyServer(host, base, pack=ROOT) as running:
        yield running


def folder(server: ComfyServer) -> dict[str, bytes]:
    presets = server.base / "models" / "sigmasmith"
    return {str(path.relative_to(presets)): path.read_bytes() for path in presets.rglob("*") if path.is_file()}


def ask(server: ComfyServer, path: str, body: Any, **headers: str) -> Any:
    if isinstance(body, bytes):
        headers.setdefault("Content-Type", "application/octet-stream")
    return server.request("POST", f"/sigmasmith/{path}", body, headers)


def record_of(server: ComfyServer, graph: Graph) -> Any:
    """The record in the image that a graph saves."""
    result: Result = server.run(graph)
    assert result.status == "success", json.dumps(result.error, indent=1)
    image = Image.open(io.BytesIO(server.fetch(result.outputs["save"]["images"][0])))
    text = image.info.get("sigmasmith")
    return None if text is None else json.loads(text)


def test_a_live_curve_is_answered_with_the_model_of_the_graph(server):
    chain = [{"type": "CheckpointLoaderSimple", "values": {"ckpt_name": "tiny_sd3.safetensors"}}]
    nodes = [
        {"node": {"type": "SigmasmithCosine", "values": {"steps": 6}}, "model": chain},
        {
            "node": {"type": "SigmasmithApply"},
            "preset": [{"type": "SigmasmithLoadPreset", "values": {"preset": "quick", "share_code": ""}}],
            "model": [*chain, {"type": "ModelSamplingSD3", "values": {"shift": 1.15}}],
        },
    ]
    for prefix in ("", "/api"):
        reply = server.request("POST", f"{prefix}/sigmasmith/curves", {"nodes": nodes})
        assert reply.status == 200
        cosine, applied = reply.json()["curves"]
        assert cosine["summary"] == "6 steps will run, from sigma 1 to 0."
        assert "Fitted for shift 3, this model has 1.15." in applied["warnings"]


@pytest.mark.parametrize("model", ["tiny_sd15", "tiny_sd3"])
def test_the_model_told_from_its_file_is_the_model_that_a_fit_records(server, model):
    assert server.run(fit_graph(model, name=f"fit {model}"), timeout=240).status == "success"
    for other in ("tiny_sd15", "tiny_sd3"):
        chain = [{"type": "CheckpointLoaderSimple", "values": {"ckpt_name": f"{other}.safetensors"}}]
        listed = ask(server, "library", {"model": chain}).json()["presets"]
        card = next(card for card in listed if card["name"] == f"fit {model}")
        assert card["fit"] == ("yes" if other == model else "no"), card["differences"]
        assert (card["differences"] == []) == (other == model)


def test_every_route_refuses_foreign_pages_and_leaves_the_folder_alone(server):
    before = folder(server)
    here = f"127.0.0.1:{server.port}"
    foreign = [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "http://evil.example", "Host": "box.local"},  # no loopback: the host itself lets this pass
    ]
    for path in ROUTES:
        body = to_bytes(preset(SD3, (5,), name="evil")) if path.endswith("file") else {"name": "quick", "to": "gone"}
        for headers in foreign:
            assert ask(server, path, body, **headers).status == 403, (path, headers)
            assert server.request("POST", f"/api/sigmasmith/{path}", {}, headers).status == 403
    assert folder(server) == before
    assert ask(server, "library", {}, Origin=f"http://{here}").status == 200


def test_nothing_changes_by_a_get_and_no_other_method_is_answered(server):
    before = folder(server)
    for path in ROUTES:
        for method in ("GET", "PUT", "DELETE"):
            assert server.request(method, f"/sigmasmith/{path}?name=quick&to=x").status in (404, 405), (method, path)
    assert folder(server) == before


def test_a_huge_body_is_cut_off_with_and_without_a_stated_length(server):
    before = folder(server)
    assert ask(server, "library/file", b"x" * 6_000_000).status == 413
    assert ask(server, "curves", {"nodes": ["x" * 700_000]}).status == 413
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    try:
        sent = iter([b"x" * 65536] * 100)
        headers = {"Content-Type": "application/octet-stream"}
        connection.request("POST", "/sigmasmith/library/file", sent, headers, encode_chunked=True)
        assert connection.getresponse().status == 413
    except (BrokenPipeError, ConnectionResetError):
        pass  # cut off before all of it was sent
    finally:
        connection.close()
    assert folder(server) == before


@pytest.mark.parametrize(
    "name", ["../../../evil", "..\\evil", "/etc/evil", "C:/evil", "con", "a\u0000b", ".x", "x" * 400]
)
def test_names_that_lead_elsewhere_reach_nothing(server, name):
    before = {path: path.stat().st_mtime_ns for path in server.base.rglob("*.safetensors")}
    data = to_bytes(QUICK).replace(b'\\"name\\":\\"quick\\"', b'\\"name\\":\\"../..\\"')
    assert ask(server, "library/file", data).status == 400
    for path, body in (
        ("library/rename", {"name": "quick", "to": name}),
        ("library/rename", {"name": name, "to": "x"}),
        ("library/delete", {"name": name}),
        ("library/duplicate", {"name": name}),
        ("library/share", {"name": name}),
        ("library/export", {"name": name}),
        ("library/code", {"code": ask(server, "library/share", {"name": "quick"}).json()["code"], "name": name}),
    ):
        assert ask(server, path, body).status in (400, 404), path
    assert {path: path.stat().st_mtime_ns for path in server.base.rglob("*.safetensors")} == before


def test_the_wrong_dtype_and_other_files_are_refused(server):
    before = folder(server)
    for data in (to_bytes(QUICK).replace(b'"F32"', b'"F16"'), to_bytes(QUICK).replace(b'"F32"', b'"I64"'), b"{}", b""):
        reply = ask(server, "library/file", data)
        assert reply.status == 400
        assert "no preset that Sigmasmith can use" in reply.json()["error"]
    assert folder(server) == before


def test_a_preset_goes_out_and_comes_back_and_is_at_once_in_the_list_of_the_node(server):
    exported = ask(server, "library/export", {"name": "quick", "workflow": {"nodes": [], "links": []}})
    assert exported.status == 200
    assert from_bytes(exported.body).hash == QUICK.hash
    assert ask(server, "library/file", exported.body).json() == {"name": "quick 2", "workflow": True}
    info = server.object_info("SigmasmithLoadPreset")
    assert "quick 2" in json.dumps(info["input"]["required"]["preset"])
    code = ask(server, "library/share", {"name": "quick 2"}).json()["code"]
    assert from_share_code(code).hash == QUICK.hash
    assert ask(server, "library/delete", {"name": "quick 2"}).status == 200
    assert "quick 2" not in json.dumps(server.object_info("SigmasmithLoadPreset"))


def test_a_saved_image_carries_the_real_sigmas_and_the_hash_of_the_preset(server):
    graph = use_graph("quick", steps=4, seed=11)
    record = record_of(server, graph)
    saved = load_preset(server.base / "models" / "sigmasmith" / "quick.safetensors")
    run = record["runs"]["sample"]
    assert run["hash"] == saved.hash
    assert (run["preset"], run["sampler"], run["steps"]) == ("quick", "euler", 4)
    assert run["sigmas"] == pytest.approx(saved.sigmas(4).tolist(), rel=1e-7)


def test_an_image_of_a_run_that_the_host_does_not_repeat_carries_them_too(server):
    graph = use_graph("quick", steps=4, seed=12)
    first = record_of(server, graph)
    graph["save"]["inputs"]["filename_prefix"] = "again"
    assert record_of(server, graph) == first


def test_denoise_and_a_new_seed_give_the_sigmas_of_that_run(server):
    graph = use_graph("quick", steps=4, seed=13, denoise=0.5)
    saved = load_preset(server.base / "models" / "sigmasmith" / "quick.safetensors")
    expected = pytest.approx(saved.sigmas(4, 0.5).tolist(), rel=1e-6)
    for seed in (13, 14):
        graph["sample"]["inputs"]["seed"] = seed
        assert record_of(server, graph)["runs"]["sample"]["sigmas"] == expected


def test_sigmas_of_the_schedule_node_are_carried_when_only_the_sampler_runs_again(server):
    graph = use_graph("quick", steps=4)
    graph["schedule"] = node(
        "SigmasmithSchedule", preset=["preset", 0], steps=6, denoise=1.0, mode="host (keep the steps)"
    )
    graph = custom_sampler(graph, ["schedule", 0])
    graph["sample"]["inputs"]["model"] = ["load", 0]
    del graph["apply"]
    for seed in (21, 22):
        graph["sample"]["inputs"]["noise_seed"] = seed
        record = record_of(server, graph)
        assert record["runs"]["schedule"]["hash"] == QUICK.hash
        assert len(record["runs"]["schedule"]["sigmas"]) == 7


def test_images_of_other_graphs_carry_nothing_of_ours(server):
    assert record_of(server, text_to_image("tiny_sd3", seed=31)) is None


def test_no_route_has_failed(server):
    assert "Traceback" not in server.log()
    assert not server.import_failures()


def test_with_several_users_the_library_is_not_changed(tmp_path):
    host, reason = find_host()
    if host is None:
        pytest.skip(reason)
    save_preset(tmp_path / "models" / "sigmasmith" / "quick.safetensors", QUICK)
    with ComfyServer(host, tmp_path, pack=ROOT, arguments=["--multi-user"]) as running:
        assert running.request("POST", "/sigmasmith/library", {}).json()["may_remove"] is False
        for path, body in (("delete", {"name": "quick"}), ("rename", {"name": "quick", "to": "mine"})):
            reply = ask(running, f"library/{path}", body)
            assert reply.status == 403
            assert "multi-user" in reply.json()["error"]
        assert list(folder(running)) == ["quick.safetensors"]
