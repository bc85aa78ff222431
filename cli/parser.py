"""Every option of the command line and its help. No torch here: `--help` answers at once."""

from __future__ import annotations

import argparse
from typing import TypedDict

from .values import names, numbers, seed, whole, whole_numbers

PROGRAM = "python -m sigmasmith"


class _Style(TypedDict):
    formatter_class: type[argparse.HelpFormatter]
    allow_abbrev: bool


# Long texts keep their lines, and options have one name only.
_STYLE = _Style(formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False)

_ABOUT = """\
Fits the sigma schedule to the diffusion or flow model that you run: for your sampler, guidance and step count.
A fit is kept as a preset, a small .safetensors file, or as a share code, one line of text."""

_EXAMPLES = """\
examples:
  fit a bundled model, a preset for four step counts, in seconds
      python -m sigmasmith fit --model digits_flow --cfg 3 --out digits.safetensors
  fit your own model: my_model.py holds denoiser(x, sigma) -> denoised
      python -m sigmasmith fit --denoiser my_model:denoiser --shape 4,64,64 --sigma-min 0.0292 --sigma-max 14.6146 \\
          --sampler dpmpp_2m --steps 8,12 --noises 8 --minutes 30 --out mine.safetensors
  what is in a preset, and its sigmas for 12 steps
      python -m sigmasmith show digits.safetensors --steps 12
  is it better? Against every schedule the hosts ship, on noises the fit never saw
      python -m sigmasmith compare digits.safetensors --model digits_flow --cfg 3
  draw it beside two others
      python -m sigmasmith plot digits.safetensors karras simple --steps 10 --out curves.svg

python -m sigmasmith COMMAND --help tells more about each. The demo, with a picture: python -m sigmasmith.demo"""

_SCHEDULES = """\
a SCHEDULE is one of
  a preset file           digits.safetensors
  a share code            sigmasmith1:...  (in quotation marks)
  a host's schedule       simple, karras, beta, ays_sdxl, webui_beta ...  those that hosts offer for the sigma range
  a closed-form curve     curve:cosine, curve:laplace ...
  family                  what sigmasmith_optimal does without a preset"""


def build_parser() -> argparse.ArgumentParser:
    """The parser of `python -m sigmasmith`; its result names the module of cli/ to run as `command`."""
    parser = argparse.ArgumentParser(prog=PROGRAM, description=_ABOUT, epilog=_EXAMPLES, **_STYLE)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    _add_fit(commands)
    _add_show(commands)
    _add_compare(commands)
    _add_plot(commands)
    _add_search(commands)
    _add_fleet(commands)
    _add_find(commands)
    _add_merge(commands)
    for name, command in commands.choices.items():
        command.set_defaults(command=name, program=f"{PROGRAM} {name}")
    return parser


def _add_fit(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    fit = commands.add_parser(
        "fit",
        **_STYLE,
        help="fit schedules to a model and write a preset",
        description="Fit schedules to a model. The report is printed; with --out the preset is written.",
        epilog="""\
A quarter of the noises is held out of every choice; on them the fit is compared with the hosts' own schedules. Where
one of those is better, it is the one returned, and the report says so.

your own model: --denoiser names a Python object, module:attribute, found from the current folder. It is called as
denoiser(x, sigma) with x of shape (noises, *shape) and sigma of shape (noises,), and returns the clean estimate
(k-diffusion's convention). Prompts belong inside it; --cfg, where given, is passed as the keyword cfg.

example:
  python -m sigmasmith fit --model digits_eps --sampler euler --steps 5,8,10,20 --out euler.safetensors""",
    )
    _add_model(fit, several=False)
    own = fit.add_argument_group("your own model")
    own.add_argument("--denoiser", metavar="MODULE:ATTRIBUTE", help="instead of --model: a Python callable")
    own.add_argument("--shape", type=whole_numbers, metavar="C,H,W", help="of one latent, without the batch")
    own.add_argument("--sigma-min", type=float, metavar="S", help="smallest noise level of the model")
    own.add_argument("--sigma-max", type=float, metavar="S", help="largest noise level; 1 on flow models")
    own.add_argument("--flow", action="store_true", help="a rectified-flow model: x = (1 - sigma) x0 + sigma noise")
    run = fit.add_argument_group("the fit")
    _add_sampler_and_steps(run)
    run.add_argument(
        "--noises",
        type=whole,
        metavar="N",
        help="start noises, at least 3 (default 16; with --calls as many as serve)",
    )
    _add_effort(run)
    run.add_argument(
        "--calls",
        type=whole,
        metavar="N",
        help="model calls in all, in the effort's place: the fit decides what they are spent on, and takes as many of "
        "the noises as serve",
    )
    run.add_argument(
        "--method",
        default="gauss_newton",
        choices=("gauss_newton", "oss"),
        help="how schedules are sought: first candidates refined by Gauss-Newton (default), or oss, the recursive "
        "search of Optimal Stepsize, mended; its calls depend on the step counts alone, not on the effort",
    )
    run.add_argument(
        "--frequency-weight",
        type=float,
        default=1.0,
        metavar="W",
        help="times that an error in the finest detail counts beside one in flat areas (default 1: all alike)",
    )
    run.add_argument("--seed", type=seed, default=0, metavar="N", help="of the noises (default 0)")
    run.add_argument(
        "--denoise",
        type=float,
        default=1.0,
        metavar="D",
        help="below 1: for images that are changed at this denoise, from where the hosts' simple starts (default 1)",
    )
    run.add_argument("--minutes", type=float, metavar="M", help="stop after this long with the best so far")
    run.add_argument(
        "--journal",
        metavar="DIR",
        help="record the unfinished fit in this folder: the same command goes on where it stopped; removed when done",
    )
    run.add_argument("--out", metavar="FILE", help="preset to write, .safetensors")
    run.add_argument("--force", action="store_true", help="replace FILE where it exists")


def _add_show(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    show = commands.add_parser(
        "show",
        **_STYLE,
        help="what a preset holds, its sigmas and its share code",
        description="Print what a preset was fitted for, its errors, its sigmas and its share code.",
        epilog="""\
The line of plain numbers is what a host's manual sigma list takes: a workflow runs without Sigmasmith.

examples:
  python -m sigmasmith show digits.safetensors
  python -m sigmasmith show digits.safetensors --steps 12 --denoise 0.5
  python -m sigmasmith show "sigmasmith1:..."\n""",
    )
    show.add_argument("preset", metavar="PRESET", help="preset file or share code")
    show.add_argument("--steps", type=whole, metavar="N", help="this step count, interpolated where it was not fitted")
    show.add_argument("--denoise", type=float, default=1.0, metavar="D", help="the host's fraction 0..1 (default 1)")
    show.add_argument(
        "--mode",
        choices=("steps", "noise_level"),
        default="steps",
        help="below denoise 1: the tail of a longer schedule, as hosts do, or a start at that noise level",
    )


def _add_compare(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    compare = commands.add_parser(
        "compare",
        **_STYLE,
        help="errors of schedules at equal cost on noises that no fit has seen",
        description="Run schedules with the same sampler, steps and noises, and print how far each ends from a fine "
        "reference (geometric mean over noises of the RMSE; lower is better).",
        epilog=f"""\
Without a SCHEDULE a fit is made first and compared with every schedule the hosts ship. With several models or guidances
every pair of them is one case, and the geometric average over all cases is printed at the end.

{_SCHEDULES}
  fitted                  a fit made now, with --effort and --calibration-noises

examples:
  python -m sigmasmith compare --model digits_flow --cfg 3
  python -m sigmasmith compare digits.safetensors simple karras --model digits_flow --cfg 3 --steps 5,10
  python -m sigmasmith compare --model digits_eps,digits_flow --cfg 1,3 --noises 128""",
    )
    compare.add_argument("schedules", nargs="*", metavar="SCHEDULE", help="default: fitted and every host schedule")
    _add_model(compare, several=True)
    run = compare.add_argument_group("the comparison")
    _add_sampler_and_steps(run)
    run.add_argument("--noises", type=whole, default=128, metavar="N", help="start noises to compare on (default 128)")
    run.add_argument("--seed", type=seed, default=0, metavar="N", help="of the noises; a fit uses others (default 0)")
    _add_effort(run)
    run.add_argument("--calibration-noises", type=whole, default=16, metavar="N", help="of a fit made now (default 16)")


def _add_plot(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    plot = commands.add_parser(
        "plot",
        **_STYLE,
        help="draw schedules into an SVG file",
        description="Draw schedules, log sigma over step, into an SVG file. The first one is drawn strong.",
        epilog=f"""\
The sigma range is the first preset's, or that of --model, or the one given; without any it is Stable Diffusion's.

{_SCHEDULES}

examples:
  python -m sigmasmith plot digits.safetensors --out preset.svg               every step count that it holds
  python -m sigmasmith plot digits.safetensors karras simple --steps 10 --out curves.svg --dark""",
    )
    plot.add_argument("schedules", nargs="+", metavar="SCHEDULE", help="preset, share code or name, see below")
    plot.add_argument("--steps", type=whole, metavar="N", help="step count (default: the preset's own, or 10)")
    plot.add_argument("--model", metavar="NAME", help="a bundled model whose sigma range to use")
    plot.add_argument("--sigma-min", type=float, metavar="S", help="smallest noise level")
    plot.add_argument("--sigma-max", type=float, metavar="S", help="largest noise level")
    plot.add_argument("--flow", action="store_true", help="the range is that of a rectified-flow model")
    plot.add_argument("--out", required=True, metavar="FILE", help="SVG file to write; - prints it")
    plot.add_argument("--width", type=whole, default=640, metavar="PX", help="(default 640)")
    plot.add_argument("--height", type=whole, default=400, metavar="PX", help="(default 400)")
    plot.add_argument("--dark", action="store_true", help="light curves on a dark ground")


def _add_search(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    search = commands.add_parser(
        "search",
        **_STYLE,
        help="the best of many seeds of a bundled model, for the price of a few images",
        description="Draft many seeds in a few steps each, run the best one or two in full, and print the winner.",
        epilog=f"""\
{_SCHEDULES}

examples:
  python -m sigmasmith search --model digits_eps --reward class:3
  python -m sigmasmith search digits.safetensors --model digits_flow --reward class:7 --budget 16 --judge sharpness""",
    )
    search.add_argument("schedule", nargs="?", default="family", metavar="SCHEDULE", help="(default family)")
    search.add_argument("--model", required=True, metavar="NAME", help="a bundled model, such as digits_eps")
    search.add_argument("--cfg", type=float, metavar="G", help="guidance (default 1, none)")
    search.add_argument("--label", type=whole, metavar="N", help="class that the model draws (default none)")
    search.add_argument(
        "--reward",
        default="sharpness",
        metavar="NAME",
        help="brightness, colourfulness, red, green, blue, sharpness, or class:N (default sharpness)",
    )
    search.add_argument("--judge", metavar="NAME", help="a second reward, reported and never searched on")
    search.add_argument("--budget", type=float, default=8.0, metavar="B", help="in full images (default 8)")
    search.add_argument("--steps", type=whole, default=16, metavar="N", help="of a full run (default 16)")
    search.add_argument("--draft-steps", type=whole, default=4, metavar="N", help="of a draft (default 4)")
    search.add_argument("--keep", type=whole, default=0, metavar="N", help="full runs (default one below 8, else two)")
    search.add_argument("--seed", type=seed, default=0, metavar="N", help="the first seed (default 0)")


def _add_fleet(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    fleet = commands.add_parser(
        "fleet",
        **_STYLE,
        help="many fits over several ComfyUI servers, or over a Ray cluster",
        description="Make the fits of a jobs file on the machines that hold the models, and collect their presets.",
        epilog="""\
a jobs file (.json; .toml from Python 3.11 on), see docs/fleet.md for all fields:
  {
   "servers": ["http://10.0.0.5:8188", "http://10.0.0.6:8188"],
   "defaults": {"cfg": 7, "size": "1024x1024", "steps": [5, 8, 10], "effort": "fast"},
   "jobs": [
    {"name": "a", "checkpoint": "a.safetensors", "prompts": ["a red house by the sea", "a portrait"]},
    {"name": "b styled", "checkpoint": "b.safetensors", "prompts": "a boat", "loras": [{"name": "ink.safetensors"}]},
    {"name": "flux", "workflow": "flux_api.json", "cfg": 1}
   ]
  }

Everything is checked before anything starts. Run again, it makes no model call for what is done, and tries anew what
failed. The value of the environment variable SIGMASMITH_AUTHORIZATION is sent to the servers as their Authorization
header.

examples:
  python -m sigmasmith fleet jobs.json --out presets
  python -m sigmasmith fleet jobs.json --out presets --servers gpu1:8188,gpu2:8188""",
    )
    fleet.add_argument("jobs", metavar="JOBS", help="the jobs file, .json or .toml")
    fleet.add_argument("--out", required=True, metavar="DIR", help="folder for the presets, the log and what failed")
    fleet.add_argument("--servers", type=names, default=(), metavar="A,B", help="addresses, in place of the file's")
    fleet.add_argument(
        "--engine",
        choices=("comfy", "ray"),
        help="comfy: ComfyUI servers (default); ray: denoisers without a host, the extra [ray]",
    )
    fleet.add_argument("--records", metavar="DIR", help="ray: folder that all workers share, for unfinished fits")
    fleet.add_argument("--only", action="append", default=[], metavar="NAME", help="this job alone; may be repeated")
    fleet.add_argument("--refit", action="store_true", help="make every job anew, and replace its preset everywhere")
    fleet.add_argument(
        "--patience", type=float, default=60.0, metavar="S", help="seconds without an answer until a server is lost"
    )


def _add_find(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    find = commands.add_parser(
        "find",
        **_STYLE,
        help="the preset of a folder that suits a model and a run best",
        description="Choose among the presets of a folder as the hosts do: by checkpoint, family, patches, sampler, "
        "denoise, steps, guidance and size, in this order.",
        epilog="""\
example:
  python -m sigmasmith find models/sigmasmith --checkpoint dreams.safetensors --sampler dpmpp_2m --cfg 7 --steps 8""",
    )
    find.add_argument("folders", nargs="+", metavar="FOLDER", help="a folder of presets; the earlier hides equal names")
    model = find.add_mutually_exclusive_group(required=True)
    model.add_argument("--checkpoint", metavar="NAME", help="file name or hash of the checkpoint")
    model.add_argument("--like", metavar="PRESET", help="the model of this preset file or share code")
    find.add_argument("--sampler", metavar="NAME", help="the sampler that will run")
    find.add_argument("--cfg", type=float, metavar="G", help="the guidance")
    find.add_argument("--latent", type=whole_numbers, metavar="C,H,W", help="shape of the latent, without the batch")
    find.add_argument("--steps", type=int, metavar="N", help="steps of the whole schedule")
    find.add_argument("--denoise", type=float, default=1.0, metavar="D", help="the host's fraction 0..1 (default 1)")


def _add_merge(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    merge = commands.add_parser(
        "merge",
        **_STYLE,
        help="the union of several preset folders",
        description="Bring the presets of several folders together in one.",
        epilog="""\
Of equal presets of one name the better documented one is kept. Different presets of one name are a conflict: they are
named, left where they are, and the exit status is 1. Nothing is written or removed but the presets in DIR.

example:
  python -m sigmasmith merge gpu1/presets gpu2/presets --out all""",
    )
    merge.add_argument("folders", nargs="+", metavar="FOLDER", help="a folder of presets")
    merge.add_argument("--out", required=True, metavar="DIR", help="where the union goes; what it holds takes part")


def _add_model(parser: argparse.ArgumentParser, *, several: bool) -> None:
    group = parser.add_argument_group("the model")
    if several:
        group.add_argument(
            "--model", type=names, required=True, metavar="NAME,NAME", help="bundled models, such as digits_flow"
        )
        group.add_argument("--cfg", type=numbers, default=(1.0,), metavar="G,G", help="guidances (default 1, none)")
    else:
        group.add_argument("--model", metavar="NAME", help="a bundled model, such as digits_flow or digits_eps")
        group.add_argument("--cfg", type=float, metavar="G", help="guidance (default 1, none)")
    group.add_argument("--device", default="cpu", metavar="NAME", help="torch device (default cpu)")


def _add_sampler_and_steps(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--sampler",
        default="dpmpp_2m",
        metavar="NAME",
        help="euler, ddim, dpmpp_2m, res_multistep, gradient_estimation, ipndm, deis, lms or heun, or module:attribute "
        "of a function like k-diffusion's (default dpmpp_2m)",
    )
    group.add_argument(
        "--steps", type=whole_numbers, default=(5, 8, 10, 20), metavar="N,N", help="step counts (default 5,8,10,20)"
    )


def _add_effort(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--effort",
        default="balanced",
        choices=("quick", "fast", "balanced", "thorough"),
        help="how many model evaluations a fit may spend (default balanced)",
    )
