"""A fleet of real ComfyUI servers, each with presets of its own; they share checkpoints and records."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

from .graphs import text_to_image
from .server import ComfyServer, find_host, make_tiny_models

pytestmark = [pytest.mark.host, pytest.mark.slow]

PACK = Path(__file__).resolve().parents[2]
JOBS = 100
# Seconds that a part of a fleet's work may take on a machine that others use too.
PATIENCE = 1800.0
# Those of tiny_sd3 take a third of the time.
CHECKPOINTS = ("tiny_sd3", "tiny_sd3_b", "tiny_sd3_c", "tiny_sd15")


class Member:
    """One server of a fleet, its model calls counted, and slowed where asked."""

    def __init__(self, host: Any, base: Path, models: Path, records: Path) -> None:
        counter = base / "custom_nodes" / "CallCounter"
        counter.mkdir(parents=True)
        shutil.copy(Path(__file__).with_name("call_counter") / "__init__.py", counter)
        (base / "models").mkdir()
        for kind in ("checkpoints", "loras"):
            (base / "models" / kind).symlink_to(models / kind, target_is_directory=True)
        (base / "user" / "sigmasmith").mkdir(parents=True)
        (base / "user" / "sigmasmith" / "unfinished").symlink_to(records, target_is_directory=True)
        self._calls, self._seconds = counter / "calls", counter / "seconds"
        self.server = ComfyServer(host, base, pack=PACK)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server.port}"

    @property
    def calls(self) -> int:
        return self._calls.stat().st_size if self._calls.exists() else 0

    def slow_down(self, seconds: float) -> None:
        """Every further call takes that much longer."""
        self._seconds.write_text(str(seconds))


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four checkpoints of two kinds."""
    host, reason = find_host()
    if host is None:
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("models")
    make_tiny_models(host, folder)
    weights = load_file(folder / "checkpoints" / "tiny_sd3.safetensors")
    last = next(name for name in weights if name.endswith("final_layer.linear.weight"))
    for letter, factor in (("b", 1.1), ("c", 0.9)):
        save_file(weights | {last: factor * weights[last]}, folder / "checkpoints" / f"tiny_sd3_{letter}.safetensors")
    return folder


@pytest.fixture
def members(models: Path, tmp_path: Path) -> Iterator[Callable[[int], list[Member]]]:
    """Starts servers; they are stopped at the end."""
    host, _ = find_host()
    (tmp_path / "records").mkdir()
    started: list[Member] = []

    def start(count: int) -> list[Member]:
        new = [
            Member(host, tmp_path / f"server {len(started) + n}", models, tmp_path / "records") for n in range(count)
        ]
        started.extend(new)
        for member in new:
            member.server.start()
            assert member.server.import_failures() == []
        return new

    yield start
    for member in started:
        member.server.stop()


def jobs_file(path: Path, count: int, **changed: Any) -> Path:
    """Jobs on four checkpoints, some with a LoRA, at several guidances and seeds."""
    jobs: list[dict[str, Any]] = []
    for number in range(count):
        styled = number % 20 == 19
        checkpoint = CHECKPOINTS[3 if styled else number % 3]
        job = {"name": f"studio/{number:03}", "checkpoint": f"{checkpoint}.safetensors", "seed": number}
        job |= {"cfg": 3 + number % 5, "prompts": ["a red house by the sea", "a boat"][: 1 + number % 2]}
        if styled:
            job["loras"] = [{"name": "tiny_sd15_lora.safetensors", "strength": 0.5}]
        jobs.append(job)
    defaults = {"size": "64x64", "sampler": "euler", "steps": 3, "effort": "fast", "noises": 4}
    path.write_text(json.dumps({"defaults": defaults | changed, "jobs": jobs}), encoding="utf-8")
    return path


def fleet(jobs: Path, out: Path, members: Sequence[Member]) -> subprocess.Popen[str]:
    servers = ",".join(member.address for member in members)
    command = [sys.executable, "-P", "-m", "sigmasmith", "fleet", str(jobs), "--out", str(out), "--servers", servers]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=dict(os.environ))


def ended(process: subprocess.Popen[str]) -> str:
    """What a fleet that must succeed has printed."""
    said, _ = process.communicate()
    assert process.returncode == 0, said
    return said


def presets(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*.safetensors"))}


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_hundred_fits_on_four_servers_one_killed_and_one_slowed_are_those_of_one(members, tmp_path):
    jobs = jobs_file(tmp_path / "jobs.json", JOBS)
    (alone,) = members(1)
    start = time.monotonic()
    ended(fleet(jobs, tmp_path / "serial", [alone]))
    serial, needed = time.monotonic() - start, alone.calls
    alone.server.stop()
    four = members(4)
    four[1].slow_down(0.05)
    start = time.monotonic()
    process = fleet(jobs, tmp_path / "parallel", four)
    wait_until(lambda: len(presets(tmp_path / "parallel")) >= JOBS // 4)
    before = four[2].calls
    wait_until(lambda: four[2].calls >= before + needed // JOBS // 2)
    four[2].server.kill()
    said = ended(process)
    parallel = time.monotonic() - start
    assert said.count("job goes to another server") == 1
    made = presets(tmp_path / "parallel")
    assert len(made) == JOBS
    assert made == presets(tmp_path / "serial")
    lost = sum(member.calls for member in four) - needed
    print(f"{JOBS} fits, {needed} calls: {serial:.0f} s on one server, {parallel:.0f} s on four; {lost} calls lost")
    assert lost <= needed / JOBS * 1.5  # one fit in flight, and fits differ in their calls
    left = [four[0], four[1], four[3]]
    calls = sum(member.calls for member in left)
    ended(fleet(jobs, tmp_path / "parallel", left))
    assert sum(member.calls for member in left) == calls
    assert presets(tmp_path / "parallel") == made


@pytest.mark.parametrize("effort", ["fast", "balanced"])
def test_a_fit_of_a_killed_server_goes_on_elsewhere_from_shared_records(members, tmp_path, effort):
    one, two = members(2)
    jobs = jobs_file(tmp_path / "jobs.json", 1, effort=effort)
    ended(fleet(jobs, tmp_path / "clean", [two]))
    needed = two.calls
    (two.server.base / "models" / "sigmasmith" / "studio" / "000.safetensors").unlink()
    one.slow_down(0.6)  # a call of half a second is worth a record of its own
    process = fleet(jobs, tmp_path / "out", [one, two])
    wait_until(lambda: one.calls >= 0.7 * needed)
    one.server.kill()
    assert "job goes to another server" in ended(process)
    lost = one.calls + two.calls - 2 * needed
    print(f"killed after {one.calls} of {needed} calls, {two.calls - needed} more elsewhere: {lost} lost")
    assert presets(tmp_path / "out") == presets(tmp_path / "clean")
    assert lost <= 0.05 * needed


def test_an_interrupted_fleet_stops_its_own_prompt_and_leaves_that_of_others(members, tmp_path):
    (member,) = members(1)
    member.slow_down(0.3)
    server, jobs = member.server, jobs_file(tmp_path / "jobs.json", 2)
    process = fleet(jobs, tmp_path / "out", [member])
    wait_until(lambda: member.calls >= 5)
    theirs = server.queue(text_to_image("tiny_sd3", steps=3))
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate()
    assert process.returncode == 130, said
    ours = json.loads((tmp_path / "out" / "fleet.jsonl").read_text(encoding="utf-8").splitlines()[0])["prompt"]
    assert server.wait(ours).status == "interrupted"
    assert server.wait(theirs).status == "success"
    assert presets(tmp_path / "out") == {}
    theirs = server.queue(text_to_image("tiny_sd3", steps=20))
    process = fleet(jobs, tmp_path / "out", [member])
    wait_until(lambda: len(server.get("/queue")["queue_pending"]) == 1)
    process.send_signal(signal.SIGINT)
    process.communicate()
    assert process.returncode == 130
    assert server.get("/queue")["queue_pending"] == []
    assert server.wait(theirs).status == "success"


def test_what_a_real_server_lacks_is_named_before_anything_starts(members, models, tmp_path):
    (member,) = members(1)
    host, _ = find_host()
    assert host is not None
    jobs = jobs_file(tmp_path / "jobs.json", 1)
    with ComfyServer(host, tmp_path / "bare", models=models) as bare:
        servers = f"{member.address},http://127.0.0.1:{bare.port}"
        assert f":{bare.port} lacks Sigmasmith; clone it into custom_nodes" in refused(jobs, tmp_path / "out", servers)
    content = json.loads(jobs.read_text(encoding="utf-8"))
    content["jobs"][0]["checkpoint"] = "tiny_sd4.safetensors"
    jobs.write_text(json.dumps(content), encoding="utf-8")
    said = refused(jobs, tmp_path / "out", member.address)
    assert f"ckpt_name: there is no tiny_sd4.safetensors (nearest: tiny_sd3.safetensors) on {member.address}" in said
    assert member.calls == 0


def refused(jobs: Path, out: Path, servers: str) -> str:
    """What a fleet says that must not begin."""
    command = [sys.executable, "-P", "-m", "sigmasmith", "fleet", str(jobs), "--out", str(out), "--servers", servers]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    return done.stderr
