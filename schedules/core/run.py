"""How a fit runs samplers: the contract between the core and whoever holds the model.

`fitting/direct.py` fulfils it for a plain denoiser, `nodes/host/runs.py` for ComfyUI, `webui/host/runs.py` for the
WebUIs. Whoever fulfils `Run` can be fitted; the other protocols are for more than whole runs of one model.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

from torch import Tensor

# Noises that the hosts' inputs take at least: two to search on, two that judge.
LEAST_ASKED = 4


class RunSampler(Protocol):
    """A sampler function as a run starts it, with k-diffusion's signature.

    It calls `model(x, sigma, **extra_args) -> denoised` with x of the shape it was given and sigma (B,), in decreasing
    sigma but for a look a twentieth below a level (a fit that was interrupted may begin at the top once more), once or
    several times per step, and reads attributes of the model (inner_model ...), so a model that is wrapped must pass
    them through. It may raise: ModelError where an output is not finite, OutOfTimeError where a fit's minutes are used
    up, and whatever a progress function raises to cancel. None of these may be caught by the run.
    """

    def __call__(self, model: Any, x: Tensor, sigmas: Tensor, **kwargs: Any) -> Tensor:
        """(B, ...) the state at sigmas[-1]; the keywords are those of k-diffusion: extra_args, callback, disable."""
        ...


class Run(Protocol):
    """Runs sampler functions on one model, always from the same start state of a batch of B rows.

    The run owns the model, the noise, the conditionings and the start state; it gives none of them away but to the
    sampler function, which must not write into them. A fit calls it many times, with other samplers and sigmas, and
    counts on equal results for equal arguments: nothing may be left over from one call to the next.

    Attributes:
        splits: whether a run on some rows costs those rows alone. Where it is False every call runs the whole batch,
            whatever `rows` says, and the fit takes its rows out of the result.
    """

    splits: bool

    def __call__(self, sampler: RunSampler, sigmas: Tensor, rows: slice) -> None:
        """Start `sampler` once on these sigmas.

        Args:
            sampler: given the model, the start state of `rows` at sigmas[0] (pure noise scaled as the host scales it
                where sigmas[0] is below sigma_max), and `extra_args` that hold these rows' entries. What it returns is
                the end state in model space; the run may drop it, for the fit's samplers keep their own.
            sigmas: (steps + 1,) float32, CPU, strictly decreasing, ending in 0. The run may move it to the device.
            rows: start and stop of the batch's rows, step 1.
        Raises:
            MemoryError: a single row does not fit the device. With more rows the run itself retries with fewer at a
                time; the sampler sees all of them at once all the same.
            Whatever the sampler or the model raises.

        Where two models take turns (fitting/experts.py) the run starts the sampler once for each that has a step: on
        the part of the sigmas above the boundary, then on the rest, from where the first stopped. A sampler that is
        `ResumesHandover` is asked first, and told afterwards, what the first model handed over.
        """
        ...


# A run as a plain function: a teacher or a pilot needs no more of it.
StartSampler = Callable[[RunSampler, Tensor, slice], None]


@runtime_checkable
class StartsFromImages(Protocol):
    """A run that can also start in the middle of the noise, which fits below denoise 1 need."""

    @property
    def has_images(self) -> bool:
        """Whether it starts from images of the caller already, which are then noised to the first sigma."""
        ...

    def start_from(self, images: Tensor, sigma: float) -> None:
        """Start from these images from now on, each noised to sigma with another row's noise than it was made of.

        Args:
            images: (B, ...) in model space, CPU or device.
            sigma: first level of every later run.
        """
        ...


@runtime_checkable
class RunsRowByRow(Protocol):
    """A run that can give the sampler function a model which takes its rows one after the other."""

    def one_row_at_a_time(self) -> None:
        """Call the model with a single row from now on; the sampler still sees the whole batch."""
        ...


@runtime_checkable
class RunsInTurn(Protocol):
    """A run of two models that have to be loaded in turn, and can be asked for runs of either alone.

    Attributes:
        first, second: their runs.
        boundary: the sigma from which upwards the first one runs.
    """

    first: Run
    second: Run
    boundary: float


@runtime_checkable
class ResumesHandover(Protocol):
    """A sampler function that remembers what the first of two models handed over to the second."""

    def known(self, sigmas: Tensor) -> Tensor | None:
        """The state that an earlier run of these sigmas handed over to `keep`; None: the first model must run."""
        ...

    def keep(self, handed: Tensor) -> None:
        """Remember it; called after the first model's part of every run, whether it ran or was known."""
        ...


def take_rows(values: Tensor, rows: slice) -> Tensor:
    """The asked rows of a result that holds them alone or the whole batch."""
    return values if values.shape[0] == rows.stop - rows.start else values[rows]
