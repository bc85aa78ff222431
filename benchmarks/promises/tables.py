"""The measurements in print, each figure asked for beside the figure measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from ..asked import average, verdict
from ..cases import SAMPLER, STEPS
from .figures import PUBLISHED_NODES, ROUNDED_STEPS, CaseFigures

# Below this the schedules no longer differ: where the gain ends.
_NO_GAIN = 1.05


def grid(
    title: str, figures: Sequence[CaseFigures], steps: Sequence[int], cell: Callable[[CaseFigures, int], str]
) -> Iterator[str]:
    """A table with a row per case and a column per step count."""
    rows = {one.key: [cell(one, count) for count in steps] for one in figures}
    wide = max(8, *(len(text) for row in rows.values() for text in row)) + 2
    yield title
    yield f"  {'':<16}" + "".join(f"{f'{count} steps':>{wide}}" for count in steps)
    for key, row in rows.items():
        yield f"  {key:<16}" + "".join(f"{text:>{wide}}" for text in row)


def against_hosts(figures: Sequence[CaseFigures]) -> Iterator[str]:
    """(i) and (ii): the best host schedule of each cell in hindsight, and `simple`."""
    names = list(figures[0].fitted)
    balanced, fast = names[0], names[1]
    for name in (balanced, fast):
        yield from grid(
            f"Best host schedule's error / fitted, {SAMPLER}, {name} noises (1.00 = level)",
            figures,
            STEPS,
            lambda one, count, name=name: f"{_gain(one, name, count):.2f} ({one.best_host(count)})",
        )
    yield from grid(
        f"Error, {balanced} noises", figures, STEPS, lambda one, count: f"{one.fitted[balanced][count]:.4f}"
    )
    for name, asked in ((balanced, 1.8), (fast, 1.65)):
        gains = _gains(figures, name)
        yield verdict(f"(i) best host / fitted, {name} noises, average", average(gains), asked)
        yield verdict(f"(i) the same, worst cell ({_worst(figures, name)})", min(gains), 1 / 1.03)
    for name in names[2:]:
        gains = _gains(figures, name)
        yield f"      for comparison, {name} noises: average {average(gains):.2f}, worst {min(gains):.2f}"
    for name in (balanced, fast):
        plain = [one.hosts["simple"][count] / one.fitted[name][count] for one in figures for count in STEPS]
        yield verdict(f"(ii) simple / fitted, {name} noises, average", average(plain), 3.0)


def _gain(one: CaseFigures, name: str, count: int) -> float:
    return one.hosts[one.best_host(count)][count] / one.fitted[name][count]


def _gains(figures: Sequence[CaseFigures], name: str) -> list[float]:
    return [_gain(one, name, count) for one in figures for count in STEPS]


def _worst(figures: Sequence[CaseFigures], name: str) -> str:
    one, count = min(
        ((one, count) for one in figures for count in STEPS), key=lambda cell: _gain(cell[0], name, cell[1])
    )
    return f"{one.key}, {count} steps"


def cost(figures: Sequence[CaseFigures]) -> Iterator[str]:
    """(iii): model evaluations per sample, the most of any case."""
    yield "Model evaluations per sample: teacher, search, hosts and held-out check together"
    for name in figures[0].nfe:
        most = max(one.nfe[name] for one in figures) / len(STEPS)
        text = f"(iii) {name} noises, per step count, {len(STEPS)} together"
        yield verdict(text, most, 250 if name.startswith("balanced") else 120, most=True)
    for count in STEPS:
        spent = max(one.single[count] for one in figures)
        published = PUBLISHED_NODES * (1 + count)
        yield verdict(f"(iii) fast, {count} steps alone (published OSS: {published})", spent, published / 4, most=True)


def against_published(figures: Sequence[CaseFigures]) -> Iterator[str]:
    """(iv): the published search's Euler schedule, as it is. Noise prediction: both readings of its start states."""
    balanced = next(iter(figures[0].fitted))
    for start in ("own states", "flow states"):
        some = [one for one in figures if f"euler, {start}" in one.published]
        if not some:
            continue
        label = f"published OSS ({start})"
        for sampler, asked in (("euler", 1.0), (SAMPLER, 1.5)):
            ratios = {
                one.key: {
                    count: one.published[f"{sampler}, {start}"][count]
                    / (one.euler if sampler == "euler" else one.fitted[balanced])[count]
                    for count in STEPS
                }
                for one in some
            }
            yield from grid(
                f"{label} / fitted, {sampler}",
                some,
                STEPS,
                lambda one, count, ratios=ratios: f"{ratios[one.key][count]:.2f}",
            )
            every = [ratio for row in ratios.values() for ratio in row.values()]
            yield verdict(f"(iv) {label} / fitted, {sampler}, average", average(every), asked)
        starts = ", ".join(f"{one.key} {one.published_starts[start]:.2f}" for one in some)
        yield f"      first sigma at {STEPS[-1]} steps, share of sigma_max: {starts}"


def below_one(figures: Sequence[CaseFigures]) -> Iterator[str]:
    """(v): below denoise 1, from really noised data."""
    for denoise in figures[0].partial:
        cells = {(one.key, count): one.partial[denoise][count] for one in figures for count in STEPS}
        yield from grid(
            f"Denoise {denoise}, one start sigma: best host / fitted for it, best host / fitted for whole runs",
            figures,
            STEPS,
            lambda one, count, cells=cells: (
                f"{cells[one.key, count].host / cells[one.key, count].fitted:.2f} "
                f"{cells[one.key, count].host / cells[one.key, count].whole:.2f} ({cells[one.key, count].host_name})"
            ),
        )
        gains = {cell: errors.host / errors.fitted for cell, errors in cells.items()}
        worst = min(gains, key=lambda cell: gains[cell])
        yield verdict(f"(v) denoise {denoise}: best host / fitted, average", average(gains.values()), 1.0)
        yield verdict(f"(v) the same, worst cell ({worst[0]}, {worst[1]} steps)", gains[worst], 1 / 1.03)
        whole = [errors.host / errors.whole for errors in cells.values()]
        yield f"      for comparison, fitted for whole runs: average {average(whole):.2f}, worst {min(whole):.2f}"
        most = max(one.partial_nfe[denoise] for one in figures) / len(STEPS)
        yield f"      evaluations per sample and step count, the images included: {most:.1f}"


def with_rounding(figures: Sequence[CaseFigures]) -> Iterator[str]:
    """(vi): rounded model outputs, and where the gain ends."""
    for name in figures[0].rounded:
        yield from grid(
            f"Model outputs {name}: best host / fitted",
            figures,
            ROUNDED_STEPS,
            lambda one, count, name=name: f"{one.rounded[name][count][1] / one.rounded[name][count][0]:.2f}",
        )
        means = {
            count: average(one.rounded[name][count][1] / one.rounded[name][count][0] for one in figures)
            for count in ROUNDED_STEPS
        }
        over = [count for count, mean in means.items() if mean < _NO_GAIN]
        end = f"ends at {over[0]} steps" if over else f"has not ended at {ROUNDED_STEPS[-1]} steps"
        shown = ", ".join(f"{count} steps {mean:.2f}" for count, mean in means.items())
        yield f"  (vi) {name}, average: {shown}; the gain {end} (below {_NO_GAIN})"


def report(figures: Sequence[CaseFigures]) -> Iterator[str]:
    """All tables."""
    for part in (against_hosts, cost, against_published, below_one, with_rounding):
        yield from part(figures)
        yield ""
    yield verdict("(vii) sigmas from a preset, ms", max(one.solve_ms for one in figures), 5.0, most=True)


def csv_rows(figures: Sequence[CaseFigures]) -> Iterator[tuple[str, str, str, int, float]]:
    """(case, table, schedule, steps, value), every measurement."""
    for one in figures:
        for table in ("hosts", "fitted", "published"):
            for name, errors in getattr(one, table).items():
                yield from ((one.key, table, name, count, error) for count, error in errors.items())
        yield from ((one.key, "fitted euler", "balanced", count, error) for count, error in one.euler.items())
        yield from ((one.key, "nfe", name, 0, spent) for name, spent in one.nfe.items())
        yield from ((one.key, "nfe", "fast, alone", count, spent) for count, spent in one.single.items())
        for denoise, cells in one.partial.items():
            for count, cell in cells.items():
                yield one.key, f"denoise {denoise}", "fitted", count, cell.fitted
                yield one.key, f"denoise {denoise}", "fitted for whole runs", count, cell.whole
                yield one.key, f"denoise {denoise}", cell.host_name, count, cell.host
        for rounding, pairs in one.rounded.items():
            for count, (fitted, host) in pairs.items():
                yield one.key, rounding, "fitted", count, fitted
                yield one.key, rounding, "best host", count, host
        yield one.key, "solve ms", "preset", 0, one.solve_ms
