"""A fleet on servers that nap in place of fitting: what is made, what is made once, and what a lost server costs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sigmasmith.cli.fleet.ledger import Ledger
from sigmasmith.cli.main import main
from sigmasmith.schedules.presets.file import load_preset

from .fake_comfy import FakeComfy


def jobs_file(folder: Path, servers: list[FakeComfy], count: int = 6, **changed: Any) -> str:
    """A file of `count` jobs, in turn on two checkpoints."""
    path = folder / "jobs.json"
    jobs = [{"name": f"set/{n}", "checkpoint": f"{'ab'[n % 2]}.safetensors", "seed": n} for n in range(count)]
    defaults = {"prompts": "a red house", "cfg": 5, "size": "64x64", "steps": 4, "sampler": "euler", "effort": "fast"}
    content = {"servers": [server.address for server in servers], "defaults": defaults | changed, "jobs": jobs}
    path.write_text(json.dumps(content), encoding="utf-8")
    return str(path)


def fleet(jobs: str, out: Path, *more: str) -> int:
    return main(["fleet", jobs, "--out", str(out), *more])


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.rglob("*.safetensors"))}


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20.0
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_every_job_is_made_once_and_a_second_run_makes_no_call(tmp_path, capsys):
    with FakeComfy(seconds=0.3) as one, FakeComfy(seconds=0.3) as two:
        jobs = jobs_file(tmp_path, [one, two])
        assert fleet(jobs, tmp_path / "out") == 0
        assert sorted(one.ended + two.ended) == [f"set/{n}" for n in range(6)]
        assert one.loads == two.loads == 1  # jobs of one checkpoint stay on one server
        calls = one.calls_made + two.calls_made
        assert calls == 6 * 5
        made = files(tmp_path / "out")
        assert fleet(jobs, tmp_path / "out") == 0
        assert one.calls_made + two.calls_made == calls
        assert files(tmp_path / "out") == made
    assert "6 jobs: 6 done before, 0 to make." in capsys.readouterr().out
    assert load_preset(tmp_path / "out" / "set" / "3.safetensors").name == "set/3"


def test_the_presets_are_those_of_one_server_byte_for_byte(tmp_path):
    with FakeComfy() as alone:
        assert fleet(jobs_file(tmp_path, [alone]), tmp_path / "serial") == 0
    with FakeComfy() as one, FakeComfy(seconds=0.2) as slow, FakeComfy() as three:
        assert fleet(jobs_file(tmp_path, [one, slow, three]), tmp_path / "parallel") == 0
    assert files(tmp_path / "serial") == files(tmp_path / "parallel")


@pytest.mark.slow
@pytest.mark.parametrize("shared", [False, True])
def test_a_killed_server_loses_one_fit_at_most_and_with_shared_records_one_call(tmp_path, capsys, shared):
    records: dict[str, int] = {}
    with FakeComfy(seconds=1.0, calls=20) as one, FakeComfy(seconds=0.2, calls=20) as two:
        if shared:
            one.shared = two.shared = records
        jobs = jobs_file(tmp_path, [one, two])
        result: list[int] = []
        thread = threading.Thread(target=lambda: result.append(run_in_thread(jobs, tmp_path / "out")))
        thread.start()
        wait_for(lambda: one.calls_made >= 10)
        one.kill()
        thread.join()
        assert result == [0]
        assert len(files(tmp_path / "out")) == 6
        lost = one.calls_made + two.calls_made - 6 * 20
        assert lost <= (1 if shared else 20)
        assert shared or lost >= 10
    assert "the job goes to another server" in capsys.readouterr().out


def run_in_thread(jobs: str, out: Path) -> int:
    """As `fleet`, where signals cannot be set."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sigmasmith.cli.fleet.command.signal.signal", lambda *_: None)
        return fleet(jobs, out)


@pytest.mark.slow
def test_a_server_that_is_started_anew_takes_part_again(tmp_path):
    with FakeComfy(seconds=0.5, calls=20) as one:
        jobs, result = jobs_file(tmp_path, [one], count=2), []
        thread = threading.Thread(target=lambda: result.append(run_in_thread(jobs, tmp_path / "out")))
        thread.start()
        wait_for(lambda: one.calls_made >= 5)
        one.kill()
        one.start()
        thread.join()
        assert result == [0]
        assert len(files(tmp_path / "out")) == 2


@pytest.mark.slow
def test_an_interrupt_stops_our_prompts_and_no_other(tmp_path):
    with FakeComfy(seconds=30.0, calls=1_000) as one, FakeComfy(seconds=30.0, calls=1_000) as two:
        two.queue_theirs()
        theirs = two.wait_until_running()
        jobs = jobs_file(tmp_path, [one, two])
        command = [sys.executable, "-P", "-m", "sigmasmith", "fleet", jobs, "--out", str(tmp_path / "out")]
        # Whatever runs the tests in the background may have them ignore SIGINT, and a child inherits that.
        started = signal.signal(signal.SIGINT, signal.default_int_handler)
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=dict(os.environ))
        signal.signal(signal.SIGINT, started)
        with process:
            ours = one.wait_until_running(60.0)
            wait_for(lambda: bool(two._queue))
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=60)
        assert process.returncode == 130
        assert one.interrupted[:1] == [ours]
        wait_for(lambda: not one.has(ours))
        assert two.interrupted == []
        assert two.has(theirs)
        assert not two._queue
    assert files(tmp_path / "out") == {}


def test_what_a_killed_run_has_left_on_a_server_is_cancelled(tmp_path):
    with FakeComfy(seconds=0.2, calls=200) as one:
        jobs = jobs_file(tmp_path, [one], count=1)
        assert fleet(jobs, tmp_path / "out") == 0
        log = tmp_path / "out" / "fleet.jsonl"
        begun = json.loads(log.read_text().splitlines()[0])
        assert begun["event"] == "begun"
        # As if the run had been killed when it had queued the fit, in the middle of writing a line.
        log.write_text(json.dumps(begun | {"prompt": "prompt of theirs"}) + '\n{"job": "set/0", "ev')
        (tmp_path / "out" / "set" / "0.safetensors").unlink()
        one.seconds = 30.0
        one.queue_theirs()
        left = one.wait_until_running()
        assert fleet(jobs, tmp_path / "out") == 0
        assert one.interrupted[:1] == [left]


def test_failed_jobs_are_listed_with_the_reason_and_a_command_that_makes_them(tmp_path, capsys):
    with FakeComfy(error="minutes: 1 do not suffice") as one:
        jobs = jobs_file(tmp_path, [one], count=2)
        assert fleet(jobs, tmp_path / "out") == 2
        assert "2 of 2 jobs failed" in capsys.readouterr().err
        listed = json.loads((tmp_path / "out" / "failed.json").read_text(encoding="utf-8"))
        assert [entry["job"] for entry in listed] == ["set/0", "set/1"]
        assert listed[0]["reason"] == f"minutes: 1 do not suffice (on {one.address})"
        assert listed[0]["again"] == f"python -m sigmasmith fleet {jobs} --out {tmp_path / 'out'} --only set/0"
        one.error = ""
        assert main(listed[0]["again"].split()[3:]) == 0
        assert list(files(tmp_path / "out")) == ["0.safetensors"]
        listed = json.loads((tmp_path / "out" / "failed.json").read_text(encoding="utf-8"))
        assert [entry["job"] for entry in listed] == ["set/1"]
        assert fleet(jobs, tmp_path / "out") == 0
    assert not (tmp_path / "out" / "failed.json").exists()


def test_a_server_that_can_make_nothing_does_not_use_up_the_jobs(tmp_path, capsys):
    with FakeComfy(error="no space left") as one, FakeComfy(seconds=0.2) as two:
        assert fleet(jobs_file(tmp_path, [one, two]), tmp_path / "out") == 0
        assert len(files(tmp_path / "out")) == 6
        assert one.ended == []
    assert "no space left; the job goes to another server" in capsys.readouterr().out


@pytest.mark.slow
def test_a_fit_that_ends_two_servers_is_not_given_to_a_third(tmp_path):
    with FakeComfy(seconds=30.0, calls=1_000) as one, FakeComfy(seconds=30.0, calls=1_000) as two, FakeComfy() as three:
        three.checkpoints = ["b.safetensors"]
        jobs, result = jobs_file(tmp_path, [one, two, three], count=1), []
        thread = threading.Thread(target=lambda: result.append(run_in_thread(jobs, tmp_path / "out")))
        thread.start()
        for _ in range(2):
            wait_for(lambda: one._running is not None or two._running is not None)
            (one if one._running else two).kill()
        thread.join()
        assert result == [2]
    reason = json.loads((tmp_path / "out" / "failed.json").read_text(encoding="utf-8"))[0]["reason"]
    assert "two servers were lost" in reason


def test_a_folder_is_filled_by_one_fleet_at_a_time(tmp_path, capsys):
    with FakeComfy() as one:
        ledger = Ledger(tmp_path / "out", "", ())
        assert fleet(jobs_file(tmp_path, [one]), tmp_path / "out") == 2
        assert "being filled by another fleet" in capsys.readouterr().err
        ledger.close()
        assert fleet(jobs_file(tmp_path, [one]), tmp_path / "out") == 0


def test_a_preset_of_another_job_is_not_taken_for_this_ones(tmp_path, capsys):
    with FakeComfy() as one:
        assert fleet(jobs_file(tmp_path, [one], count=1), tmp_path / "out") == 0
        before, calls = files(tmp_path / "out"), one.calls_made
        assert fleet(jobs_file(tmp_path, [one], count=1, cfg=7), tmp_path / "out") == 2
        assert "holds a preset of this name, made from another job" in capsys.readouterr().err
        assert (files(tmp_path / "out"), one.calls_made) == (before, calls)
        assert fleet(jobs_file(tmp_path, [one], count=1, cfg=7), tmp_path / "out", "--refit") == 0
        assert load_preset(tmp_path / "out" / "set" / "0.safetensors").guidance == 7.0


def test_a_preset_that_the_server_had_under_the_name_at_another_effort_is_refused(tmp_path):
    with FakeComfy() as one:
        assert fleet(jobs_file(tmp_path, [one], count=1), tmp_path / "one") == 0
        assert fleet(jobs_file(tmp_path, [one], count=1, effort="thorough"), tmp_path / "two") == 2
    reason = json.loads((tmp_path / "two" / "failed.json").read_text(encoding="utf-8"))[0]["reason"]
    assert "has effort 'fast'; --refit makes it anew" in reason


@pytest.mark.slow
def test_four_servers_are_at_least_nine_tenths_as_quick_as_four_times_one(tmp_path):
    seconds, count = 3.0, 16  # long beside what a busy machine takes for the rest
    servers = [FakeComfy(["a.safetensors", "b.safetensors"], seconds=seconds, calls=1) for _ in range(4)]
    try:
        for server in servers:
            server.start()
        start = time.monotonic()
        assert fleet(jobs_file(tmp_path, servers, count), tmp_path / "out") == 0
        spent = time.monotonic() - start
    finally:
        for server in servers:
            server.kill()
    assert count * seconds / (4 * spent) >= 0.9
