"""Variance control and DDIM on the host's own samplers, guiders and nodes. Run by in_process.py in the host."""

from __future__ import annotations

import logging
from typing import Any

import comfy.sample
import comfy.samplers
import comfy_extras.nodes_custom_sampler as custom
import torch
from loaded_pack import KINDS, NODES, latent, model_of, part, prompt, raises
from torch import Tensor

K_DIFFUSION = comfy.samplers.k_diffusion_sampling
VE, FLOW = "eps", "flow"
# Samplers that run step by step, deterministic and not, and their eta = 0.5 runs at once.
STOCHASTIC = ("euler_ancestral", "dpm_2_ancestral", "dpmpp_2s_ancestral", "dpmpp_sde", "seeds_2", "seeds_3")


def sampler_of(name: str, **options: Any) -> Any:
    """A SAMPLER as KSamplerSelect or a Sampler node makes it."""
    sampler = comfy.samplers.sampler_object(name)
    sampler.extra_options = dict(sampler.extra_options) | options
    return sampler


def variance(sampler: Any, **changed: Any) -> Any:
    """The SAMPLER that the Variance node gives out."""
    inputs = {
        "eta": "", "s_noise": "1", "posterior": 0.0, "clamp": "0", "s_churn": 0.0, "s_tmin": 0.0, "s_tmax": 1000.0,
        "restarts": "", "noise": "the sampler's own", "seeds": "",
    }  # fmt: skip
    return out(NODES["SigmasmithVariance"], sampler=sampler, **(inputs | changed))


def ddim(**changed: Any) -> Any:
    inputs = {
        "eta": "0", "noise": "per image, CPU", "seeds": "", "corrections": 12, "tolerance": 0.005,
        "check": False,
    }  # fmt: skip
    return out(NODES["SigmasmithDDIM"], **(inputs | changed))


def out(cls: Any, **inputs: Any) -> Any:
    """The node's first output, run as the host runs it: on a locked clone of the class."""
    return cls.PREPARE_CLASS_CLONE(None).execute(**inputs).args[0]


def levels(model: Any, steps: int = 6, scheduler: str = "karras") -> Tensor:
    return comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), scheduler, steps)


def flipped_by_the_host(sigmas: Tensor) -> Tensor:
    node = custom.FlipSigmas
    return node.execute(sigmas).args[0] if hasattr(node, "execute") else node().get_sigmas(sigmas)[0]


def run(
    model: Any,
    sampler: Any,
    sigmas: Tensor | None = None,
    *,
    image: Tensor | None = None,
    add_noise: bool = True,
    seed: int = 5,
    shape: tuple[int, ...] = (1, 4, 8, 8),
    mask: Tensor | None = None,
    cfg: float = 3.0,
    callback: Any = None,
) -> Tensor:
    """What SamplerCustom does."""
    image = latent(*shape)["samples"] if image is None else image
    noise = comfy.sample.prepare_noise(image, seed) if add_noise else torch.zeros_like(image)
    return comfy.sample.sample_custom(
        model, noise, cfg, sampler, levels(model) if sigmas is None else sigmas, prompt(0.5), prompt(0.0), image,
        noise_mask=mask, seed=seed, disable_pbar=True, callback=callback,
    )  # fmt: skip


def text_of(function: Any) -> str:
    """What a run tells below its node and in the log."""
    messages, said = part("nodes.host.messages"), []
    inner = messages.show
    messages.show = lambda text, node_id: said.append(text)
    try:
        function()
    finally:
        messages.show = inner
    return "\n".join(said)


def test_eta_0_is_bit_equal_to_the_hosts_deterministic_samplers():
    for kind in KINDS:
        model = model_of(kind)
        theirs = run(model, sampler_of("euler"))
        assert torch.equal(theirs, run(model, ddim())), kind
        assert torch.equal(theirs, run(model, sampler_of("ddim"))), kind
        for name in ("euler", "heun", "dpm_2", "dpmpp_2m", "deis", "uni_pc", "res_multistep", "lms"):
            controlled = variance(sampler_of(name), eta="" if name == "res_multistep" else "0")
            assert torch.equal(run(model, sampler_of(name)), run(model, controlled)), (kind, name)
        for name in STOCHASTIC:
            if (kind, name) == (FLOW, "dpm_2_ancestral"):
                continue
            theirs = run(model, sampler_of(name, eta=0.0))
            assert torch.equal(theirs, run(model, variance(sampler_of(name), eta="0"))), (kind, name)


def test_settings_left_alone_change_no_bit_of_any_sampler_of_the_host():
    for kind in (VE, FLOW):
        model = model_of(kind)
        for name in comfy.samplers.KSampler.SAMPLERS:
            if name.startswith(("dpm_adaptive", "sigmasmith")) or (kind == FLOW and name == "ddpm"):
                continue
            theirs = run(model, sampler_of(name))
            assert torch.equal(theirs, run(model, variance(sampler_of(name)))), (kind, name)


def test_a_constant_eta_step_by_step_is_bit_equal_to_the_hosts_own_run():
    for kind in (VE, FLOW):
        model = model_of(kind)
        for name in STOCHASTIC:
            theirs = run(model, sampler_of(name, eta=0.5, s_noise=1.2))
            # A window that holds everything: one eta, and yet step by step.
            stepped = variance(sampler_of(name, s_noise=1.2), eta="window 0.5 from 1000 to 0 else 0.1")
            assert torch.equal(theirs, run(model, stepped)), (kind, name)
            assert torch.equal(theirs, run(model, variance(sampler_of(name, s_noise=1.2), eta="0.5"))), (kind, name)


def test_the_own_2m_with_noise_is_the_hosts_within_rounding():
    model = model_of(VE)
    for eta in (0.3, 1.0):
        theirs = run(model, sampler_of("dpmpp_2m_sde", eta=eta))
        ours = run(model, variance(sampler_of("dpmpp_2m_sde"), eta=f"window {eta} from 1000 to 0 else 0.9"))
        assert (theirs - ours).abs().max() < 2e-5
    flat = variance(sampler_of("dpmpp_2m"), eta="window 0 from 1000 to 0 else 1")
    assert (run(model, sampler_of("dpmpp_2m")) - run(model, variance(sampler_of("dpmpp_2m"), eta="0"))).abs().max() == 0
    assert (run(model, sampler_of("dpmpp_2m")) - run(model, flat)).abs().max() < 2e-5
    # On flow models the first step starts from a hair below 1 in both, not from the same one.
    flow = model_of(FLOW)
    sigmas = levels(flow)[1:]
    theirs = run(flow, sampler_of("dpmpp_2m_sde", eta=0.7), sigmas)
    ours = run(flow, variance(sampler_of("dpmpp_2m_sde"), eta="window 0.7 from 1000 to 0 else 0"), sigmas)
    assert (theirs - ours).abs().max() < 2e-5


def test_euler_with_eta_is_the_hosts_euler_ancestral_on_noise_prediction_models():
    model = model_of(VE)
    theirs = run(model, sampler_of("euler_ancestral", eta=0.6))
    assert (theirs - run(model, variance(sampler_of("euler"), eta="0.6"))).abs().max() < 1e-5
    assert (theirs - run(model, variance(sampler_of("euler"), eta="0.5"))).abs().max() > 1e-2


def test_churn_is_the_hosts_where_it_is_right_and_keeps_flow_states_on_their_level():
    model = model_of(VE)
    options = {"s_churn": 3.0, "s_tmin": 0.1, "s_tmax": 8.0, "s_noise": 1.003}
    for name in ("euler", "heun", "dpm_2"):
        torch.manual_seed(0)
        theirs = run(model, sampler_of(name, **options))
        torch.manual_seed(0)
        ours = variance(sampler_of(name), s_churn=3.0, s_tmin=0.1, s_tmax=8.0, s_noise="1.003")
        assert torch.equal(theirs, run(model, ours)), name
    flow = model_of(FLOW)
    told = text_of(lambda: run(flow, variance(sampler_of("euler"), s_churn=3.0, s_tmin=0.1, s_tmax=0.9)))
    assert "step by step" in told
    assert "churn" in told


def test_a_factor_of_the_noise_is_what_the_hosts_s_noise_is():
    for kind in (VE, FLOW):
        model = model_of(kind)
        for name in ("euler_ancestral", "dpmpp_2m_sde", "dpmpp_3m_sde", "er_sde", "res_multistep_ancestral"):
            theirs = run(model, sampler_of(name, s_noise=0.5))
            ours = run(model, variance(sampler_of(name), s_noise="0.5"))
            assert (theirs - ours).abs().max() < 1e-5, (kind, name)


def test_rows_with_seeds_are_the_same_alone_and_in_a_batch_and_as_the_hosts_image_of_that_seed():
    for kind in KINDS:
        model = model_of(kind)
        for noise in ("per image, CPU", "one path, CPU"):
            for make in (
                lambda seeds, noise=noise: ddim(eta="1", noise=noise, seeds=seeds),
                lambda seeds, noise=noise: variance(sampler_of("dpmpp_sde"), eta="1", noise=noise, seeds=seeds),
            ):
                both = run(model, make("7, 31"), shape=(2, 4, 8, 8))
                alone = run(model, make("31"), seed=99)
                assert torch.equal(both[1:], alone), (kind, noise)
        first = run(model, ddim(seeds="7, 31"), shape=(2, 4, 8, 8))
        assert torch.equal(first[1:], run(model, sampler_of("euler"), seed=31)), kind


def test_an_inversion_comes_back_on_every_kind_of_model_images_and_video():
    for kind in KINDS:
        for video in (False, True):
            model = model_of(kind, video=video)
            shape = (2, 4, 3, 8, 8) if video else (2, 4, 8, 8)
            sigmas = levels(model, 12)
            image = run(model, sampler_of("dpmpp_2m"), levels(model, 40), shape=shape, cfg=1.0)
            up = flipped_by_the_host(sigmas)
            errors = {}
            for corrections in (0, 8):
                sampler = ddim(corrections=corrections)
                inverted = run(model, sampler, up, image=image, add_noise=False, cfg=1.0)
                back = run(model, sampler, sigmas, image=inverted, add_noise=False, cfg=1.0)
                errors[corrections] = float((back - image).square().mean().sqrt() / image.std())
            assert errors[8] < errors[0] / 3.0, (kind, video, errors)
            assert errors[8] < 0.03, (kind, video, errors)


def test_the_check_reports_the_round_trip_and_the_hosts_samplers_take_the_noise_too():
    model = model_of(VE)
    image = run(model, sampler_of("dpmpp_2m"), levels(model, 40), cfg=1.0)
    up = flipped_by_the_host(levels(model, 12))
    kept: list[Tensor] = []
    told = text_of(lambda: kept.append(run(model, ddim(check=True), up, image=image, add_noise=False, cfg=1.0)))
    assert "round-trip error" in told
    back = run(model, sampler_of("euler"), levels(model, 12), image=kept[0], add_noise=False, cfg=1.0)
    error = float((back - image).square().mean().sqrt())
    assert abs(error / float(told.split("round-trip error ")[1].split(" ")[0]) - 1.0) < 0.05


def test_the_dropdowns_ddim_is_eulers_and_inverts():
    for kind in KINDS:
        model = model_of(kind)
        assert torch.equal(run(model, sampler_of("euler")), run(model, sampler_of("sigmasmith_ddim"))), kind
    model = model_of(VE)
    image = run(model, sampler_of("dpmpp_2m"), levels(model, 40), cfg=1.0)
    up = flipped_by_the_host(levels(model, 12))
    ours, node = (
        run(model, s, up, image=image, add_noise=False, cfg=1.0) for s in (sampler_of("sigmasmith_ddim"), ddim())
    )
    assert torch.equal(ours, node)
    flow = model_of(FLOW)
    said = raises(
        ValueError,
        run,
        flow,
        sampler_of("sigmasmith_ddim"),
        flipped_by_the_host(levels(flow)),
        image=image,
        add_noise=False,
    )
    assert "Sigmasmith DDIM node" in said


def test_a_mask_keeps_what_it_hides():
    mask = torch.zeros(1, 1, 64, 64)
    mask[..., :32] = 1.0
    for kind in (VE, FLOW):
        model = model_of(kind)
        image = run(model, sampler_of("dpmpp_2m"), levels(model, 20))
        samplers = {
            "ddim": ddim(eta="1"),
            "restarts": variance(sampler_of("euler"), restarts="0.1-0.6 x2"),
            "everything": variance(
                sampler_of("heun"), eta="cosine 1 to 0", clamp="0.5", s_churn=2.0, s_tmax=0.9, restarts="0.1-0.6"
            ),
        }
        for name, sampler in samplers.items():
            end = run(model, sampler, image=image, mask=mask)
            assert torch.allclose(end[..., 4:], image[..., 4:], atol=1e-5), (kind, name)
            assert not torch.allclose(end[..., :4], image[..., :4], atol=1e-2), (kind, name)


def test_the_readout_names_every_step_its_noise_and_what_ran():
    model = model_of(VE)
    told = text_of(lambda: run(model, variance(sampler_of("euler"), eta="cosine 1 to 0")))
    assert told.startswith("The host's euler, step by step")
    assert told.count("step ") >= 6
    assert "eta 1" in told
    assert "sigma 14.61 -> " in told
    assert "Own DPM-Solver++(2M)" in text_of(lambda: run(model, variance(sampler_of("dpmpp_2m"), eta="0.5")))
    assert "Own DDIM" in text_of(lambda: run(model_of(FLOW), variance(sampler_of("euler_ancestral"), posterior=0.5)))
    assert "restart" in text_of(lambda: run(model, variance(sampler_of("euler"), restarts="0.3-3")))


def added_and_said(kind: str, name: str, sigmas: Tensor, eta: str) -> tuple[float, float]:
    """Standard deviation of the noise that one step of a host's sampler adds, and what the readout says of it."""
    model = model_of(kind)
    # With this answer a step's end is linear in its noise.
    model.model.diffusion_model.denoised = lambda x, sigma, context: torch.zeros_like(x)
    ends, told = [], ""
    for factor in ("0", "1"):
        sampler = variance(sampler_of(name), s_noise=factor, eta=eta)
        told = text_of(lambda s=sampler: ends.append(run(model, s, sigmas, shape=(1, 4, 64, 64))))
    added = float((ends[1] - ends[0]).square().mean().sqrt())
    # The host divides what a flow run ends with by 1 - sigma.
    added *= 1.0 - float(sigmas[-1]) if kind == FLOW else 1.0
    last = [line for line in told.splitlines() if f"-> {float(sigmas[-1]):.4g}," in line][-1]
    return added, float(last.split("noise std ")[1].split(",")[0])


def test_the_readout_is_the_noise_that_every_sampler_of_the_host_adds():
    for kind, sigmas in ((VE, torch.tensor([2.0, 1.2])), (FLOW, torch.tensor([0.8, 0.55]))):
        for name, how in part("schedules.variance.routes").NOISY.items():
            form = how.ve if kind == VE else how.flow
            if form is None or not hasattr(K_DIFFUSION, f"sample_{name}"):
                continue
            etas = [] if name == "ddpm" else ["window 1 from 1000 to 0 else 0.9"] * how.one_step
            # Both draws of a step of seeds are told when it runs at once, and they overlap.
            for eta in [*etas, ""] if how.posterior else etas:
                added, said = added_and_said(kind, name, sigmas, eta)
                assert abs(added / said - 1.0) < 0.01, (kind, name, eta, added, said)


def test_the_callback_counts_the_runs_own_steps():
    model, seen = model_of(VE), []
    run(
        model,
        variance(sampler_of("heun"), eta="linear 1 to 0"),
        callback=lambda step, denoised, x, total: seen.append((step, total)),
    )
    assert seen == [(i, 6) for i in range(6)]


def test_a_reference_sets_the_spread():
    model = model_of(VE)
    image = run(model, sampler_of("dpmpp_2m"), levels(model, 30))
    held = variance(sampler_of("euler"), clamp="1", reference={"samples": image})
    assert torch.isfinite(run(model, held)).all()
    wrong = variance(sampler_of("euler"), clamp="1", reference={"samples": torch.randn(1, 3, 8, 8)})
    assert "reference has 3 channels" in raises(ValueError, run, model, wrong)


def test_what_a_sampler_cannot_follow_is_said_by_input():
    model = model_of(VE)
    assert raises(ValueError, run, model, variance(sampler_of("er_sde"), eta="cosine 1 to 0")).startswith("eta:")
    assert raises(ValueError, run, model, variance(sampler_of("deis"), clamp="1")).startswith("clamp:")
    assert raises(ValueError, run, model, variance(sampler_of("lms"), restarts="0.3-3")).startswith("restarts:")
    assert raises(ValueError, run, model, variance(sampler_of("euler"), posterior=1.0)).startswith("posterior:")
    assert raises(ValueError, run, model, variance(sampler_of("euler"), s_noise="0.5")).startswith("s_noise:")
    quiet = variance(sampler_of("dpm_2_ancestral"), eta="0")  # the host takes the root of a rounding error there
    assert "connect dpm_2" in raises(ValueError, run, model_of(FLOW), quiet)
    listed = variance(sampler_of("euler"), eta="list 1, 0.5")
    assert "eta lists 2 values" in raises(ValueError, run, model, listed)
    assert raises(ValueError, variance, object()).startswith("sampler:")
    assert raises(ValueError, variance, sampler_of("euler"), seeds="7").startswith("seeds:")
    assert raises(ValueError, ddim, eta="1.5").startswith("eta")
    upside_down = {"s_churn": 1.0, "s_tmin": 5.0, "s_tmax": 1.0}
    assert "upside down" in raises(ValueError, variance, sampler_of("euler"), **upside_down)


def test_a_second_node_around_the_first_is_refused_where_it_would_change_its_steps():
    model = model_of(VE)
    first = variance(sampler_of("euler"), eta="cosine 1 to 0")
    assert "euler_with_variance" in raises(ValueError, run, model, variance(first, eta="0.5"))
    seeded = variance(sampler_of("dpmpp_2m"), noise="per image, CPU", seeds="4")
    assert seeded.sampler_function.__name__ == "sample_dpmpp_2m"
    assert torch.equal(run(model, variance(seeded)), run(model, sampler_of("dpmpp_2m"), seed=4))


def test_a_model_that_returns_nan_is_named():
    for make in (ddim, lambda: variance(sampler_of("euler")), lambda: variance(sampler_of("euler"), eta="0.5")):
        model = model_of(VE)
        model.model.diffusion_model.weight = torch.nn.Parameter(torch.full((4, 4), float("nan")))
        assert "model returned NaN" in raises(ValueError, run, model, make())


def test_noise_that_a_sampler_draws_unseen_is_told():
    def hidden(model: Any, x: Tensor, sigmas: Tensor, extra_args: Any = None, **_: Any) -> Tensor:
        end = K_DIFFUSION.sample_euler(model, x, sigmas, extra_args=extra_args, disable=True)
        return end + 0.1 * torch.randn(end.shape, generator=torch.Generator().manual_seed(extra_args["seed"]))

    for inner, unseen in ((hidden, True), (K_DIFFUSION.sample_euler, False)):
        for noise in ("the sampler's own", "per image, CPU"):
            sampler = variance(comfy.samplers.KSAMPLER(inner), noise=noise)
            said = told(lambda sampler=sampler: run_of(model_of("eps"), sampler))
            assert ("draws noise of its own that this node does not see" in said) == unseen, (inner, noise, said)


def told(run: Any) -> str:
    """What is said of a run in the log."""
    heard: list[str] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            heard.append(record.getMessage())

    logger, handler = logging.getLogger("sigmasmith"), Handler()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        run()
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
    return " ".join(heard)


def run_of(model: Any, sampler: Any) -> Tensor:
    guider = part("nodes.host.guiders").cfg_guider(model, prompt(0.5), prompt(0.0), 3.0)
    sigmas = comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), "karras", 5)
    noise = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(5))
    return guider.sample(noise, torch.zeros(2, 4, 8, 8), sampler, sigmas, disable_pbar=True, seed=5)
