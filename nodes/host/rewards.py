"""Rewards that the host computes: CLIP's likeness of image and text."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.nn import functional

from ...schedules.search.rewards import RewardError, ScoreReward


def clip_reward(clip: Any, clip_vision: Any, text: str) -> ScoreReward:
    """Cosine of the image's and the text's projected CLIP embeddings, times 100.

    Raises:
        ValueError: names the input.
    """
    if not text.strip():
        raise ValueError("text: it is empty; describe what the picture should show")
    if getattr(clip_vision, "model_type", "clip_vision_model") != "clip_vision_model":
        raise ValueError("clip_vision: this one has no text side; load a CLIP vision model such as CLIP-ViT-L or ViT-H")
    wanted = _text_embeddings(clip, text)

    def score(images: Tensor) -> Tensor:
        embedding = clip_vision.encode_image(images)["image_embeds"].float().cpu()
        if embedding.shape[-1] not in wanted:
            raise RewardError(
                f"reward CLIP: the text's embedding has {' or '.join(map(str, wanted))} numbers and the image's "
                f"{embedding.shape[-1]}; load the CLIP and the CLIP Vision of one model (ViT-L with clip_l, ViT-bigG "
                "with clip_g)"
            )
        return 100.0 * functional.cosine_similarity(embedding, wanted[embedding.shape[-1]], dim=-1)

    return ScoreReward(f"CLIP likeness to {text.strip()[:40]!r}", score)


def _text_embeddings(clip: Any, text: str) -> dict[int, Tensor]:
    """width -> (1, width) projected pooled embedding, of every CLIP in the host's text encoder; SDXL has two."""
    tokens = clip.tokenize(text)
    clip.encode_from_tokens(tokens)  # loads the encoder and sets its device
    vectors: dict[int, Tensor] = {}
    for letter in ("l", "g"):
        part = getattr(clip.cond_stage_model, f"clip_{letter}", None)
        if part is not None and letter in tokens:
            pooled = part.encode_token_weights(tokens[letter])[1].float().cpu()
            vectors[pooled.shape[-1]] = pooled
    if not vectors:
        raise ValueError("clip: this text encoder holds no CLIP; load CLIP-L or CLIP-G for the reward")
    return vectors
