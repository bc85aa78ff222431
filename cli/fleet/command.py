"""The command: reads and checks everything, and only then lets an engine work."""

from __future__ import annotations

import argparse
import shlex
import signal
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from ...schedules.core.words import duration
from ..parser import PROGRAM
from .addresses import server_clients
from .crew import Crew, cancel_left_behind, job_digest
from .fields import COMFY
from .graph import graph_of, model_files
from .jobs import Job, JobsFile, load_jobs
from .ledger import FAILED, Ledger
from .placement import PlacedJob, check_servers, place

ENGINES = ("comfy", "ray")


def run(args: argparse.Namespace) -> None:
    file = load_jobs(Path(args.jobs))
    engine = args.engine or file.engine or ENGINES[0]
    if engine not in ENGINES:
        raise ValueError(f"engine must be one of {', '.join(ENGINES)}, got {engine!r:.40}")
    if not 0.0 < args.patience <= 86_400.0:
        raise ValueError(f"--patience must be above 0 and at most a day in seconds, got {args.patience:g}")
    jobs = _chosen(file, args.only)
    wrong = [job.label for job in jobs if (job.kind in COMFY) is not (engine == "comfy")]
    if wrong:
        raise ValueError(f"{wrong[0]}: the engine {engine} cannot make a job of this kind")
    # A program that ends this one from outside is a person at the keyboard.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with closing(Ledger(Path(args.out), _command(args), {job.name for job in file.jobs})) as ledger:
        _on_servers(args, file, jobs, ledger) if engine == "comfy" else _on_ray(args, file, jobs, ledger)
        if ledger.failed:
            failed = ledger.folder / FAILED
            raise ValueError(f"{len(ledger.failed)} of {len(jobs)} jobs failed; {failed} says why and how to go on")


def _on_servers(args: argparse.Namespace, file: JobsFile, jobs: Sequence[Job], ledger: Ledger) -> None:
    servers = server_clients(_servers(args, file), args.patience)
    if not servers:
        raise ValueError("no servers: name them in the file, or with --servers")
    placed = _graphs(jobs, args.refit)
    left = _left([(job, job_digest(job)) for job in placed], ledger, args.refit)
    if not left:
        return
    check_servers(servers)
    place(left, servers)
    cancel_left_behind(servers, ledger)
    Crew(servers, left, ledger, alone=max(120.0, 2.0 * args.patience)).work()
    _say_end(len(left), ledger)


def _on_ray(args: argparse.Namespace, file: JobsFile, jobs: Sequence[Job], ledger: Ledger) -> None:
    # Imported only for this engine: it needs torch and the models.
    from .ray_engine import check_ray_jobs, ray_digest, work_on_ray

    servers = _servers(args, file)
    if len(servers) > 1 or not all(isinstance(server, str) for server in servers):
        raise ValueError("servers: the engine ray takes one address, of its cluster")
    left = _left([(job, ray_digest(job)) for job in jobs], ledger, args.refit)
    if not left:
        return
    check_ray_jobs(left)
    records = Path(args.records) if args.records else ledger.folder / "unfinished"
    work_on_ray(left, ledger, records, servers[0] if servers else None)
    _say_end(len(left), ledger)


def _chosen(file: JobsFile, only: Sequence[str]) -> list[Job]:
    """The jobs to look at: all, or those of the names given."""
    names = {job.name for job in file.jobs}
    for name in only:
        if name not in names:
            raise ValueError(f"--only: there is no job {name!r}")
    return [job for job in file.jobs if not only or job.name in only]


def _servers(args: argparse.Namespace, file: JobsFile) -> tuple[Any, ...]:
    return tuple(args.servers) if args.servers else file.servers


def _graphs(jobs: Sequence[Job], refit: bool) -> list[PlacedJob]:
    """The jobs with their graphs, those of one loaded model in one group.

    Raises:
        ValueError: a line for each job whose workflow cannot take what the job says.
    """
    placed: list[PlacedJob] = []
    problems: list[str] = []
    for job in jobs:
        try:
            graph = graph_of(job, refit=refit)
        except ValueError as error:
            problems.append(f"{job.label}: {error}")
        else:
            placed.append(PlacedJob(job, graph, model_files(graph)))
    if problems:
        raise ValueError("\n".join(problems))
    return placed


def _left(jobs: Sequence[tuple[Any, str]], ledger: Ledger, refit: bool) -> list[Any]:
    """The jobs that are still to be made.

    Raises:
        ValueError: a line for each that cannot be told from another preset in the folder.
    """
    left: list[Any] = []
    problems: list[str] = []
    for job, digest in jobs:
        try:
            if refit or not ledger.is_done(job.job if isinstance(job, PlacedJob) else job, digest):
                left.append(job)
        except ValueError as error:
            problems.append(str(error))
    if problems:
        raise ValueError("\n".join(problems))
    print(f"{len(jobs)} jobs: {len(jobs) - len(left)} done before, {len(left)} to make.", flush=True)
    return left


def _say_end(count: int, ledger: Ledger) -> None:
    print(f"{count - len(ledger.failed)} presets made in {duration(ledger.seconds)}: {ledger.folder}")


def _command(args: argparse.Namespace) -> str:
    """The command that runs this fleet again."""
    parts = [*PROGRAM.split(), "fleet", args.jobs, "--out", args.out]
    given = {"--engine": args.engine, "--servers": ",".join(args.servers), "--records": args.records}
    for option, value in given.items():
        parts += [option, value] if value else []
    return shlex.join(parts)
