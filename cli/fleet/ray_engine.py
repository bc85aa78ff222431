"""The engine `ray`: fits of denoisers without a host, one task for each, on whatever machines a Ray cluster has."""

from __future__ import annotations

import contextlib
import importlib
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...schedules.core.words import parse_steps
from ...schedules.fitting.journal import Records
from ...schedules.presets.file import to_bytes
from ..fit import calm_threads, preset_of
from ..subjects import PlainSubject, demo_subject, named_sampler, own_subject
from .jobs import Job
from .ledger import Ledger, digest_of
from .table import FleetTable

# How often Ray runs a task again whose worker has died.
_RETRIES = 3
_DEFAULTS = {"sampler": "dpmpp_2m", "steps": "5, 8, 10, 20", "effort": "balanced", "noises": 16, "seed": 0}


def check_ray_jobs(jobs: Sequence[Job]) -> None:
    """ValueError with a line for each job that names a model, denoiser or sampler that is not there."""
    problems: list[str] = []
    for job in jobs:
        try:
            _subject_of(job.given)
            named_sampler(job.given.get("sampler", _DEFAULTS["sampler"]))
        except ValueError as error:
            problems.append(f"{job.label}: {error}")
    if problems:
        raise ValueError("\n".join(problems))


def ray_digest(job: Job) -> str:
    """Digest of all that a job's preset depends on."""
    return digest_of(job.given)


def work_on_ray(jobs: Sequence[Job], ledger: Ledger, records: Path, address: str | None) -> None:
    """Make every job.

    Args:
        records: of unfinished fits; the workers go on with one that another has begun where they share this folder.
        address: of the cluster; None: of the variable RAY_ADDRESS, else this machine alone.
    """
    ray = _ray()
    ray.init(address=address, log_to_driver=False, logging_level="warning", include_dashboard=False)
    table, waiting, running = FleetTable(len(jobs), []), list(jobs), {}
    task = ray.remote(max_retries=_RETRIES, num_cpus=1)(fitted_preset)
    try:
        room = max(1, int(ray.cluster_resources().get("CPU", 1)))
        while waiting or running:
            while waiting and len(running) < room:
                job = waiting.pop(0)
                ledger.begun(job, ray_digest(job), "ray")
                table.begun(job.name, job.name)
                folder = str((records / ray_digest(job)).absolute())
                running[task.remote(dict(job.given), folder)] = job, time.monotonic()
            ended, _ = ray.wait(list(running), num_returns=1, timeout=1.0)
            for reference in ended:
                job, start = running.pop(reference)
                problem = _kept(ray, reference, job, ledger, time.monotonic() - start)
                if problem:
                    ledger.fail(job, ray_digest(job), "ray", problem)
                else:
                    shutil.rmtree(records / ray_digest(job), ignore_errors=True)
                table.ended(job.name, job.name, time.monotonic() - start, problem)
    finally:
        table.close()
        for reference in running:
            ray.cancel(reference, force=True)
        ray.shutdown()
        with contextlib.suppress(OSError):
            records.rmdir()


def fitted_preset(given: Mapping[str, Any], records: str) -> bytes:
    """The preset file of a job, made by a worker."""
    chosen = _DEFAULTS | dict(given)
    calm_threads("cpu")
    subject = _subject_of(chosen)
    _, sampler = named_sampler(chosen["sampler"])
    with Records(records, f"{subject.name} {subject.guidance}") as journal:
        calibration = subject.fit(
            subject.noise(chosen["noises"], chosen["seed"]),
            sampler,
            parse_steps(chosen["steps"]),
            effort=chosen["effort"],
            minutes=chosen.get("minutes") or None,
            denoise=chosen.get("denoise", 1.0),
            journal=journal,
        )
    return to_bytes(preset_of(calibration, subject, chosen["seed"], chosen["name"]))


def _kept(ray: Any, reference: Any, job: Job, ledger: Ledger, seconds: float) -> str:
    """The fault of an ended task, in words; "" where its preset is kept."""
    try:
        ledger.done(job, ray_digest(job), "ray", ray.get(reference), seconds)
    except ray.exceptions.RayTaskError as error:
        return str(error.cause or error).strip().splitlines()[-1]
    except ray.exceptions.RayError as error:
        return f"its worker died {_RETRIES + 1} times ({type(error).__name__})"
    except ValueError as error:
        return str(error)
    return ""


def _subject_of(given: Mapping[str, Any]) -> PlainSubject:
    if "model" in given:
        return demo_subject(given["model"], given.get("cfg"))
    return own_subject(
        given["denoiser"],
        shape=given["shape"],
        sigma_min=given["sigma_min"],
        sigma_max=given["sigma_max"],
        flow=given.get("flow", False),
        guidance=given.get("cfg"),
    )


def _ray() -> Any:
    try:
        return importlib.import_module("ray")
    except ModuleNotFoundError as error:
        if error.name != "ray":
            raise
        raise ValueError('--engine ray needs Ray: pip install -e ".[ray]"') from None
