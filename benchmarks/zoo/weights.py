"""The files of the zoo's networks: weights, settings, and what is needed to judge the network without its data."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from ...demo.models.weights import read_state, write_network
from .network import Autoencoder, PredictingDenoiser
from .recipes import Recipe, build_denoiser

FOLDER = Path(__file__).parent / "weights"
AUTOENCODER = "autoencoder"
PROBE_ROWS = 32
_NETWORK, _DATA = "denoiser.", "data."


@dataclass(frozen=True)
class TrainedNetwork:
    """A network of the zoo.

    Args:
        denoiser: float32, without gradients.
        settings: recipe, shape, classes, centre and scale of the data, seed, minutes of training, losses.
        mean, spectrum: (C, H, W) mean and variance of the cosine coefficients of its training data.
        probe: (rows, C, H, W) held-out data of standard deviation about 1; None where the sources' licence binds
            copies (photographs): those are judged on other photographs.
        labels: (rows,) of the probe.
    """

    denoiser: PredictingDenoiser
    settings: dict[str, Any]
    mean: Tensor
    spectrum: Tensor
    probe: Tensor | None
    labels: Tensor | None


def weight_file(name: str) -> Path:
    return FOLDER / f"{name}.safetensors"


def read_trained(name: str, folder: Path = FOLDER) -> TrainedNetwork:
    """The network in FOLDER/NAME.safetensors."""
    state, settings = read_state(folder / f"{name}.safetensors")
    recipe = Recipe(**settings["recipe"])
    channels, size, _ = settings["shape"]
    denoiser = build_denoiser(recipe, channels, size, settings["classes"])
    denoiser.load_state_dict(_part(state, _NETWORK))
    data = {key: value.float() for key, value in _part(state, _DATA).items()}
    labels = data["labels"].long() if "labels" in data else None
    return TrainedNetwork(
        denoiser.eval().requires_grad_(False), settings, data["mean"], data["spectrum"], data.get("probe"), labels
    )


def write_trained(path: Path, recipe: Recipe, network: TrainedNetwork) -> None:
    """Write the file: float16, settings in one metadata key."""
    data = {"mean": network.mean, "spectrum": network.spectrum}
    if network.probe is not None and network.labels is not None:
        data |= {"probe": network.probe, "labels": network.labels}
    state = {_NETWORK + key: value for key, value in network.denoiser.state_dict().items()}
    state |= {_DATA + key: value for key, value in data.items()}
    write_network(path, state, {"recipe": asdict(recipe), **network.settings})


def read_autoencoder(name: str) -> tuple[Autoencoder, dict[str, Any]]:
    """The autoencoder in weights/NAME.safetensors and its settings."""
    state, settings = read_state(weight_file(name))
    autoencoder = Autoencoder(settings["width"])
    autoencoder.load_state_dict(state)
    return autoencoder.eval().requires_grad_(False), settings


def _part(state: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
