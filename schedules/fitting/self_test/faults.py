"""The fault of a model or a sampler, as an error that names which and why."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor

from ...core.finite import ModelError
from ..budget import OutOfTimeError

# Errors that say enough by themselves.
_PASSED_ON = (ModelError, OutOfTimeError, MemoryError)


class SelfTestError(ValueError):
    """Nothing can be fitted through this model or for this sampler; names the input and the cause."""


@contextmanager
def named_model(suspects: str = "") -> Iterator[None]:
    """While a model is called or a run of it made: what it raises is its own and becomes a SelfTestError.

    Args:
        suspects: a sentence on what the host knows on the model, or "".
    """
    try:
        yield
    except (*_PASSED_ON, SelfTestError):
        raise
    except Exception as error:
        hint = f" {suspects}" if suspects else ""
        raise SelfTestError(f"model: it cannot run: {type(error).__name__}: {error}.{hint}") from error


def checked_shape(denoised: Tensor, x: Tensor) -> Tensor:
    """The model's output, of the shape of what it was given."""
    if denoised.shape != x.shape:
        raise ValueError(f"the model returned the shape {tuple(denoised.shape)} for {tuple(x.shape)}")
    return denoised
