"""What is wrong with a fleet is named before anything starts: in the file, of the servers, of what they hold."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from sigmasmith.cli.fleet.addresses import server_clients
from sigmasmith.cli.main import main

from .fake_comfy import FakeComfy

JOB = {"name": "a", "checkpoint": "a.safetensors", "prompts": "a boat", "cfg": 5, "size": "64x64"}


@pytest.fixture
def said(tmp_path, capsys):
    """Runs a fleet that must be refused; what it says, and that nothing was made."""

    def run(content: Any, *more: str) -> str:
        path = tmp_path / "jobs.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        assert main(["fleet", str(path), "--out", str(tmp_path / "out"), *more]) == 2
        assert list(tmp_path.rglob("*.safetensors")) == []
        return capsys.readouterr().err

    return run


def one_job(**changed: Any) -> dict[str, Any]:
    return {"servers": ["http://127.0.0.1:1"], "jobs": [{**JOB, **changed}]}


def test_a_half_written_file_is_told_from_one_that_is_wrong(said):
    assert "is not valid JSON, perhaps not written to its end" in said(json.dumps(one_job())[:60])
    assert "must be an object with a list of jobs" in said("[]")
    assert "jobs must be a list with at least one job" in said({"jobs": []})


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"smapler": "euler"}, "jobs[0] (a): it has an unknown field 'smapler'; did you mean sampler?"),
        ({"steps": "5, x"}, "'x' is no step count"),
        ({"steps": []}, "steps must be a step count or a list of them, got []"),
        ({"size": "64"}, 'size must be width and height in pixels, such as "1024x768"'),
        ({"cfg": "7"}, "cfg must be a number from 0 to 100, got '7'"),
        ({"cfg": float("nan")}, "cfg must be a number from 0 to 100"),
        ({"denoise": 0}, "denoise must be a number above 0 up to 1, got 0"),
        ({"prompts": ["a"] * 5}, "prompts must be one to four texts"),
        ({"loras": [{"strength": 1}]}, 'loras must be a list of names, or of {"name": ..., "strength": ...}'),
        ({"effort": "best"}, "effort must be one of quick, fast, balanced, thorough"),
        ({"name": "../a"}, "has a part that starts or ends with a dot"),
        (
            {"workflow": "w.json"},
            "it must name one of checkpoint, workflow, model, denoiser, not checkpoint and workflow",
        ),
        ({"shape": [4]}, "shape does not go with checkpoint"),
    ],
)
def test_a_bad_field_is_named_with_its_job(said, changed, sentence):
    assert sentence in said(one_job(**changed))


def test_all_that_is_wrong_with_a_file_is_said_at_once(said):
    jobs = [{"name": "a"}, {key: JOB[key] for key in ("checkpoint", "cfg")}, JOB | {"name": "A"}, JOB, 7]
    text = said({"jobs": jobs})
    assert "jobs[0] (a): it must name one of" in text
    assert "jobs[1]: it lacks name" in text
    assert "jobs[1]: it lacks prompts" in text
    assert "jobs[2] (A): another job has this name" in text
    assert "jobs[3] (a): another job has this name" in text
    assert "jobs[4] must be an object" in text


def test_a_workflow_as_the_page_saves_it_is_told_from_one_in_api_form(said, tmp_path):
    job = {"servers": ["http://127.0.0.1:1"], "jobs": [{"name": "a", "workflow": "w.json"}]}
    assert "w.json cannot be read: No such file" in said(job)
    (tmp_path / "w.json").write_text('{"nodes": [], "links": []}')
    assert "w.json is a workflow as ComfyUI saves it; export it in API form" in said(job)
    (tmp_path / "w.json").write_text('{"1": {"class_type": "VAEDecode", "inputs": {}}}')
    assert "it must have one Sigmasmith Fit node, or none and one KSampler" in said(job)


def test_toml_is_read_where_python_can(said, tmp_path, capsys):
    path = tmp_path / "jobs.toml"
    path.write_text('servers = ["http://127.0.0.1:1"]\n[[jobs]]\nname = "a"\nmodel = "digits_flow"\n')
    assert main(["fleet", str(path), "--out", str(tmp_path / "out")]) == 2
    wanted = "the engine comfy cannot make" if sys.version_info >= (3, 11) else "write the jobs as .json"
    assert wanted in capsys.readouterr().err


@pytest.mark.parametrize(
    ("server", "sentence"),
    [
        ({"is_comfy": False}, "is no ComfyUI (no JSON for /system_stats)"),
        ({"has_pack": False}, "lacks Sigmasmith; clone it into custom_nodes"),
        ({"version": ""}, "has an older Sigmasmith; update it"),
        ({"version": "0.1.0+000000000000"}, "has Sigmasmith 0.1.0+000000000000, this is"),
        ({"token": "Bearer right"}, "refuses the token (HTTP 401); set SIGMASMITH_AUTHORIZATION to its header"),
    ],
)
def test_a_server_that_cannot_be_used_is_named_before_any_other_gets_a_job(said, server, sentence):
    with FakeComfy() as good, FakeComfy(**server) as bad:
        text = said({"servers": [good.address, bad.address], "jobs": [JOB]})
        assert f"{bad.address} {sentence}" in text
        assert good.address not in text
        assert good.calls_made == 0


def test_a_server_that_is_not_there_is_named(said):
    assert "http://127.0.0.1:1 does not answer: Connection refused" in said(one_job())


def test_a_right_token_comes_from_the_environment_and_goes_into_no_file(tmp_path, monkeypatch):
    monkeypatch.setenv("SIGMASMITH_AUTHORIZATION", "Bearer right")
    with FakeComfy(token="Bearer right") as server:
        path = tmp_path / "jobs.json"
        path.write_text(json.dumps({"servers": [server.address], "jobs": [JOB]}))
        assert main(["fleet", str(path), "--out", str(tmp_path / "out")]) == 0
    assert not any(b"right" in file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())


def test_each_server_may_have_a_token_of_its_own(monkeypatch):
    monkeypatch.setenv("OTHER", "Basic x")
    one, two = server_clients(("gpu1:8188/", {"address": "https://gpu2", "authorization": "OTHER"}), 1.0)
    assert (one.address, one.variable) == ("http://gpu1:8188", "SIGMASMITH_AUTHORIZATION")
    assert (two.address, two.variable) == ("https://gpu2", "OTHER")


@pytest.mark.parametrize(
    ("servers", "sentence"),
    [
        (["ftp://x"], "'ftp://x' is no address"),
        (["http://user:word@x"], "a password in an address can be read by others"),
        ([{"address": "x", "authorization": "Bearer secret"}], "must be the name of an environment variable"),
        ([{"address": "x", "authorization": "NOT_SET_ANYWHERE"}], "NOT_SET_ANYWHERE of x is not set"),
        (["x:1", "http://x:1/"], "http://x:1 is named twice"),
        ([], "no servers: name them in the file, or with --servers"),
    ],
)
def test_a_bad_address_is_named_without_its_secrets(said, servers, sentence):
    text = said({"servers": servers, "jobs": [JOB]})
    assert sentence in text
    assert "secret" not in text
    assert "word@" not in text


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"checkpoint": "aa.safetensors"}, "ckpt_name: there is no aa.safetensors (nearest: a.safetensors) on http://"),
        ({"loras": ["style/oil.safetensors"]}, "lora_name: there is no style/oil.safetensors"),
        ({"sampler": "eulr"}, "sampler_name: there is no eulr (nearest: euler)"),
    ],
)
def test_what_no_server_holds_is_named_with_the_nearest(said, changed, sentence):
    with FakeComfy() as server:
        assert sentence in said(one_job(**changed), "--servers", server.address)
        assert server.calls_made == 0


def test_a_job_goes_to_the_servers_that_hold_its_files_as_they_spell_them(tmp_path):
    with FakeComfy(["a.safetensors"]) as one, FakeComfy(["sub\\b.safetensors"]) as two:
        jobs = [JOB, JOB | {"name": "b", "checkpoint": "sub/b.safetensors", "loras": ["style/ink.safetensors"]}]
        path = tmp_path / "jobs.json"
        path.write_text(json.dumps({"servers": [one.address, two.address], "jobs": jobs}))
        assert main(["fleet", str(path), "--out", str(tmp_path / "out")]) == 0
        assert (one.ended, two.ended) == (["a"], ["b"])


def test_only_must_name_a_job(said):
    assert "--only: there is no job 'c'" in said(one_job(), "--only", "c")


def test_help_says_where_the_token_comes_from(capsys):
    with pytest.raises(SystemExit):
        main(["fleet", "--help"])
    assert "SIGMASMITH_AUTHORIZATION" in capsys.readouterr().out


def test_an_output_folder_that_is_a_file_is_named(said, tmp_path):
    (tmp_path / "out").write_text("")
    assert "--out" in said(one_job())
    assert Path(tmp_path / "out").read_text() == ""
