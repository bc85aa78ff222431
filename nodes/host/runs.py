"""Runs of a sampler function in the host: one `guider.sample` each, on the rows and prompts of a calibration set.

The host splits conditionings, never rows. So one sampler function sees all rows asked for, and the model calls below
it are cut into groups of rows: by prompt, and to what fits the memory. The cut is made where every guider must pass,
in the host's CALC_COND_BATCH wrapper, below guidance; so guiders, CFG++ samplers and guidance nodes see whole batches.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import comfy.model_management
import comfy.patcher_extension
import comfy.sampler_helpers
import comfy.samplers
import torch
from torch import Tensor

from ...schedules.hosting import LOGGER_NAME
from ...schedules.hosting.call_timer import CallTimer
from ...schedules.hosting.row_groups import RowGroups
from . import messages
from .row_conds import conds_of_row, entries
from .watch import AUTO_KEY, WRAPPER_KEY

_ROWS_KEY = "sigmasmith_rows"
_TOO_LARGE = (
    "Out of memory with a single sample at a time. Give `latent` a smaller size or fewer frames for the "
    "fit, close other programs that use the device, or start ComfyUI with --lowvram."
)


class GuiderRuns:
    """The Run (schedules/core/run.py) of a guider; it also starts from images.

    Args:
        guider: not changed; a copy runs.
        latent: (B, ...) the latent that the noise is put on.
        seed: of the first row's noise, and of samplers that draw noise of their own.
        positives: further positive conditionings, paired with the noises at random.
    Attributes:
        noise: (B, ...) standard normal.
        prompt_of_row: row r uses this positive conditioning, 0 being the guider's own.
        one_row: whether the model is called with one row at a time, guidance and all.
    """

    splits = True

    def __init__(self, guider: Any, latent: Tensor, seed: int, positives: tuple[Any, ...] = ()) -> None:
        self.noise = noise = noise_rows(tuple(latent.shape), seed)
        self.latent = latent
        self.seed = seed
        self.timer = CallTimer(noise.shape[0])
        self.preview: Tensor | None = None  # the first row of the latest model output
        self.prompt_of_row = prompt_rows(1 + len(positives), noise.shape[0], seed)
        self.one_row = False
        self.entries = 1  # rows after which the entries of the conditionings begin anew
        self.guider = self._prepared(guider, positives)
        self._rows = slice(0, noise.shape[0])
        chunk = first_chunk(guider.model_patcher, tuple(noise.shape))
        self.groups = RowGroups(chunk, _TOO_LARGE, lambda: comfy.model_management.soft_empty_cache(True))

    @property
    def chunk(self) -> int:
        """Rows that run at a time."""
        return self.groups.size

    @property
    def has_images(self) -> bool:
        """Whether the latent is more than an empty one, which has one value per channel (some models' is not 0)."""
        flat = self.latent.flatten(2)
        return bool((flat != flat[..., :1]).any())

    def start_from(self, images: Tensor, sigma: float) -> None:
        """Put the noise on these (B, ...) images of the model, each on another one than was made of it.

        The host scales it to the first sigma of a run.
        """
        self.latent = self.guider.model_patcher.model.process_latent_out(images.cpu().float())
        self.noise = self.noise.roll(1, dims=0)

    def one_row_at_a_time(self) -> None:
        """Call the model with a single row from now on."""
        self.one_row = True

    def __call__(self, sampler: Callable[..., Tensor], sigmas: Tensor, rows: slice) -> None:
        """Run one sampler function on these rows, from the host's own start state."""
        self.sample(sampler, sigmas, rows, self.noise[rows], self.latent[rows])

    def sample(
        self, sampler: Callable[..., Tensor], sigmas: Tensor, rows: slice, noise: Tensor, latent: Tensor
    ) -> Tensor:
        """One `guider.sample` on these rows; returns the host's latent."""
        self._rows = rows

        def sample(model: Any, x: Tensor, sigmas: Tensor, extra_args: Any = None, **_: Any) -> Tensor:
            return sampler(_Observed(model, self), x, sigmas, extra_args=extra_args, callback=None, disable=True)

        return self.guider.sample(
            noise.clone(), latent.clone(), comfy.samplers.KSAMPLER(sample), sigmas, disable_pbar=True, seed=self.seed
        )

    @contextmanager
    def only(self, row: int) -> Iterator[None]:
        """While a call is made with this row of the run alone."""
        rows = self._rows
        self._rows = slice(rows.start + row, rows.start + row + 1)
        try:
            yield
        finally:
            self._rows = rows

    def _prepared(self, guider: Any, positives: tuple[Any, ...]) -> Any:
        """A copy of the guider with our wrappers and the further prompts, without those of Apply and Auto."""
        copied = _copied(guider)
        copied.original_conds = dict(guider.original_conds)
        for number, positive in enumerate(positives, start=1):
            copied.original_conds[f"positive_{number}"] = comfy.sampler_helpers.convert_cond(positive)
        own, rows = dict(copied.original_conds), self.noise.shape[0]
        self.entries = max(entries(conds, rows) for conds in own.values()) if own else 1
        for row in range(self.entries if self.entries > 1 else 0):
            copied.original_conds |= {_entry(key, row): conds_of_row(conds, row, rows) for key, conds in own.items()}
        patcher, kinds = guider.model_patcher.clone(), comfy.patcher_extension.WrappersMP
        for key in (WRAPPER_KEY, AUTO_KEY):
            patcher.remove_wrappers_with_key(kinds.OUTER_SAMPLE, key)
        patcher.add_wrapper_with_key(kinds.CALC_COND_BATCH, _ROWS_KEY, self._in_groups)
        patcher.add_wrapper_with_key(kinds.PREPARE_SAMPLING, _ROWS_KEY, self._for_one_group)
        copied.model_patcher = patcher
        return copied

    def _for_one_group(self, executor: Any, model: Any, noise_shape: Any, *args: Any, **kwargs: Any) -> Any:
        """Tell the host's memory estimate how many rows will really run at a time."""
        shape = [min(self.chunk, noise_shape[0]), *noise_shape[1:]]
        return executor(model, shape, *args, **kwargs)

    def _in_groups(self, executor: Any, model: Any, conds: list[Any], x: Tensor, timestep: Tensor, options: Any) -> Any:
        """The host's conditioned model call, row group by row group; fewer rows at a time when memory runs out."""
        # Rows of one prompt and with the same entries of their conditionings can run together.
        rows = range(*self._rows.indices(self.noise.shape[0]))
        kinds = [self.prompt_of_row[row] * self.entries + row % self.entries for row in rows]
        if len(kinds) != x.shape[0]:  # a guider that makes its own batch
            if len(set(kinds)) > 1 and x.shape[0] % len(kinds):
                raise ValueError(f"the guider makes {x.shape[0]} images of {len(kinds)}: whose prompt is whose?")
            kinds = [kinds[row % len(kinds)] for row in range(x.shape[0])]

        def call(group: list[int]) -> list[Tensor]:
            messages.stop_if_interrupted()
            index = torch.tensor(group, device=x.device)
            return executor(model, self._conds_of(conds, kinds[group[0]]), x[index], timestep[index], options)

        parts = self.groups.run(call, kinds)
        order = torch.tensor([row for group, _ in parts for row in group], device=x.device).argsort()
        return [torch.cat([out[i] for _, out in parts])[order] for i in range(len(conds))]

    def _conds_of(self, conds: list[Any], kind: int) -> list[Any]:
        """The conditionings of a call for rows of a kind: those of their prompt, with their entries."""
        prompt, row = divmod(kind, self.entries)
        if kind == 0 and self.entries == 1:
            return conds
        known = self.guider.conds
        names = {id(cond): name for name, cond in known.items()}
        taken: list[Any] = []
        for cond in conds:
            name = names.get(id(cond))
            if prompt and name == "positive":
                name = f"positive_{prompt}"
            taken.append(cond if name is None else known[_entry(name, row) if self.entries > 1 else name])
        return taken


class _Observed:
    """The host's model object, timed. Samplers read its attributes: those pass through."""

    def __init__(self, model: Any, runs: GuiderRuns) -> None:
        self._model = model
        self._runs = runs

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def __call__(self, x: Tensor, sigma: Tensor, **extra_args: Any) -> Tensor:
        messages.stop_if_interrupted()
        denoised = self._runs.timer.timed(x.shape[0], lambda: self._denoised(x, sigma, extra_args))
        self._runs.preview = denoised[:1]
        return denoised

    def _denoised(self, x: Tensor, sigma: Tensor, extra_args: dict[str, Any]) -> Tensor:
        if not self._runs.one_row or x.shape[0] == 1:
            return self._model(x, sigma, **extra_args)
        parts = []
        for row in range(x.shape[0]):
            with self._runs.only(row):
                parts.append(self._model(x[row : row + 1], sigma[row : row + 1], **extra_args))
        return torch.cat(parts)


def _copied(guider: Any) -> Any:
    """A shallow copy, made by hand: a guider that passes unknown names on recurses where `copy` asks it for some."""
    if hasattr(type(guider), "__copy__") or not hasattr(guider, "__dict__"):
        return copy.copy(guider)
    copied = object.__new__(type(guider))
    copied.__dict__.update(vars(guider))
    return copied


def _entry(name: str, row: int) -> str:
    """Name of the conditioning with a row's own entries."""
    return f"{name} of row {row}"


def noise_rows(shape: tuple[int, ...], seed: int) -> Tensor:
    """(B, ...) standard normal, float32, CPU. Row r is drawn from seed + r alone, so it does not depend on B."""
    rows = [torch.randn(shape[1:], generator=torch.Generator().manual_seed(seed + row)) for row in range(shape[0])]
    return torch.stack(rows)


def prompt_rows(prompts: int, rows: int, seed: int) -> tuple[int, ...]:
    """A prompt for every row, each as often as any other, in random order: noises and prompts are paired at random."""
    generator = torch.Generator().manual_seed(seed)
    order: list[int] = []
    while len(order) < rows:
        order += torch.randperm(prompts, generator=generator).tolist()
    return tuple(order[:rows])


def first_chunk(model: Any, shape: tuple[int, ...]) -> int:
    """Rows per model call to begin with: as many as fit beside the model by the host's own estimate."""
    rows, device = shape[0], model.load_device
    if getattr(device, "type", "cpu") == "cpu":
        return rows
    try:
        room = comfy.model_management.get_total_memory(device) - model.model_size()
        # Guidance doubles the rows; 1.5 is the host's own margin.
        while rows > 1 and model.model.memory_required([2 * rows, *shape[1:]]) * 1.5 > room:
            rows = (rows + 1) // 2
    except Exception as error:
        logging.getLogger(LOGGER_NAME).debug("Sigmasmith: no memory estimate: %s", error)
    return rows
