"""The noise that a run added, step by step, as numbers and as words."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor


@dataclass(frozen=True)
class StepNoise:
    """Noise of one step.

    Attributes:
        sigma, sigma_next: levels of the step.
        std: of the noise added, by the formula; None where a host's sampler does not tell it.
        drawn: 0-dim root mean square of the noise tensor that went in (1 within its own chance), before it was
            scaled to `std`. Read when the run is over, so that no step waits for the device.
        eta: in force; None where the sampler has none.
        factor: s_noise and the posterior's part, already in `std`.
        note: churn, or a restart.
    """

    sigma: float
    sigma_next: float
    std: float | None = 0.0
    drawn: Tensor | None = None
    eta: float | None = None
    factor: float = 1.0
    note: str = ""

    @property
    def added(self) -> float | None:
        """Standard deviation of the noise that really went in; None where unknown."""
        return self.std if self.std is None or self.drawn is None else self.std * float(self.drawn)

    def words(self) -> str:
        """`sigma 2.1 -> 1.4, noise std 0.41, eta 0.5`."""
        parts = [f"sigma {self.sigma:.4g} -> {self.sigma_next:.4g}"]
        if (added := self.added) is not None:
            parts.append(f"noise std {added:.3g}" if added else "no noise")
        elif self.factor != 1.0:
            parts.append(f"the sampler's noise times {self.factor:.3g}")
        if self.eta is not None:
            parts.append(f"eta {self.eta:.3g}")
        if self.note:
            parts.append(self.note)
        return ", ".join(parts)


@dataclass
class NoiseLog:
    """The readout of a run.

    Attributes:
        how: which code ran: the host's sampler, or an own one and why.
        steps: in the order they ran.
    """

    how: str = ""
    steps: list[StepNoise] = field(default_factory=list)

    def text(self) -> str:
        """One numbered line per step below a line that says how."""
        lines = [f"step {number}: {entry.words()}" for number, entry in enumerate(self.steps, start=1)]
        return "\n".join([self.how, *lines] if self.how else lines)


def rms(noise: Tensor) -> Tensor:
    """0-dim root mean square."""
    return noise.square().mean().sqrt()
