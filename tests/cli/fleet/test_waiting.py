"""The order in which servers are given jobs."""

from __future__ import annotations

from sigmasmith.cli.fleet.jobs import Job
from sigmasmith.cli.fleet.placement import PlacedJob
from sigmasmith.cli.fleet.waiting import WaitingJobs


def jobs(groups: str, servers: str = "xy") -> list[PlacedJob]:
    """One job for each letter, a group; any of the servers can make it."""
    placed = [PlacedJob(Job(f"{group}{n}", {}), {}, group) for n, group in enumerate(groups)]
    for job in placed:
        job.graphs = {server: {} for server in servers}
    return placed


def taken(waiting: WaitingJobs, server: str) -> str:
    waiting.finished(server)
    job = waiting.take_now(server)
    return "" if job is None else job.job.name


def test_a_server_stays_with_its_group_and_a_free_one_begins_the_largest_that_nobody_has():
    waiting = WaitingJobs(jobs("abbacb"))
    assert taken(waiting, "x")[0] == "b"
    assert taken(waiting, "y")[0] == "a"
    assert [taken(waiting, "x")[0] for _ in range(3)] == ["b", "b", "c"]
    assert taken(waiting, "y")[0] == "a"


def test_a_server_without_a_group_of_its_own_helps_with_the_largest():
    waiting = WaitingJobs(jobs("aaaaa"))
    assert [taken(waiting, server) for server in "xyxyx"] == ["a0", "a1", "a2", "a3", "a4"]
    assert not waiting.is_done
    assert taken(waiting, "y") == taken(waiting, "x") == ""
    assert waiting.is_done


def test_a_lost_job_goes_first_and_after_two_losses_to_nobody():
    waiting = WaitingJobs(jobs("aabb", "xyz"))
    lost = taken(waiting, "x")
    assert waiting.lost("x")
    assert taken(waiting, "y") == lost
    assert not waiting.lost("y")
    assert [taken(waiting, "z") for _ in range(4)] == ["b2", "b3", "a1", ""]
    assert waiting.is_done


def test_a_job_is_given_to_a_server_that_holds_its_files_alone():
    waiting = WaitingJobs([*jobs("a", "x"), *jobs("b", "xy")])
    assert taken(waiting, "y") == "b0"
    assert taken(waiting, "y") == ""
    assert taken(waiting, "x") == "a0"


def test_jobs_that_only_lost_servers_could_make_are_given_up():
    waiting = WaitingJobs([*jobs("a", "x"), *jobs("b", "xy")])
    assert [job.job.name for job in waiting.give_up({"x"})] == ["a0"]
    assert taken(waiting, "y") == "b0"
    waiting.finished("y")
    assert waiting.is_done


def test_a_stopped_queue_gives_out_nothing():
    waiting = WaitingJobs(jobs("ab"))
    waiting.stop()
    assert waiting.take("x") is None
