"""How each picture set is cut: (root, size) -> pictures, labels and the number of the source of each.

Pillow is imported where it is needed: a trained model runs without it.
"""

from __future__ import annotations

import string
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ...demo.models.data import render_letters

Cut = tuple[np.ndarray, np.ndarray, np.ndarray]

CLIPART_FOLDERS = (
    "animals", "buildings", "buttons", "computer", "containers", "decorations", "education", "electronics", "food",
    "geography", "logos", "office", "people", "plants", "recreation", "science", "shapes", "signs_and_symbols",
    "special", "tools", "transportation", "unsorted",
)  # fmt: skip
# Of these packages most pictures are drawings or gradients: these are the photographs.
PHOTOGRAPHS = (
    "backgrounds/mate/nature/*",
    *(
        f"wallpapers/{name}/contents/images/*"
        for name in (
            "BytheWater", "ColdRipple", "ColorfulCups", "DarkestHour", "EveningGlow", "FallenLeaf", "Grey", "Kite",
            "OneStandsOut", "Path", "Volna", "summer_1am",
        )
    ),
)  # fmt: skip
EMOJI_RANGES = {
    "faces": (range(0x1F600, 0x1F645), range(0x1F910, 0x1F918), range(0x1F920, 0x1F930), range(0x1F970, 0x1F97B)),
    "animals": (range(0x1F400, 0x1F440), range(0x1F980, 0x1F9AF)),
    "food": (range(0x1F32D, 0x1F330), range(0x1F345, 0x1F380), range(0x1F950, 0x1F970)),
    "plants": (range(0x1F331, 0x1F345),),
    "places": (range(0x1F300, 0x1F321), range(0x1F3D4, 0x1F3F1), range(0x1F5FB, 0x1F600)),
    "vehicles": (range(0x1F680, 0x1F6B3), range(0x1F6F3, 0x1F6FD)),
    "clothes": (range(0x1F451, 0x1F464), range(0x1F97B, 0x1F980), range(0x1F9E2, 0x1F9E7)),
    "things": (range(0x1F4A0, 0x1F500), range(0x1F380, 0x1F3C0), range(0x1F52A, 0x1F540), range(0x1F9E7, 0x1F9FF)),
}
LOWERCASE = string.ascii_lowercase
_LETTERS_PER_CLASS = 480
_CLIPART_BYTES, _CLIPART_PIXELS = 200_000, 1_000_000
_CROPS, _SMALLEST_CROP, _SHORT_SIDE = 400, 0.15, 768
_EMOJI_COPIES = 16
# The bitmaps of Noto Color Emoji have this size alone.
_EMOJI_POINTS, _EMOJI_CANVAS = 109, 136


def cut_clipart(root: Path, size: int) -> Cut:
    """Every clip-art picture on white, its bounding box centred in a square with a small margin."""
    from PIL import Image

    folder = root / "usr/share/openclipart/png"
    images, labels = [], []
    for path in sorted(folder.rglob("*.png")):
        # Some are 12,000 pixels wide.
        if path.stat().st_size > _CLIPART_BYTES:
            continue
        try:
            picture = Image.open(path)
            if picture.width * picture.height > _CLIPART_PIXELS:
                continue
            picture = picture.convert("RGBA")
        except (OSError, ValueError):
            continue
        box = picture.getchannel("A").getbbox()
        if box is None:
            continue
        picture = picture.crop(box)
        # Banners and poles would be a line of pixels.
        if max(picture.size) <= 3 * min(picture.size):
            images.append(_on_white(picture, size, margin=0.06))
            labels.append(CLIPART_FOLDERS.index(path.relative_to(folder).parts[0]))
    return _stacked(images, size), np.array(labels), _spread(len(images))


def cut_photographs(root: Path, size: int) -> Cut:
    """Square crops of photographs, side .15 to 1 of the short side, half of them mirrored; the same at every size."""
    from PIL import Image

    rng = np.random.default_rng(20240608)
    images, sources = [], []
    for number, path in enumerate(_photograph_files(root)):
        picture = Image.open(path).convert("RGB")
        factor = _SHORT_SIDE / min(picture.size)
        picture = picture.resize((round(picture.width * factor), round(picture.height * factor)), Image.Resampling.BOX)
        for _ in range(_CROPS):
            side = round(_SHORT_SIDE * np.exp(rng.uniform(np.log(_SMALLEST_CROP), 0.0)))
            left, top = rng.integers(picture.width - side + 1), rng.integers(picture.height - side + 1)
            pixels = np.asarray(
                picture.resize((size, size), Image.Resampling.BOX, (left, top, left + side, top + side))
            )
            images.append(pixels[:, ::-1] if rng.random() < 0.5 else pixels)
            sources.append(number)
    return _stacked(images, size), np.zeros(len(images), dtype=np.int64), np.array(sources)


def cut_emoji(root: Path, size: int) -> Cut:
    """Emoji on white under small shifts and scales, 16 copies of each."""
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.truetype(str(root / "usr/share/fonts/truetype/noto/NotoColorEmoji.ttf"), _EMOJI_POINTS)
    rng = np.random.default_rng(20240609)
    images, labels, sources = [], [], []
    for label, ranges in enumerate(EMOJI_RANGES.values()):
        for code in (code for numbers in ranges for code in numbers):
            picture = Image.new("RGBA", (_EMOJI_CANVAS, _EMOJI_CANVAS), (255, 255, 255, 0))
            ImageDraw.Draw(picture).text((0, 0), chr(code), font=font, embedded_color=True)
            box = picture.getchannel("A").getbbox()
            if box is None:
                continue
            for _ in range(_EMOJI_COPIES):
                images.append(_on_white(picture.crop(box), size, margin=rng.uniform(0.0, 0.12), jitter=rng))
                labels.append(label)
                sources.append(code)
    return _stacked(images, size), np.array(labels), np.unique(sources, return_inverse=True)[1]


def cut_lowercase(root: Path, size: int) -> Cut:
    """Small letters of matplotlib's fonts, 16x16 grey, under small affine maps; root is not needed."""
    images, labels = render_letters(LOWERCASE, _LETTERS_PER_CLASS, seed=20240610)
    assert images.shape[-1] == size
    pixels = np.round((images + 1) * 127.5).astype(np.uint8)[..., None]
    return pixels, labels, np.arange(len(labels))


def _photograph_files(root: Path) -> Iterator[Path]:
    """The largest file of each photograph: the packages hold some in several sizes."""
    share = root / "usr/share"
    for pattern in PHOTOGRAPHS:
        files = sorted(path for path in share.glob(pattern) if path.suffix in (".jpg", ".png", ".webp"))
        if pattern.startswith("wallpapers"):
            files = sorted(files, key=lambda path: path.stat().st_size)[-1:]
        yield from files


def _on_white(picture: Any, size: int, margin: float, jitter: np.random.Generator | None = None) -> np.ndarray:
    """(size, size, 3) uint8: the picture in a white square, `margin` of its longer side around it."""
    from PIL import Image

    side = round(max(picture.size) * (1 + 2 * margin))
    free = np.array([side - picture.width, side - picture.height])
    at = free // 2 if jitter is None else np.array([jitter.integers(room + 1) for room in free])
    square = Image.new("RGBA", (side, side), "white")
    square.alpha_composite(picture, (int(at[0]), int(at[1])))
    return np.asarray(square.convert("RGB").resize((size, size), Image.Resampling.BOX))


def _stacked(images: list[np.ndarray], size: int) -> np.ndarray:
    return np.stack(images) if images else np.empty((0, size, size, 3), dtype=np.uint8)


def _spread(count: int) -> np.ndarray:
    """Numbers 0 .. count - 1 shuffled, always alike: neighbours in a folder are alike too."""
    return np.random.default_rng(20240611).permutation(count)
