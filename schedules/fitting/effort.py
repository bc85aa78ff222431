"""How much a fit may spend at each effort."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..core.run import LEAST_ASKED
from ..family.learned import LEAST_STEPS, MOST_STEPS

# Constant gains tried before any is measured: 1 forwards errors to the end, 0 forgets them. No single one wins.
GAINS = (1.0, 0.75, 0.5)
# Rows of a fit that is bounded in calls: the least and the most of a race, the least that every step is refined on, the
# most of others, and those that are better than a dearer effort. _MOST_ROWS are better too than a finer reference: on
# photographs by flow 64 levels for 48 brought a tenth more. Hosts give a sampler of theirs _MANY_ROWS at least.
_LEAST_ROWS, _RACED_ROWS, _REFINED_ROWS, _MOST_ROWS, _MANY_ROWS = 6, 48, 12, 24, 8
# Noises that hosts give a dear effort at least: twelve that are searched on, and four that judge.
_HOST_ROWS = 16
# Steps up to which a fit that is bounded in calls affords forward differences of all of them.
_FEW_STEPS = 10
# Levels of a race's reference: so many, so many a step, and at most so many; of a row's evaluations at most this share.
_LEVELS, _LEVELS_SHARE = (20, 2, 64), 0.55
# Share of the distance between samples by which two solutions of one model may differ.
TOLERANCE = 0.05


@dataclass(frozen=True)
class Effort:
    """A budget of model evaluations per sample, known before the fit starts.

    Attributes:
        teacher_nodes: noise levels of the teacher.
        check_nodes: of the coarser teacher that it must agree with.
        base, per_step: the limit is base + per_step * (sum of the step counts).
        hosts: host schedules compared at most, the most promising first; None for all of them.
        gains: constant propagation gains that schedules are solved for as first candidates.
        measures_gains: whether the gains that those runs show make one more candidate, and neighbours and hosts others.
        published: whether schedules as GITS and DMN make them are first candidates too.
        rows: noises that are used at most; None for all.
        least_rows: noises that hosts, which have as many as one likes, give at least.
        calls: (base, per step) of the limit on model calls in all, in place of `base` and `per_step` for each noise;
            of several step counts the dearest counts one and a half times.
        tolerance: share of the distance between samples by which the two teachers may differ. The error of the finer
            one is a small part of that, and few steps are held against it.
        refines: whether schedules are searched for and refined beyond the race.
        moves_steps: whether a race moves every step by itself where calls allow, or the family as a whole alone.
        many: step count above which a step costs `per_step_beyond` in place of `per_step`.
        total: the limit on model calls in all, where a caller gives one, in place of all others.
    """

    teacher_nodes: int
    check_nodes: int
    base: float
    per_step: float
    hosts: int | None
    gains: tuple[float, ...] = GAINS
    measures_gains: bool = True
    published: bool = False
    rows: int | None = None
    least_rows: int = 0
    calls: tuple[float, float] | None = None
    tolerance: float = TOLERANCE
    refines: bool = True
    moves_steps: bool = True
    many: int = 10_000
    per_step_beyond: float = 0.0
    total: float | None = None

    def noises(self, asked: int) -> int:
        """Noises of a fit in a host, of as many as were asked for."""
        return self.rows or max(asked, self.least_rows)

    def could_be_fewer(self, noises: int) -> bool:
        """Whether a host's fit of so many noises would have fewer if fewer were asked for."""
        return self.noises(LEAST_ASKED) < noises

    def limit(self, steps: Sequence[int], *, rows: int | None = None, coefficients: bool = False) -> float:
        """Evaluations per sample for a fit of these step counts together.

        Args:
            rows: noises that share a limit on calls in all; None: as many as the effort uses.
            coefficients: whether they are fitted too: five more unknowns per step than a schedule has.
        """
        if self.total is not None:
            return self.total / (rows or self.rows or 1)
        if self.calls is not None:
            base, per_step = self.calls
            return (base + per_step * max(steps)) * (1.5 if len(steps) > 1 else 1.0) / (rows or self.rows or 1)
        per_count = [self.per_step * min(k, self.many) + self.per_step_beyond * max(k - self.many, 0) for k in steps]
        return self.base + sum(per_count) * (_COEFFICIENTS_FACTOR if coefficients else 1.0)


# One full Jacobian of schedule and coefficients at effort balanced, 8 steps and up.
_COEFFICIENTS_FACTOR = 2.0

# Limits follow from what users are promised: for 5, 8, 10 and 20 steps together 120 (fast) and 250 (balanced) per step
# count; for one count alone, fast, a quarter of the published OSS search, 100 + 100 * steps.
EFFORTS: dict[str, Effort] = {
    # Two judge, four race: the least that a choice between places of the family and the hosts' schedules needs.
    "quick": Effort(
        24,
        12,
        0.0,
        0.0,
        hosts=3,
        gains=(0.65,),
        rows=6,
        calls=(100.0, 70.0),
        tolerance=0.12,
        refines=False,
        moves_steps=False,
    ),
    "fast": Effort(40, 20, 70.0, 9.4, hosts=4),
    "balanced": Effort(48, 24, 110.0, 20.5, hosts=None, published=True),
    "thorough": Effort(64, 32, 200.0, 60.0, hosts=None, published=True),
}
# Effort fast for one step count of at most 10: 80 evaluations. A coarser teacher, one candidate and two host schedules
# leave enough of them for a Jacobian, which is worth more than the best of four candidates.
SINGLE = Effort(24, 18, 40.0, 4.0, hosts=2, gains=(0.65,), measures_gains=False, many=10, per_step_beyond=10.0)
# Effort fast where coefficients are fitted too: every step, pulled to what models mostly have, by a reference that is
# good enough to tell that much. On networks that the family has not seen a fit of every step that is pulled to nothing,
# on ten noises, ended no nearer for 1,600 calls than a race for a dozen numbers for 700 at 5 steps and 1,300 at 10.
RACED = Effort(44, 22, 0.0, 0.0, hosts=3, gains=(0.65,), rows=6, calls=(80.0, 120.0), refines=False)
# Calls that a sampler of the host's may have at effort fast, as sigmasmith_multistep does, and spends on noises. On
# four, for 315 calls at 10 steps, six of 18 fits for dpmpp_2m ended farther than its best host schedule, on 16 one.
_DEFAULT = replace(RACED, calls=(100.0, 120.0))


def effort_for(
    name: str,
    steps: Sequence[int],
    *,
    coefficients: bool = False,
    more: bool = False,
    calls: int | None = None,
    samplers: int = 1,
) -> Effort:
    """The effort of a fit of these step counts; ValueError with the known names.

    Args:
        coefficients: whether they are fitted too.
        more: whether more is asked than a schedule by refinement: a path of noise, the recursive search.
        calls: model calls in all, which decide in the name's place where they are given; see effort_within.
        samplers: how many are chosen among, which share the calls; an effort by name is for each.
    """
    if calls is not None:
        return effort_within(calls, steps, coefficients=coefficients, more=more, samplers=samplers)
    effort = effort_named(name)
    if name == "quick" or (name == "fast" and coefficients):
        return _with_levels(effort if name == "quick" else RACED, max(steps))
    if coefficients:
        return replace(effort, least_rows=_HOST_ROWS)
    if name == "fast":
        effort = SINGLE if len(steps) == 1 and not more else effort
        least = int(_DEFAULT.limit(steps, rows=1) // effort.limit(steps))
        return replace(effort, least_rows=min(max(least, _MANY_ROWS), _HOST_ROWS))
    return replace(effort, least_rows=_MANY_ROWS)


def _with_levels(effort: Effort, longest: int) -> Effort:
    """A race whose reference has levels enough for so many steps, else its own error decides, not the steps'; and for
    one or two steps, far from any reference, no more than leave a race its calls."""
    nodes = max(effort.teacher_nodes, min(_LEVELS[0] + _LEVELS[1] * longest, _LEVELS[2]))
    nodes = min(nodes, int(_LEVELS_SHARE * effort.limit((longest,))))
    return replace(effort, teacher_nodes=nodes, check_nodes=nodes // 2)


def effort_within(
    calls: int, steps: Sequence[int], *, coefficients: bool = False, more: bool = False, samplers: int = 1
) -> Effort:
    """The effort, and the noises, that so many model calls in all are best spent on.

    With coefficients first the family's numbers on six noises, then every step near them on as many and more; for
    another sampler the dearest effort that eight noises can have. Of several samplers each has its share.

    Raises:
        ValueError: too few calls.
    """
    total, calls, longest = calls, calls // samplers, max(steps)
    if coefficients:
        least = 150 + 30 * longest
        a_row = 17 + 20 * longest
        effort = _with_levels(RACED if calls >= _LEAST_ROWS * a_row else EFFORTS["quick"], longest)
        # A slope on few rows goes before that on all; of many steps by tangents, of few by forward differences.
        further = a_row + 2 * longest + longest**2 // 2 if longest <= _FEW_STEPS else 20 * longest
        if calls >= _MOST_ROWS * further:
            finer = _LEVELS[2] - effort.teacher_nodes
            effort = replace(effort, teacher_nodes=_LEVELS[2], check_nodes=_LEVELS[2] // 2)
            rows = min(max(calls // (further + finer), _MOST_ROWS), _RACED_ROWS)
        else:
            rows = max(calls // further, _LEAST_ROWS)
        refined = a_row + 5 * longest**2
        if calls >= _REFINED_ROWS * refined and not all(LEAST_STEPS <= count <= MOST_STEPS for count in steps):
            # A race has nothing for counts that the family does not know.
            effort, rows = EFFORTS["balanced"], min(calls // refined, _MOST_ROWS)
    else:
        single = SINGLE if len(steps) == 1 and not more else EFFORTS["fast"]
        least = math.ceil(3 * single.limit(steps))
        dearest = (EFFORTS["thorough"], EFFORTS["balanced"], EFFORTS["fast"])
        effort = next((each for each in dearest if calls >= _MANY_ROWS * each.limit(steps)), single)
        rows = min(int(calls // effort.limit(steps)), _MOST_ROWS)
    if calls < least:
        several = f" and {samplers} samplers" if samplers > 1 else ""
        raise ValueError(f"calls must be at least {least * samplers} for up to {longest} steps{several}, got {total}")
    return replace(effort, calls=None, total=float(total), rows=rows)


def effort_named(name: str) -> Effort:
    """The effort, or ValueError with the known names."""
    if name not in EFFORTS:
        raise ValueError(f"effort must be one of {', '.join(EFFORTS)}, got {name!r}")
    return EFFORTS[name]


def held_out_of(rows: int) -> int:
    """How many of so many rows judge alone: a quarter, at least 2."""
    return max(2, rows // 4)
