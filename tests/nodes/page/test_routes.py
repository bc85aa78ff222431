"""The routes without a web server: good requests, hostile ones, and what they leave on the disk."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sigmasmith.nodes.page.routes import MAX_REQUEST, MAX_UPLOAD, Answer, RefusedError, Routes, check_origin
from sigmasmith.schedules.hosting.library import Library
from sigmasmith.schedules.hosting.version import build
from sigmasmith.schedules.presets.file import from_bytes, save_preset, to_bytes, workflow_of
from sigmasmith.schedules.presets.share_code import from_share_code, to_share_code

from .page_presets import CHECKPOINT, LOADER, SD15, Host, node, preset

JSON = {"host": "127.0.0.1:8188", "content-type": "application/json"}
BYTES = {"host": "127.0.0.1:8188", "content-type": "application/octet-stream"}
MINE = preset()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "presets").mkdir()
    return tmp_path / "presets"


@pytest.fixture
def routes(folder: Path) -> Routes:
    return Routes(Library(lambda: [folder]), Host({"mine": MINE}, SD15), lambda kind: ["sd.safetensors"])


def ask(routes: Routes, path: str, body: Any, headers: dict[str, str] | None = None) -> Answer:
    data = body if isinstance(body, bytes) else json.dumps(body).encode("utf-8", "surrogatepass")
    return routes.answer(f"/sigmasmith/{path}", headers or (BYTES if isinstance(body, bytes) else JSON), data)


def good(routes: Routes, path: str, body: Any) -> Any:
    answer = ask(routes, path, body)
    assert answer.status == 200, answer.value
    return answer.value


def test_several_curves_come_in_the_asked_order_and_one_failure_stops_no_other(routes):
    nodes = [{"node": node("SigmasmithCosine", steps=5)}, {"node": 7}, {"node": LOADER}]
    curves = good(routes, "curves", {"nodes": nodes})["curves"]
    assert [next(iter(curve)) for curve in curves] == ["plot", "problem", "plot"]


def in_english(told: Any) -> Any:
    """What the page shows where it has no other language: templates filled in, as web/words.mjs does it."""
    if isinstance(told, dict) and "say" not in told:
        return {name: in_english(value) for name, value in told.items()}
    if isinstance(told, dict):
        given = {name: in_english(value) for name, value in told["given"].items()}
        return re.sub(r"\{(\w+)\}", lambda name: str(given[name[1]]), told["say"])
    return [in_english(part) for part in told] if isinstance(told, list) else told


def test_every_text_of_a_curve_comes_once_more_for_the_page_to_say_in_another_language(routes):
    sampler = {"steps": 7, "cfg": 7.0, "sampler_name": "euler", "scheduler": "karras", "denoise": 1.0}
    apply = {
        "node": node("SigmasmithApply"),
        "preset": [LOADER],
        "model": [CHECKPOINT],
        "run": node("KSampler", **sampler),
    }
    requests = [apply, {"node": node("SigmasmithCosine", steps=5)}, {"node": node("SigmasmithAuto")}]
    for answer in good(routes, "curves", {"nodes": requests})["curves"]:
        texts = {name: answer[name] for name in ("problem", "summary", "warnings", "hint", "aria") if answer.get(name)}
        told = answer["told"]
        assert {name: in_english(told[name]) for name in texts} == texts
        parts = [part for name in texts for part in (told[name] if isinstance(told[name], list) else [told[name]])]
        assert parts
        assert all("say" in part for part in parts), parts
        drawn = answer["plot"]["curves"] if "plot" in answer else []
        assert [in_english(curve) for curve in told.get("curves", [])] == [
            {"name": curve["name"], "said": curve.get("said")} for curve in drawn
        ]


def test_every_text_of_a_card_that_is_no_name_or_number_comes_for_translation(routes, folder):
    host = {"fitted": 0.1, "karras": 0.2}
    saved = preset(errors={8: host}, origin={8: "fitted"}, latent_shape=(4, 64, 64), guidance=7.0)
    save_preset(folder / "saved.safetensors", saved)
    [card] = good(routes, "library", {"model": [CHECKPOINT]})["presets"]
    told = card["told"]
    assert {name: in_english(told[name]) for name in told} == {name: card[name] for name in told}
    assert all("say" in label for label, _ in told["facts"])
    assert all("say" in gain for _, gain in told["gains"])
    assert [text["given"] for label, text in told["facts"] if label["say"] == "Size"] == [{"width": 512, "height": 512}]


def test_a_program_is_told_which_sigmasmith_this_is(routes):
    assert good(routes, "about", {}) == {"build": build()}


def test_code_of_a_node_is_a_share_code(routes):
    code = good(routes, "code", {"node": {"node": LOADER}})["code"]
    assert from_share_code(code).hash == MINE.hash


def test_the_library_is_listed_for_the_model_in_the_graph(routes):
    routes.library.add(MINE)
    listed = good(routes, "library", {"model": [CHECKPOINT]})
    assert [card["name"] for card in listed["presets"]] == ["mine"]
    assert listed["presets"][0]["fit"] == "yes"
    assert listed["model"] == "SD15 sd.safetensors"
    assert listed["may_remove"] is True
    assert good(routes, "library", {})["model"] is None


def test_a_file_is_added_and_exported_with_a_stripped_workflow(routes):
    assert good(routes, "library/file", to_bytes(MINE)) == {"name": "mine", "workflow": False}
    workflow = {"nodes": [{"id": 1, "type": "CLIPTextEncode", "widgets_values": ["a secret prompt"]}], "links": []}
    answer = ask(routes, "library/export", {"name": "mine", "workflow": workflow})
    assert answer.file_name == "mine.safetensors"
    assert answer.data is not None
    assert b"secret" not in answer.data
    assert json.loads(workflow_of(answer.data) or "")["nodes"][0]["widgets_values"] == [""]
    assert from_bytes(answer.data).hash == MINE.hash


def test_actions_of_the_library_follow_one_another(routes):
    assert good(routes, "library/code", {"code": to_share_code(MINE)}) == {"name": "mine"}
    assert from_share_code(good(routes, "library/share", {"name": "mine"})["code"]).hash == MINE.hash
    assert good(routes, "library/duplicate", {"name": "mine"}) == {"name": "mine copy"}
    assert good(routes, "library/rename", {"name": "mine copy", "to": "yours"}) == {"name": "yours"}
    assert good(routes, "library/delete", {"name": "yours"}) == {}
    assert [card["name"] for card in good(routes, "library", {})["presets"]] == ["mine"]


@pytest.mark.parametrize(
    ("headers", "passes"),
    [
        ({"host": "127.0.0.1:8188"}, True),  # a program
        ({"host": "127.0.0.1:8188", "origin": "http://127.0.0.1:8188"}, True),
        ({"host": "box.local", "origin": "http://box.local"}, True),
        ({"host": "box.local", "origin": "https://box.local:443"}, True),
        ({"host": "[::1]:8188", "origin": "http://[::1]:8188"}, True),
        ({"host": "inner:8188", "origin": "https://outer.example", "sec-fetch-site": "same-origin"}, True),  # a proxy
        ({"host": "127.0.0.1:8188", "origin": "http://evil.example"}, False),
        ({"host": "127.0.0.1:8188", "origin": "http://127.0.0.1:9999"}, False),
        ({"host": "127.0.0.1:8188", "origin": "http://127.0.0.1:8188.evil.example"}, False),
        ({"host": "127.0.0.1:8188", "origin": "http://localhost:8188"}, False),
        ({"host": "127.0.0.1:8188", "origin": "null"}, False),
        ({"host": "127.0.0.1:8188", "origin": ""}, False),
        ({"host": "127.0.0.1:8188", "origin": "file://"}, False),
        ({"host": "127.0.0.1:8188", "sec-fetch-site": "cross-site"}, False),
        ({"host": "127.0.0.1:8188", "sec-fetch-site": "same-site"}, False),
        ({"host": "127.0.0.1:8188", "origin": "http://127.0.0.1:8188", "sec-fetch-site": "cross-site"}, False),
        ({"host": ""}, False),
        ({}, False),
        ({"host": "evil example/"}, False),
    ],
)
def test_only_pages_of_this_server_and_programs_pass(headers, passes):
    if passes:
        check_origin(headers)
    else:
        with pytest.raises(RefusedError):
            check_origin(headers)


def paths(routes: Routes) -> list[str]:
    return [path.removeprefix("/sigmasmith/") for path in routes.table]


def test_every_route_refuses_a_foreign_origin_before_it_does_anything(routes, folder):
    routes.library.add(MINE)
    before = {path: path.read_bytes() for path in folder.rglob("*")}
    body = json.dumps({"name": "mine", "to": "yours", "code": to_share_code(preset((4,)))}).encode()
    for path in paths(routes):
        kind = "application/octet-stream" if path.endswith("/file") else "application/json"
        foreign = {"host": "127.0.0.1:8188", "origin": "http://evil.example", "content-type": kind}
        data = to_bytes(preset((4,))) if path.endswith("/file") else body
        assert routes.answer(f"/sigmasmith/{path}", foreign, data).status == 403, path
    assert {path: path.read_bytes() for path in folder.rglob("*")} == before


def test_every_route_refuses_what_a_plain_form_can_send(routes, folder):
    for path in paths(routes):
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""):
            headers = {"host": "127.0.0.1:8188", "content-type": kind}
            assert routes.answer(f"/sigmasmith/{path}", headers, to_bytes(MINE)).status == 415, path
    assert not list(folder.iterdir())


def test_every_route_refuses_a_huge_body(routes):
    for path in paths(routes):
        limit = routes.table[f"/sigmasmith/{path}"][1]
        assert limit in (MAX_REQUEST, MAX_UPLOAD)
        headers = BYTES if path.endswith("/file") else JSON
        assert routes.answer(f"/sigmasmith/{path}", headers, b" " * (limit + 1)).status == 413, path


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"5",
        b"null",
        b'"x"',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"a": NaN}',
        b'{"nodes": ' + b"[" * 50_000,
    ],
    ids=lambda body: ascii(body[:12]),
)
def test_every_json_route_refuses_what_is_no_json_object(routes, body):
    for path in paths(routes):
        if not path.endswith("/file"):
            answer = ask(routes, path, body, JSON)
            assert answer.status == 400, (path, answer)
            assert answer.value["error"]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"nonsense",
        b"\xff" * 64,
        to_bytes(MINE)[:-1],
        to_bytes(MINE) + b"x",
        to_bytes(MINE).replace(b'"F32"', b'"F16"'),
        to_bytes(MINE).replace(b'"F32"', b'"I32"'),
        to_bytes(MINE).replace(b'"sigmasmith"', b'"sigmasmitx"'),
        to_bytes(MINE).replace(b'"version\\":1', b'"version\\":9'),
        b"PK\x03\x04" + b"\x00" * 200,
    ],
    ids=["empty", "text", "header", "cut", "longer", "float16", "int32", "foreign", "later version", "zip"],
)
def test_a_bad_file_is_refused_with_a_sentence_and_leaves_nothing(routes, folder, data):
    answer = ask(routes, "library/file", data)
    assert answer.status == 400
    assert answer.value["error"].startswith("This is no preset that Sigmasmith can use")
    assert not list(folder.iterdir())


def test_a_file_whose_own_name_leads_out_is_refused(routes, folder):
    for name in (b"..", b"a/..", b"/etc"):
        data = to_bytes(MINE).replace(b'\\"name\\":\\"mine\\"', b'\\"name\\":\\"' + name.ljust(4, b"/") + b'\\"')
        assert data != to_bytes(MINE)
        assert ask(routes, "library/file", data).status == 400
    assert not list(folder.iterdir())


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from(["nodes", "node", "name", "to", "code", "workflow", "model"])


@given(st.dictionaries(FIELDS, JSON_VALUES))
def test_any_json_is_answered_and_never_with_a_server_error(tmp_path_factory, body):
    folder = tmp_path_factory.mktemp("presets")
    routes = Routes(Library(lambda: [folder]), Host({"mine": MINE}))
    for path in paths(routes):
        if not path.endswith("/file"):
            answer = ask(routes, path, body)
            assert answer.status in (200, 400, 403, 404, 409), (path, answer)
    assert not list(folder.iterdir())


def test_a_failure_of_our_own_is_a_500_without_its_details(routes, monkeypatch):
    def broken(*_: Any) -> Any:
        raise RuntimeError("secret path /home/x")

    monkeypatch.setattr(routes.library, "searched", broken)
    answer = ask(routes, "library", {})
    assert answer.status == 500
    assert "secret" not in json.dumps(answer.value)


def test_a_request_is_turned_away_before_its_body_is_read(routes):
    path = "/sigmasmith/curves"
    assert routes.limit(path) == MAX_REQUEST
    assert routes.limit("/sigmasmith/nothing") is None
    assert routes.refusal(path, JSON, MAX_REQUEST) is None
    assert routes.refusal(path, JSON, MAX_REQUEST + 1).status == 413
    assert routes.refusal(path, {**JSON, "origin": "https://elsewhere.example"}, 10).status == 403
