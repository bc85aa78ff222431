"""Which models the family is learned over, and what is left out where it is judged."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence

from ..zoo.members import MEMBERS
from .subjects import Training

# Pictures of one kind under several names.
KINDS = {
    "sample_photographs": "photographs",
    "lowercase": "letters",
    "glyphs": "letters",
}
_MIXTURES = 0.5  # weight: mixtures are easier, and flatter than networks
_VE = {
    "digits_eps": (1.0, 3.0, 7.0),
    "digits_flow": (2.0, 6.0),
    "photographs8_eps": (1.0,),
    "emoji8_eps": (1.0, 4.0, 8.0),
    "clipart8_v": (1.0,),
    "clipart_latent_eps": (1.0,),
    "photographs_latent_flow": (1.0,),
    "glyphs_eps": (1.0, 4.0, 7.0),
    "glyphs_flow": (2.0,),
    "clipart16_eps": (1.0,),
    "photographs16_flow": (1.0,),
    "photographs32_eps": (1.0,),
    "lowercase16_flow": (5.0,),
    "emoji16_v": (2.0, 6.0),
    "mixture_photographs16": (3.0,),
    "mixture_photographs32": (1.0,),
    "mixture_letters32": (1.0,),
    "mixture_clipart64": (1.0,),
}
_FLOW = {
    "digits_eps": (3.0,),
    "digits_flow": (1.0, 4.0),
    "photographs8_eps": (1.0,),
    "emoji8_eps": (1.0, 4.0),
    "clipart8_v": (1.0,),
    "clipart_latent_eps": (1.0,),
    "photographs_latent_flow": (1.0,),
    "glyphs_eps": (6.0,),
    "glyphs_flow": (1.0, 3.0),
    "clipart16_eps": (1.0,),
    "photographs16_flow": (1.0,),
    "photographs32_eps": (1.0,),
    "lowercase16_flow": (2.0,),
    "emoji16_v": (2.0,),
    "mixture_photographs16": (3.0,),
    "mixture_shapes32": (1.0,),
    "mixture_clipart32": (1.0,),
}
# What guidance above 3 is learned from.
_GUIDED_VE = {
    "digits_eps": (5.0, 7.0, 10.0),
    "digits_flow": (4.0, 6.0, 10.0),
    "emoji8_eps": (4.0, 6.0, 8.0),
    "glyphs_eps": (4.0, 6.0, 8.0),
    "glyphs_flow": (5.0,),
    "lowercase16_flow": (5.0, 8.0),
    "emoji16_v": (4.0, 6.0),
    "mixture_photographs32": (6.0,),
}
_GUIDED_FLOW = {
    "digits_eps": (5.0, 10.0),
    "digits_flow": (4.0, 6.0, 10.0),
    "emoji8_eps": (4.0, 6.0, 8.0),
    "glyphs_eps": (5.0,),
    "glyphs_flow": (4.0, 6.0, 8.0),
    "lowercase16_flow": (5.0, 8.0),
    "emoji16_v": (5.0,),
    "mixture_photographs32": (6.0,),
}


def training_set(flow: bool) -> list[Training]:
    """Every model that teaches a space."""
    return _listed(_FLOW if flow else _VE, flow)


def guided_set(flow: bool) -> list[Training]:
    """Every model that teaches what guidance above 3 changes in a space."""
    return _listed(_GUIDED_FLOW if flow else _GUIDED_VE, flow)


def _listed(chosen: Mapping[str, Sequence[float]], flow: bool) -> list[Training]:
    return [
        Training(member, guidance, flow, 1.0 if MEMBERS[member].trained else _MIXTURES)
        for member, guidances in chosen.items()
        for guidance in guidances
    ]


def add_selection(parser: argparse.ArgumentParser) -> None:
    """The options of every command that learns: which spaces, and what is left out."""
    parser.add_argument("--space", choices=("ve", "flow"), nargs="+", default=["ve", "flow"])
    parser.add_argument("--without", nargs="*", default=[], help="kinds of pictures left out")
    parser.add_argument("--pixels", type=int, nargs="*", default=[], help="resolutions left out")


def selected(models: Sequence[Training], args: argparse.Namespace) -> list[Training]:
    """Those that stay under these options."""
    return [which for which in models if kept(which, args.without, args.pixels)]


def kept(which: Training, without: Sequence[str], pixels: Sequence[int]) -> bool:
    """Whether a model stays where kinds of pictures and resolutions are left out."""
    member = MEMBERS[which.member]
    return kind_of(which.member) not in without and member.resolution not in pixels


def kind_of(member: str) -> str:
    """The kind of pictures that a member was made of."""
    data = MEMBERS[member].data
    if member.startswith("glyphs"):
        return "letters"
    return KINDS.get(data, data)
