"""Pictures of before and after, made by the pack on members of the zoo: on top of the README, and for the examples.

python -P -m sigmasmith.benchmarks.zoo.before_after --readme docs/before_after.png --examples example_workflows
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ...cli.subjects import PlainSubject
from ...demo.picture import Row, sample_sheet
from ...schedules.adaptive.samplers import sample_sigmasmith_adaptive
from ...schedules.core.types import SamplerFunction
from ...schedules.family.schedule import family_schedule
from ...schedules.fitting.calibration import Calibration
from ...schedules.hosting.multistep import multistep_of
from ...schedules.hosts.schedules import host_schedules
from ...schedules.samplers.by_name import own_sampler
from ...schedules.samplers.fitted import NAME
from ...schedules.variance.ddim import sample_ddim
from .example_picture import Strip, example_picture
from .members import member_pictures, zoo_subject

# What a new KSampler is set to, and a run so fine that it stands for the end of all.
_AS_SET, _FINE = ("euler", "simple"), 100
_README_MODEL, _README_GUIDANCE, _README_STEPS = "clipart_latent_eps", 3.0, 6
_README_SHOWN = slice(4, 10)
_JUDGES, _SEED, RACE_ROWS = 64, 1_000, 6


@dataclass(frozen=True)
class Scene:
    """A member at a guidance, and noises that nothing was fitted on.

    Args:
        steps: of the runs that are shown.
        first: of the noises that are shown.
    """

    member: str
    guidance: float
    steps: int
    first: int = 0

    @property
    def subject(self) -> PlainSubject:
        return zoo_subject(self.member, self.guidance)

    def run(self, sampler: SamplerFunction, sigmas: Tensor, rows: int, start: Tensor | None = None) -> Tensor:
        """(rows, ...) end states, from pure noise or from given states."""
        subject, every = self.subject, self.first + rows
        x = subject.noise(every, _SEED) * float(sigmas[0]) if start is None else start
        given = {name: value[-rows:] for name, value in subject.extra_args(every).items() if isinstance(value, Tensor)}
        return sampler(subject.denoiser, x[-rows:], sigmas, extra_args={**subject.extra_args(rows), **given})

    def as_set(self, rows: int) -> Tensor:
        sampler, schedule = _AS_SET
        return self.run(own_sampler(sampler), host_schedules(self.subject.sigma_range)[schedule](self.steps), rows)

    def fine(self, rows: int) -> Tensor:
        schedule = "simple" if self.subject.sigma_range.flow else "karras"
        return self.run(own_sampler("dpmpp_2m"), host_schedules(self.subject.sigma_range)[schedule](_FINE), rows)

    def family(self, rows: int, steps: int | None = None) -> Tensor:
        """The family's list and coefficients, as Auto runs them untuned."""
        limits = self.subject.sigma_range
        sigmas = family_schedule(
            steps or self.steps, sigma_min=limits.sigma_min, sigma_max=limits.sigma_max, flow=limits.flow
        ).sigmas
        return self.run(multistep_of(None, limits, self.guidance), sigmas, rows)

    def fitted(self, effort: str = "quick") -> Calibration:
        """As Auto's race makes it, on noises of its own."""
        subject = self.subject
        return subject.fit(subject.noise(RACE_ROWS, 0), NAME, (self.steps,), effort=effort)


def readme_picture() -> bytes:
    """PNG of as set, raced and many steps on the same noises."""
    scene = Scene(_README_MODEL, _README_GUIDANCE, _README_STEPS)
    calibration = scene.fitted()
    ends = {
        f"{scene.steps} steps, as set": (f"{_AS_SET[0]}, {_AS_SET[1]}", scene.as_set(_JUDGES)),
        f"{scene.steps} steps, Sigmasmith": (
            f"tuned once, by {calibration.nfe * RACE_ROWS:.0f} model calls",
            scene.run(calibration.sampler_function(), calibration.sigmas(scene.steps), _JUDGES),
        ),
        f"{_FINE} steps": ("where both should end", scene.fine(_JUDGES)),
    }
    aim, rows = ends[f"{_FINE} steps"][1], []
    for label, (remark, end) in ends.items():
        error = float((end - aim).square().flatten(1).mean(dim=1).sqrt().log().mean().exp()) if end is not aim else 0.0
        said = f"{remark}; error {error:.3f}" if error else remark
        rows.append(Row(label, said, member_pictures(scene.member, end[_README_SHOWN])))
    title = f"{scene.steps} steps on the same noises, before and after"
    remark = f"{scene.member}, a small trained model, guidance {scene.guidance:g}. Nothing was fitted on these noises."
    return sample_sheet(title, remark, rows, tile=112, label=310)


def compared(scene: Scene) -> bytes:
    """As set above, the pack below."""
    rows = 3
    pictures = [member_pictures(scene.member, end) for end in (scene.as_set(rows), scene.family(rows))]
    return example_picture(
        [
            Strip(f"{scene.steps} steps, as set", pictures[0]),
            Strip(f"{scene.steps} steps, Sigmasmith", pictures[1]),
        ]
    )


def changed(scene: Scene, denoise: float) -> bytes:
    """Finished images above, the same noised to a denoise and run anew below."""
    rows, limits = 3, scene.subject.sigma_range
    images = scene.family(rows)
    full = int(scene.steps / denoise)
    sigmas = family_schedule(full, sigma_min=limits.sigma_min, sigma_max=limits.sigma_max, flow=limits.flow).sigmas
    sigmas = sigmas[-(scene.steps + 1) :]
    noise, sigma = scene.subject.noise(rows, _SEED + 1), float(sigmas[0])
    start = (1.0 - sigma) * images + sigma * noise if limits.flow else images + sigma * noise
    after = scene.run(multistep_of(None, limits, scene.guidance), sigmas, rows, start)
    shown = [member_pictures(scene.member, states) for states in (images, after)]
    return example_picture([Strip("an image", shown[0]), Strip(f"changed at denoise {denoise:g}", shown[1])])


def searched(scene: Scene) -> bytes:
    """Drafts of a few steps, and the seed that pleases a reward most, finished."""
    drafts = member_pictures(scene.member, scene.family(12, 4))
    best = int((drafts[:, 0] - drafts[:, 1:].mean(dim=1)).flatten(1).mean(dim=1).argmax())
    finished = member_pictures(scene.member, scene.family(12))[best : best + 1]
    return example_picture([Strip("12 drafts", drafts, best), Strip("the reddest, finished", finished)])


def drawn_by(scene: Scene, label: str, sampler: Callable[..., Tensor], other: str) -> bytes:
    """A deterministic run above, another sampler on the same noises below."""
    rows, limits = 3, scene.subject.sigma_range
    sigmas = host_schedules(limits)["simple" if limits.flow else "karras"](scene.steps)
    plain = member_pictures(scene.member, scene.run(own_sampler("euler"), sigmas, rows))
    below = member_pictures(scene.member, scene.run(sampler, sigmas, rows))
    return example_picture([Strip(other, plain), Strip(label, below)])


def _adaptive(model: object, x: Tensor, sigmas: Tensor, **given: object) -> Tensor:
    return sample_sigmasmith_adaptive(model, x, sigmas, calls=len(sigmas) - 1, **given)  # pyright: ignore


def _with_eta(model: object, x: Tensor, sigmas: Tensor, **given: object) -> Tensor:
    return sample_ddim(model, x, sigmas, eta=0.8, **given)  # pyright: ignore


# Title of an example -> what makes its picture.
EXAMPLES: dict[str, Callable[[], bytes]] = {
    "Text to image": lambda: compared(Scene("clipart_latent_eps", 3.0, 6, 4)),
    "Fit a schedule, see before and after": lambda: compared(Scene("clipart_latent_eps", 3.0, 5, 6)),
    "Flow model with a shift": lambda: compared(Scene("glyphs_flow", 3.0, 5)),
    "Flux": lambda: compared(Scene("photographs_latent_flow", 1.0, 6, 2)),
    "SDXL with a LoRA": lambda: compared(Scene("emoji16_v", 3.0, 5)),
    "Qwen-Image": lambda: compared(Scene("lowercase16_flow", 3.0, 6)),
    "Video": lambda: compared(Scene("digits_flow", 3.0, 4)),
    "Wan 2.2, two experts": lambda: compared(Scene("glyphs_flow", 3.0, 4, 9)),
    "Image to image": lambda: changed(Scene("emoji16_v", 3.0, 6, 6), 0.55),
    "Detail pass": lambda: changed(Scene("clipart_latent_eps", 3.0, 6, 9), 0.5),
    "Upscale": lambda: changed(Scene("emoji16_v", 3.0, 6, 3), 0.35),
    "Search for seeds": lambda: searched(Scene("clipart_latent_eps", 3.0, 10)),
    "Variance": lambda: drawn_by(Scene("emoji16_v", 3.0, 20), "with noise of its own", _with_eta, "20 steps, no noise"),
    "Adaptive steps": lambda: drawn_by(Scene("digits_eps", 3.0, 10), "steps chosen on the way", _adaptive, "10 steps"),
    "Compare schedules": lambda: compared(Scene("digits_eps", 3.0, 5, 4)),
}


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m sigmasmith.benchmarks.zoo.before_after",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--readme", type=Path, help="file of the README's picture")
    parser.add_argument("--examples", type=Path, help="folder of the examples' pictures")
    parser.add_argument("--only", default="", help="words that an example's title must hold")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    if args.readme:
        args.readme.write_bytes(readme_picture())
    for title, make in EXAMPLES.items() if args.examples else ():
        if args.only in title:
            (args.examples / f"{title}.jpg").write_bytes(make())


if __name__ == "__main__":
    main()
