"""The panel's texts as HTML: the schedule that will run, a preset with its plot, the last run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from ...schedules.core.noise_space import SigmaRange
from ...schedules.core.words import in_words
from ...schedules.hosting.library_card import count_sentence
from ...schedules.hosting.whole_runs import family_place
from ...schedules.hosts.schedules import host_schedules
from ...schedules.plot.plot import Plot, schedule_plot
from ...schedules.plot.svg import to_svg
from ...schedules.presets.preset import Preset
from ..answers import ScheduleAnswer, Slicing

_BOX = "sigmasmith-box"
_FITS = {"yes": "made for it", "noise": "same noise levels", "no": "another kind of model", "unknown": ""}
# What people most often choose otherwise.
_BESIDE = ("simple", "karras", "beta")


def lines(texts: Iterable[str], *, kind: str = "") -> str:
    """Paragraphs; line breaks within a text stay."""
    body = "".join(f"<p>{escape(text)}</p>" for text in texts if text)
    return f'<div class="{_BOX} {kind}">{body}</div>' if body else ""


def warned(text: str) -> str:
    """A sentence that asks for something to be changed."""
    return lines([text], kind="sigmasmith-warning")


def preset_table(cards: Sequence[Mapping[str, Any]], matching: int, there: int) -> str:
    """Presets of the library as a table: name, what they are for, what they gained, whether they fit the checkpoint."""
    if not there:
        return lines(["There are no presets yet; fit one, or import one below."])
    body = "".join(_preset_row(card) for card in cards)
    head = "".join(f"<th>{name}</th>" for name in ("Preset", "Steps", "Sampler", "Model", "Gain", "This checkpoint"))
    shown = f"{matching} of {there} presets." + (f" The first {len(cards)} are shown." if matching > len(cards) else "")
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>" if cards else ""
    return f'<div class="{_BOX} sigmasmith-list"><p>{escape(shown)}</p>{table}</div>'


def _preset_row(card: Mapping[str, Any]) -> str:
    if "problem" in card:
        return f'<tr><td>{escape(card["name"])}</td><td colspan="5">{escape(card["problem"])}</td></tr>'
    facts = dict(card["facts"])
    gains = "; ".join(f"{steps} steps: {text}" for steps, text in card["gains"])
    cells = (card["name"], facts.get("Steps", ""), card["sampler"], facts.get("Model", ""), gains, _FITS[card["fit"]])
    return f"<tr>{''.join(f'<td>{escape(str(cell))}</td>' for cell in cells)}</tr>"


def report(texts: Iterable[str]) -> str:
    """The sentences of a run or a fit; texts with tables in them in a fixed pitch."""
    body = "".join(f"<pre>{escape(text)}</pre>" if "\n" in text else f"<p>{escape(text)}</p>" for text in texts if text)
    return f'<div class="{_BOX}"><b>Last run</b>{body}</div>' if body else ""


def plot(schedule: ScheduleAnswer, slicing: Slicing, sigma_range: SigmaRange, *, dark: bool) -> str:
    """The curve that will run, among those that schedules of the host would run in its place."""
    known = host_schedules(sigma_range)
    main = "will run"
    curves = {main: schedule.tail(slicing)} | {
        name: known[name](slicing.total)[-(slicing.runs + 1) :] for name in _BESIDE if name in known
    }
    top = sigma_range.sigma_max if slicing.runs == slicing.total else None
    measured = [main] if schedule.measured else []
    data = schedule_plot(curves, main, sigma_range.flow, sigma_max=top, measured=measured)
    return _picture(data, dark)


def preset_facts(preset: Preset) -> list[str]:
    """Sentences about a preset: name, model, errors, author, notes."""
    model = preset.model
    others = "the family's at this model's scale" if family_place(preset) else "interpolated"
    kind = "exact list, never interpolated" if preset.exact else f"other counts are {others}"
    where = [text for text in (model.family, model.checkpoint or "") if text]
    facts = [f"{preset.name or 'Without a name'} ({preset.short_hash}): {preset.counts_in_words}; {kind}."]
    fitted = f"Fitted to {' '.join(where)}" if where else "Fitted to a model that it does not name"
    if preset.sampler:
        fitted += f" for {preset.sampler}"
    if preset.guidance is not None:
        fitted += f" at guidance {preset.guidance:g}"
    if model.loras:
        fitted += f" with {in_words(model.loras)}"
    facts.append(fitted + ".")
    facts += [count_sentence(preset, full) + "." for full in preset.schedules if preset.errors.get(full)]
    by = [text for text in (preset.author, preset.licence) if text]
    notes = preset.made.beside(preset.notes)
    return facts + ([f"By {', '.join(by)}."] if by else []) + ([notes] if notes else [])


def preset_plot(preset: Preset, dark: bool) -> str:
    """The schedules of a preset by step count."""
    curves = {f"{count} steps": sigmas for count, sigmas in preset.schedules.items()}
    measured = [] if preset.exact else list(curves)
    data = schedule_plot(curves, None, preset.model.flow, title=preset.name or "Share code", measured=measured)
    return _picture(data, dark)


def _picture(data: Plot, dark: bool) -> str:
    return f'<div class="{_BOX}">{to_svg(data, 560, 300, dark)}</div>'
