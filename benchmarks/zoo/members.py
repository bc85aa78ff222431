"""Every member of the zoo by name: what it is, for splits of the zoo, and the model itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ...cli.subjects import PlainSubject, demo_subject
from ...demo.models.network import EPS_RANGE, FLOW_RANGE
from ...demo.models.weights import DEMO_NAMES, load_demo, read_state
from ...schedules.core.noise_space import SigmaRange
from ...schedules.presets.identity import ModelIdentity, Prediction
from .data import PICTURE_SETS
from .mixtures import MixtureSettings, mixture_subject
from .recipes import RANGES, Recipe, told_flow_range
from .weights import AUTOENCODER, FOLDER, read_autoencoder, read_trained, weight_file

Kind = Literal["mixture", "unet", "transformer"]

MIXTURES: dict[str, MixtureSettings] = {
    "mixture_photographs8": MixtureSettings("sample_photographs", 8, 3, 2.0, "sd"),
    "mixture_photographs16": MixtureSettings("sample_photographs", 16, 3, 2.0, "sd"),
    "mixture_photographs32": MixtureSettings("sample_photographs", 32, 3, 1.5, "edm", std=0.5),
    "mixture_photographs64": MixtureSettings("sample_photographs", 64, 3, 2.0, "sd"),
    "mixture_latents16": MixtureSettings("sample_photographs", 16, 4, 0.5, "sd", flatten=1.5, within=0.5),
    "mixture_latents32": MixtureSettings("shapes", 32, 16, 0.5, "flow2", flatten=1.5, within=0.5),
    "mixture_shapes8": MixtureSettings("shapes", 8, 1, 1.0, "flow1", flatten=1.0),
    "mixture_shapes16": MixtureSettings("shapes", 16, 3, 1.0, "zero_snr", flatten=1.0),
    "mixture_shapes32": MixtureSettings("shapes", 32, 3, 2.0, "flow2"),
    "mixture_letters16": MixtureSettings("letters", 16, 1, 1.0, "sd", modes=52, classes=26, within=0.1),
    "mixture_letters32": MixtureSettings("letters", 32, 1, 1.0, "edm", modes=52, classes=26, within=0.1),
    "mixture_clipart16": MixtureSettings("clipart", 16, 3, 1.5, "sd", within=0.15, modes=48),
    "mixture_clipart32": MixtureSettings("clipart", 32, 3, 1.5, "flow2", within=0.15, modes=48),
    "mixture_clipart64": MixtureSettings("clipart", 64, 3, 2.0, "zero_snr", within=0.15, modes=48),
}


@dataclass(frozen=True)
class Member:
    """Facts of a model that are known without running it.

    Args:
        data: picture set, or source of a mixture's pictures.
        shape: of one state.
        range: its noise levels.
        prediction: of a network; None for a mixture.
        classes: 0 where it takes no labels.
        kind: mixture, or the network.
        latent: works in the latent space of an autoencoder, or has a spectrum about as flat as latents have.
        distilled: runs in few steps, so nothing may be fitted to it.
        licence: of the sources of its data.
        minutes: of training on one core; None where not recorded, or nothing was trained.
        held_out_loss, wiener_loss: mean square error on held-out data, of it and of the best linear denoiser.
    """

    name: str
    data: str
    shape: tuple[int, ...]
    kind: Kind
    range: SigmaRange
    prediction: Prediction | None
    classes: int
    latent: bool
    distilled: bool
    licence: str
    minutes: float | None = None
    held_out_loss: float | None = None
    wiener_loss: float | None = None

    @property
    def resolution(self) -> int:
        return self.shape[-1]

    @property
    def trained(self) -> bool:
        return self.kind != "mixture"


def zoo_members() -> tuple[Member, ...]:
    """Every member: trained networks, the demo's networks, mixtures."""
    return tuple(MEMBERS.values())


def zoo_subject(name: str, guidance: float = 1.0) -> PlainSubject:
    """A member as the model that the benchmarks and the command line run.

    Raises:
        ValueError: no such member.
        FileNotFoundError: a mixture of clip art, and its array is not made; the message names the command.
    """
    if name not in MEMBERS:
        raise ValueError(f"zoo member {name!r} is unknown; there are {', '.join(MEMBERS)}")
    if name in MIXTURES:
        return mixture_subject(name, MIXTURES[name], guidance)
    if name in DEMO_NAMES:
        return demo_subject(name, guidance)
    return _network_subject(MEMBERS[name], guidance)


def member_pictures(name: str, states: Tensor) -> Tensor:
    """Pictures (N, 1 or 3, H, W), about -1 to 1, of end states of a member: decoded, or moved and scaled back."""
    if name in MIXTURES:
        return states[:, :3] / 2 if states.shape[1] >= 3 else states[:, :1] / 2
    if name in DEMO_NAMES:
        return states
    _, settings = read_state(weight_file(name))
    values = states * settings["scale"] + settings["centre"]
    autoencoder = settings["recipe"]["autoencoder"]
    return read_autoencoder(autoencoder)[0].decode(values) if autoencoder else values


def _network_subject(member: Member, guidance: float) -> PlainSubject:
    denoiser = read_trained(member.name).denoiser
    identity = ModelIdentity(
        family="SigmasmithZoo",
        prediction=member.prediction,
        sigma_min=member.range.sigma_min,
        sigma_max=member.range.sigma_max,
        flow=member.range.flow,
        parameters=sum(parameter.numel() for parameter in denoiser.parameters()),
        checkpoint=f"{member.name}.safetensors",
    )
    cfg = guidance if member.classes else None
    shown = f"{member.name}, guidance {guidance:g}"
    return PlainSubject(shown, denoiser, member.shape, identity, cfg, member.classes, torch.device("cpu"))


def _trained_member(name: str) -> Member:
    _, settings = read_state(weight_file(name))
    recipe = Recipe(**settings["recipe"])
    trained, shape = RANGES[recipe.range], tuple(settings["shape"])
    return Member(
        name,
        recipe.data,
        shape,
        recipe.network,
        told_flow_range(shape[-1]) if trained.flow else trained,
        recipe.prediction,
        settings["classes"],
        latent=recipe.autoencoder is not None,
        distilled=recipe.teacher is not None,
        licence=PICTURE_SETS[recipe.data].licence,
        minutes=settings["minutes"],
        held_out_loss=settings["held_out_loss"],
        wiener_loss=settings["wiener_loss"],
    )


def _demo_member(name: str) -> Member:
    model = load_demo(name)
    # Their presets say eps; around the network stands EDM's preconditioning.
    prediction: Prediction = "flow" if model.flow else "edm"
    limits = SigmaRange(*FLOW_RANGE, flow=True) if model.flow else SigmaRange(*EPS_RANGE)
    licence = "BSD-3-Clause (scikit-learn)" if name.startswith("digits") else PICTURE_SETS["lowercase"].licence
    data = str(model.settings["data"])
    return Member(name, data, model.shape, "unet", limits, prediction, model.classes, False, False, licence)


def _mixture_member(name: str, settings: MixtureSettings) -> Member:
    shape = (settings.channels, settings.size, settings.size)
    limits, licence = RANGES[settings.range], _SOURCE_LICENCES[settings.source]
    return Member(
        name, settings.source, shape, "mixture", limits, None, settings.classes, settings.flatten > 1, False, licence
    )


_SOURCE_LICENCES = {
    "sample_photographs": "CC-BY-2.0 (scikit-learn)",
    "clipart": PICTURE_SETS["clipart"].licence,
    "letters": PICTURE_SETS["lowercase"].licence,
    "shapes": "none: drawn at random",
}
NETWORKS = tuple(sorted(path.stem for path in FOLDER.glob("*.safetensors") if path.stem != AUTOENCODER))
MEMBERS: dict[str, Member] = {
    **{name: _trained_member(name) for name in NETWORKS},
    **{name: _demo_member(name) for name in DEMO_NAMES},
    **{name: _mixture_member(name, settings) for name, settings in MIXTURES.items()},
}
