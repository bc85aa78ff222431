"""The work behind the search nodes: host objects in, plain results out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ...schedules.core.words import Phrase
from ...schedules.presets.preset import Preset
from ...schedules.search.pilot import run_pilot
from ...schedules.search.pruning import pruning_plan, search_pruned
from ...schedules.search.rewards import Reward, ScoreReward
from ...schedules.search.seeds import SeedBudget, SeedSearch, search_seeds
from ...schedules.search.stepwise import StepSearch
from ...schedules.search.widths import PRESET_TEXT, UNIFORM, parse_widths, plan_of_preset, with_plan
from ...schedules.search.words import drafts_in_words, seeds_in_words
from ..host import messages
from ..host.decoding import latent_decoder
from ..host.guiders import cfg_guider
from ..host.node_score import node_reward
from ..host.noise_levels import is_flow, model_sampling_of
from ..host.search_sampler import DecoderOf, PilotRuns, search_sampler, tell_search
from ..host.search_seeds import KSamplerInputs, KSamplerRuns, draft_rule
from ..variance.noise import parse_seeds
from .sheet import contact_sheet

PRUNE = "prune a batch"


@dataclass(frozen=True)
class SeedsResult:
    """The outputs of Search Seeds."""

    latent: dict[str, Any]
    images: Tensor
    seed: int
    seeds: str
    sheet: Tensor
    report: str


def searched_seeds(
    node_id: Any,
    vae: Any,
    reward: Reward,
    seed: int,
    budget: float,
    draft_steps: int,
    keep: int,
    decode: str,
    method: str,
    judge: Reward | None = None,
    **inputs: Any,
) -> SeedsResult:
    """Search, and give the winner out.

    Raises:
        ValueError: names the input.
    """
    request = KSamplerInputs(**inputs)
    full, quick = latent_decoder("VAE", request.model, vae), latent_decoder(decode, request.model, vae)
    runs = KSamplerRuns(request, quick, full, round(budget * request.steps))
    if method == PRUNE:
        plan = pruning_plan(budget, request.steps, keep or 1)
        search = search_pruned(runs, reward, plan, seed, judge=judge)
        made, note = f"{plan.start} seeds in one run of {request.steps} steps", plan.in_words()
    else:
        spend = SeedBudget(budget, request.steps, draft_steps, keep)
        rule = draft_rule(request, draft_steps, node_id)
        runs.draft_rule = rule

        def told(search: SeedSearch) -> None:
            done = {"drafts": len(search.seeds), "candidates": spend.candidates, "full": len(search.kept)}
            messages.show(Phrase("{drafts} of {candidates} drafts, {full} full runs", **done), node_id)

        search = search_seeds(runs, reward, spend, seed, judge=judge, at_once=runs.at_once, progress=told)
        made, note = drafts_in_words(search, spend), rule.sentence
    return _given_out(search, request.latent, seeds_in_words(search, made, note), node_id)


def _given_out(search: SeedSearch, latent: dict[str, Any], report: str, node_id: Any) -> SeedsResult:
    """The winner first."""
    if search.stopped:
        messages.say(Phrase("The search stopped early: {reason}", reason=search.stopped), node_id, warning=True)
    winner = search.winner
    assert winner is not None  # at least one full run is always made
    order = [winner, *(place for place in range(len(search.finals)) if place != winner)]
    finals, seeds = [search.finals[place] for place in order], [search.kept[place] for place in order]
    kept = {name: value for name, value in latent.items() if not name.startswith(("downscale_ratio", "batch_index"))}
    return SeedsResult(
        kept | {"samples": finals[0].latents},
        torch.cat([drawn.images for drawn in finals]),
        seeds[0],
        ", ".join(map(str, seeds)),
        contact_sheet(search),
        report,
    )


def searching_sampler(
    node_id: Any,
    reward: Reward,
    budget: int,
    rule: Any,
    eta: float,
    plan: str,
    paths: int,
    decode: str,
    seeds: str = "",
    vae: Any = None,
    judge: Reward | None = None,
) -> Any:
    """The SAMPLER of Search Sampler.

    Raises:
        ValueError: names the input.
    """
    kept = plan.strip().lower() == PRESET_TEXT
    widths_plan = UNIFORM if kept else parse_widths(plan)
    search = StepSearch(
        reward, _no_pictures, budget, widths_plan, paths, rule, eta, judge=judge, seeds=parse_seeds(seeds)
    )
    return search_sampler(search, _decoder_of(decode, vae), tell_search(node_id), plan_of_model=kept)


def _decoder_of(decode: str, vae: Any) -> DecoderOf:
    if decode == "VAE" and vae is None:
        raise ValueError("vae: connect one, or decode with the preview decoder")
    return lambda model: latent_decoder(decode, model, vae)


def _no_pictures(latents: Tensor) -> Tensor:
    """In place of the decoder that only a run's model can choose."""
    raise NotImplementedError(f"latents of shape {tuple(latents.shape)} have no decoder before a run")


def planned(
    plan: str,
    budget: int,
    rule: Any,
    eta: float,
    pilot_images: int,
    held_out_images: int,
    first_seed: int,
    cfg: float,
    decode: str,
    sigmas: Tensor | None = None,
    preset: Preset | None = None,
    **links: Any,
) -> tuple[str, str, Preset | None]:
    """A plan's line, what is known of it, and the preset with it: as typed, or the pilot's where images are asked for.

    Raises:
        ValueError: names the input.
    """
    if plan.strip().lower() == PRESET_TEXT:
        if preset is None:
            raise ValueError("plan: preset is the plan that a preset keeps; connect one, or type a plan")
        known = plan_of_preset(preset.made.more) or UNIFORM
    else:
        known = parse_widths(plan)
    if not pilot_images:
        said = f"Plan: {known.text()}. Set pilot_images above 0 to have one measured."
        return known.text(), said, preset and with_plan(preset, known)
    needed = ("model", "positive", "negative", "latent", "reward")
    missing = [name for name in needed if links.get(name) is None] + ["sigmas"] * (sigmas is None)
    if missing or sigmas is None:
        raise ValueError(f"{missing[0]}: a pilot needs it; connect {', '.join(missing)}, or set pilot_images to 0")
    model, reward = links["model"], links["reward"]
    guider = cfg_guider(model, links["positive"], links["negative"], cfg)
    search = StepSearch(reward, _no_pictures, budget, rule=rule, eta=eta)
    runs = PilotRuns(guider, links["latent"], sigmas, search, _decoder_of(decode, links.get("vae")))
    levels, flow = [float(sigma) for sigma in sigmas], is_flow(model_sampling_of(model))
    seen = range(first_seed, first_seed + pilot_images)
    unseen = range(seen.stop, seen.stop + held_out_images)
    result = run_pilot(runs, reward, levels, flow=flow, pilot=seen, held_out=unseen)
    return result.plan.text(), result.in_words(), preset and with_plan(preset, result.plan)


def reward_of_node(
    links: Sequence[Any], node: str, settings: str, link_names: str, image_input: str = "", output: str = ""
) -> ScoreReward:
    """The reward of Reward from Node.

    Raises:
        ValueError: names the input.
    """
    names = [name.strip() for name in link_names.split(",") if name.strip()]
    given = [link for link in links if link is not None]
    if len(names) != len(given):
        raise ValueError(f"link_names: {len(names)} names for {len(given)} connected links; give one for each")
    return node_reward(
        node.strip(), parse_lines(settings), dict(zip(names, given)), image_input.strip(), output.strip()
    )


def parse_lines(text: str) -> dict[str, str]:
    """Widgets from lines such as "prompt = a red house".

    Raises:
        ValueError: names the input `settings`.
    """
    lines = [line.partition("=") for line in text.splitlines() if line.strip()]
    for name, sign, _ in lines:
        if not sign or not name.strip():
            raise ValueError(f"settings: {name.strip()!r} is not of the form name = value")
    return {name.strip(): value.strip() for name, _, value in lines}
