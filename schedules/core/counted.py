"""Model calls counted where a sampler makes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor


class CountedModel:
    """A model object with its calls told. Samplers read its attributes: those pass through.

    Args:
        before: called before every model call; what it raises ends the run.
        after: told the number of rows of every model call after it.
    """

    def __init__(
        self, model: Any, *, before: Callable[[], None] | None = None, after: Callable[[int], None] | None = None
    ) -> None:
        self._model = model
        self._before = before
        self._after = after

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def __call__(self, x: Tensor, sigma: Tensor, **extra_args: Any) -> Tensor:
        if self._before is not None:
            self._before()
        denoised = self._model(x, sigma, **extra_args)
        if self._after is not None:
            self._after(x.shape[0])
        return denoised
