"""The work in place of a generation's sampler: a fit, a comparison or a search over seeds.

The host has loaded the model, applied networks and extensions, made the conditionings and drawn the noise as for any
batch of images, and shows progress, preview and Interrupt. A sampler that no list shows then does the work.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from .compare import sample_comparison
from .compare_inputs import COMPARE_SEED, CompareInputs
from .fit import prepare_fit, sample_fit
from .fit_inputs import FIT_SEED, PILOT_EFFORT, FitInputs
from .host.identity import is_flow
from .host.runs import HostRuns, InterruptedException
from .host.slicing import is_whole, starts_from_image
from .pilot import sample_pilot
from .registration import ADAPTIVE, LABELS, OPTIMAL
from .seed_inputs import SeedInputs
from .seeds import sample_seeds
from .state import current_pass

Job = FitInputs | CompareInputs | SeedInputs


def prepare(p: Any, job: Job) -> Job:
    """Turn a generation of the host, before it begins, into a job: one batch of noises at full size, nothing saved.

    Returns:
        the job with what only the generation knows.
    Raises:
        ValueError: names the input to change.
    """
    fits = isinstance(job, FitInputs)
    p.batch_size, p.n_iter = job.rows, 1
    p.subseed_strength, p.seed_resize_from_w, p.seed_resize_from_h = 0, 0, 0
    if not isinstance(job, SeedInputs):  # whose pictures are ordinary images
        p.seed = FIT_SEED if fits else COMPARE_SEED
        p.do_not_save_samples = p.do_not_save_grid = True
        p._ad_disabled = True  # ADetailer's own switch: the pictures are what was measured
    if fits and job.prompts:
        prompts = (str(p.prompt), *job.prompts)
        p.prompt = [prompts[row % len(prompts)] for row in range(job.rows)]
    frozen = fits and job.effort == PILOT_EFFORT
    p.steps, p.scheduler = job.steps[0], LABELS[ADAPTIVE if frozen else OPTIMAL]
    p.refiner_checkpoint = None
    if not starts_from_image(p):
        p.enable_hr = False
    elif not fits and not is_whole(float(p.denoising_strength)):
        raise ValueError("Denoising strength: only a fit starts from an image; use this tab in txt2img")
    return prepare_fit(p, job) if fits else job


def sample_job(
    model: Any,
    x: Tensor,
    sigmas: Tensor,
    extra_args: dict[str, Any] | None = None,
    callback: Callable[..., None] | None = None,
    disable: bool | None = None,
) -> Tensor:
    """Do the job of the generation under way; returns a batch of end states to look at.

    Args:
        model: the host's CFGDenoiser; `model.p` is the generation.
        x: (B, ...) start state at sigmas[0].
    Raises:
        ValueError: names the panel's input to change.
    """
    under_way = current_pass()
    generation = under_way[0] if under_way else None
    if generation is not None and generation.problem is not None:
        raise generation.problem
    if generation is None or generation.job is None:
        raise ValueError("Sigmasmith Fit runs from the Sigmasmith panel alone; choose another sampling method")
    flow = is_flow(model.inner_model, float(model.inner_model.sigmas[-1]))
    runs, job = HostRuns(model, x, extra_args or {}, float(sigmas[0]), flow=flow), generation.job
    try:
        if isinstance(job, FitInputs):
            sample = sample_pilot if job.effort == PILOT_EFFORT else sample_fit
            return sample(generation, job, runs, model.p)
        if isinstance(job, SeedInputs):
            return sample_seeds(generation, job, runs, model.p)
        return sample_comparison(generation, job, runs, model.p)
    except InterruptedException:
        generation.say(_interrupted(job))
        return runs.latest


def _interrupted(job: Job) -> str:
    if not isinstance(job, FitInputs):
        return f"The {'search' if isinstance(job, SeedInputs) else 'comparison'} was interrupted."
    asked = f"{job.sampler}, {', '.join(map(str, job.steps))} steps"
    return f"The fit was interrupted ({asked}); nothing is saved. The same fit started again goes on from there."
