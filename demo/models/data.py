"""The two image sets of the demo, made on the spot: nothing is downloaded.

scikit-learn, matplotlib and Pillow are imported where they are needed: a trained model runs without them.
"""

import string
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

Split = Literal["train", "held_out"]

_HELD_OUT_EVERY = 6
_GLYPHS_PER_CLASS = 480
_GLYPH_SIZE = 16
_OVERSAMPLING = 4
# Faces of matplotlib's own folder whose capitals sit at their ASCII codes (cmmi10, cmsy10 and cmex10 do not).
_FACES = (
    "DejaVuSans",
    "DejaVuSans-Bold",
    "DejaVuSans-Oblique",
    "DejaVuSans-BoldOblique",
    "DejaVuSansMono",
    "DejaVuSansMono-Bold",
    "DejaVuSerif",
    "DejaVuSerif-Bold",
    "DejaVuSerif-Italic",
    "DejaVuSerif-BoldItalic",
    "STIXGeneral",
    "STIXGeneralBol",
    "STIXGeneralItalic",
    "STIXGeneralBolIta",
    "cmb10",
    "cmr10",
    "cmss10",
    "cmtt10",
    "cmti10",
)


@dataclass(frozen=True)
class DataSet:
    """Facts of an image set that its networks are built from."""

    shape: tuple[int, int, int]
    classes: tuple[str, ...]
    load: Callable[[], tuple[Tensor, Tensor]]


def load_data(name: str, split: Split) -> tuple[Tensor, Tensor]:
    """Images `(N, C, H, W)` float32 in [-1, 1] and labels `(N,)` long; every sixth image is held out of training.

    Raises:
        ValueError: no such data set.
    """
    if name not in DATA_SETS:
        raise ValueError(f"data set {name!r} is unknown; there are {', '.join(DATA_SETS)}")
    images, labels = DATA_SETS[name].load()
    held_out = torch.arange(len(images)) % _HELD_OUT_EVERY == 0
    keep = held_out if split == "held_out" else ~held_out
    return images[keep], labels[keep]


def _digits() -> tuple[Tensor, Tensor]:
    """scikit-learn's 1,797 handwritten digits, 8x8, 17 grey levels."""
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    images = torch.from_numpy(pixels).float().reshape(-1, 1, 8, 8) / 8 - 1
    return images, torch.from_numpy(labels).long()


def _glyphs() -> tuple[Tensor, Tensor]:
    """Capital letters, 16x16, from matplotlib's fonts under small random affine maps; always the same images."""
    images, labels = render_letters(string.ascii_uppercase, _GLYPHS_PER_CLASS, seed=20240607)
    return torch.from_numpy(images)[:, None], torch.from_numpy(labels)


def render_letters(letters: str, per_letter: int, *, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Images `(N, 16, 16)` float32 in [-1, 1] of N = len(letters) * per_letter letters, and labels `(N,)` int64."""
    import matplotlib
    from PIL import ImageFont

    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    # One em is the whole picture: capitals, .66 to .73 em in these faces, are then about 11 of 16 pixels high.
    fonts = [ImageFont.truetype(str(folder / f"{face}.ttf"), 16 * _OVERSAMPLING) for face in _FACES]
    rng = np.random.default_rng(seed)
    labels = np.arange(len(letters) * per_letter) % len(letters)
    images = np.stack([_draw(letters[label], fonts[rng.integers(len(fonts))], rng) for label in labels])
    # Shuffled, so that the held-out sixth holds every letter.
    order = rng.permutation(len(labels))
    return images[order], labels[order]


def _draw(letter: str, font: Any, rng: np.random.Generator) -> np.ndarray:
    """One letter, centred, then turned, sheared, scaled and shifted a little; `(16, 16)` float32 in [-1, 1]."""
    from PIL import Image, ImageDraw

    side = _GLYPH_SIZE * _OVERSAMPLING
    canvas = Image.new("L", (side, side), 0)
    left, top, right, bottom = font.getbbox(letter)
    ImageDraw.Draw(canvas).text(((side - left - right) / 2, (side - top - bottom) / 2), letter, font=font, fill=255)
    turn, shear = rng.normal(0, 0.07), rng.normal(0, 0.08)
    widen, heighten = np.exp(rng.normal(0, 0.07, size=2))
    # Pillow wants the map from the output pixel back to the input pixel; both are taken about the centre.
    back = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) @ np.array(
        [[widen, shear], [0, heighten]]
    )
    centre = np.full(2, side / 2)
    offset = centre - back @ (centre + rng.uniform(-0.9, 0.9, size=2) * _OVERSAMPLING)
    canvas = canvas.transform(
        (side, side),
        Image.Transform.AFFINE,
        (back[0, 0], back[0, 1], offset[0], back[1, 0], back[1, 1], offset[1]),
        resample=Image.Resampling.BILINEAR,
    )
    small = canvas.resize((_GLYPH_SIZE, _GLYPH_SIZE), Image.Resampling.BOX)
    return np.asarray(small, dtype=np.float32) / 127.5 - 1


DATA_SETS: dict[str, DataSet] = {
    "digits": DataSet((1, 8, 8), tuple(string.digits), _digits),
    "glyphs": DataSet((1, _GLYPH_SIZE, _GLYPH_SIZE), tuple(string.ascii_uppercase), _glyphs),
}
