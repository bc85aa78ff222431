"""The plot of a fit as an IMAGE, drawn with Pillow from plain lists."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

WIDTH, HEIGHT = 900, 560
LEFT, RIGHT, TOP, BOTTOM = 84, 230, 58, 58  # margins; the right one holds the legend
PAPER, INK, GRID, FITTED = (255, 255, 255), (33, 37, 41), (228, 231, 235), (200, 30, 60)
# Okabe and Ito's palette without its red, lightened: hosts' curves stay behind the fitted one for every eye.
HOSTS = [(122, 176, 216), (128, 190, 160), (224, 184, 110), (184, 150, 196), (160, 160, 160), (196, 196, 120)]
MAX_HOSTS = len(HOSTS)


def plot_images(plots: Sequence[tuple[str, Tensor, Mapping[str, Tensor]]]) -> Tensor:
    """(number of plots, HEIGHT, WIDTH, 3) float32 in 0..1.

    Args:
        plots: (title, fitted sigmas, host schedule -> sigmas) each; sigma lists end in 0.
    """
    images = [
        _draw(title, sigmas.tolist(), {n: s.tolist() for n, s in hosts.items()}) for title, sigmas, hosts in plots
    ]
    return torch.stack([to_tensor(image) for image in images])


def to_tensor(image: Any) -> Tensor:
    """(H, W, 3) float32 in 0..1 of an RGB picture."""
    values = torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8)
    return values.reshape(image.height, image.width, 3).float() / 255.0


def to_picture(values: Tensor, size: tuple[int, int]) -> Any:
    """RGB picture of (width, height) pixels from (h, w, 3) in 0..1."""
    pixels = (values.clamp(0.0, 1.0) * 255.0).round().byte().contiguous()
    picture = Image.frombytes("RGB", (pixels.shape[1], pixels.shape[0]), pixels.numpy().tobytes())
    return picture.resize(size, Image.Resampling.LANCZOS)


def _draw(title: str, fitted: list[float], hosts: dict[str, list[float]]) -> Any:
    # Twice the size, then scaled down: Pillow draws lines without smoothing.
    image = Image.new("RGB", (2 * WIDTH, 2 * HEIGHT), PAPER)
    draw = ImageDraw.Draw(image)
    shown = dict(list(hosts.items())[:MAX_HOSTS])
    frame = _Frame([fitted, *shown.values()])
    _axes(draw, frame, title)
    for sigmas, colour in reversed(list(zip(shown.values(), HOSTS))):
        _curve(draw, frame, sigmas, colour, width=4, dots=False)
    _curve(draw, frame, fitted, FITTED, width=6, dots=len(fitted) <= 41)
    _legend(draw, [("this preset", FITTED), *zip(shown, HOSTS)])
    return image.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)


class _Frame:
    """Where a step and a sigma lie in the doubled picture: log sigma upwards, the terminal 0 at the foot."""

    def __init__(self, lists: Sequence[Sequence[float]]) -> None:
        positive = [sigma for sigmas in lists for sigma in sigmas if sigma > 0.0]
        self.low, self.high = math.log(min(positive)), math.log(max(positive))
        margin = max(0.06 * (self.high - self.low), 0.1)
        self.high += margin
        self.floor = self.low - 3.0 * margin  # of the terminal 0
        self.low -= margin
        self.steps = max(len(sigmas) - 1 for sigmas in lists)

    def point(self, step: float, sigma: float) -> tuple[float, float]:
        level = math.log(sigma) if sigma > 0.0 else self.floor
        x = LEFT + (WIDTH - LEFT - RIGHT) * step / self.steps
        y = TOP + (HEIGHT - TOP - BOTTOM) * (self.high - level) / (self.high - self.floor)
        return 2.0 * x, 2.0 * y


def _axes(draw: Any, frame: _Frame, title: str) -> None:
    right, foot = 2 * (WIDTH - RIGHT), 2 * (HEIGHT - BOTTOM)
    for step in _step_ticks(frame.steps):
        x, _ = frame.point(step, 0.0)
        draw.line([(x, 2 * TOP), (x, foot)], fill=GRID, width=2)
        draw.text((x, foot + 12), str(step), fill=INK, font=font(26), anchor="ma")
    for sigma in _sigma_ticks(frame):
        _, y = frame.point(0.0, sigma)
        draw.line([(2 * LEFT, y), (right, y)], fill=GRID, width=2)
        draw.text((2 * LEFT - 14, y), f"{sigma:g}", fill=INK, font=font(26), anchor="rm")
    draw.line([(2 * LEFT, foot), (right, foot)], fill=INK, width=3)
    draw.line([(2 * LEFT, 2 * TOP), (2 * LEFT, foot)], fill=INK, width=3)
    draw.text((2 * LEFT, 40), title, fill=INK, font=font(34))
    draw.text(((2 * LEFT + right) / 2, 2 * HEIGHT - 20), "step", fill=INK, font=font(28), anchor="ms")
    draw.text((20, 2 * TOP - 8), "sigma", fill=INK, font=font(28), anchor="ls")


def _curve(draw: Any, frame: _Frame, sigmas: Sequence[float], colour: tuple[int, ...], width: int, dots: bool) -> None:
    points = [frame.point(step, sigma) for step, sigma in enumerate(sigmas)]
    draw.line(points, fill=colour, width=width, joint="curve")
    if dots:
        for x, y in points:
            draw.ellipse([x - 9, y - 9, x + 9, y + 9], fill=colour, outline=PAPER, width=2)


def _legend(draw: Any, entries: Sequence[tuple[str, tuple[int, ...]]]) -> None:
    x, y = 2 * (WIDTH - RIGHT) + 36, 2 * TOP + 20
    for name, colour in entries:
        draw.line([(x, y), (x + 56, y)], fill=colour, width=8)
        draw.text((x + 72, y), name[:22], fill=INK, font=font(26), anchor="lm")
        y += 46


def _step_ticks(steps: int) -> list[int]:
    stride = next(size for size in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000) if steps / size <= 12)
    return list(range(0, steps + 1, stride))


def _sigma_ticks(frame: _Frame) -> list[float]:
    """1, 2, 5 times powers of ten between the lowest and the highest sigma, thinned, and 0 at the foot."""
    low, high = frame.low, frame.high
    decades = range(math.floor(low / math.log(10.0)), math.ceil(high / math.log(10.0)) + 1)
    ticks: list[float] = []
    for factors in ((1, 2, 5), (1, 3), (1,)):
        ticks = [factor * 10.0**decade for decade in decades for factor in factors]
        ticks = [tick for tick in ticks if low <= math.log(tick) <= high]
        if len(ticks) <= 9:
            break
    return [*ticks, 0.0]


def font(size: int) -> Any:
    """Pillow's own typeface, which every host has."""
    try:
        return ImageFont.load_default(size)  # Pillow 10.1 and later
    except TypeError:
        return ImageFont.load_default()
