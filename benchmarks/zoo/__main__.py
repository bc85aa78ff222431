"""The members of the zoo in a table.

python -P -m sigmasmith.benchmarks.zoo
"""

from __future__ import annotations

from .members import Member, zoo_members
from .weights import AUTOENCODER, read_autoencoder

_COLUMNS = ("name", "data", "state", "kind", "predicts", "sigma", "classes", "minutes", "error", "linear", "licence")


def main() -> None:
    for line in table(zoo_members()):
        print(line)
    _, settings = read_autoencoder(AUTOENCODER)
    error, variance = settings["held_out_error"], settings["held_out_variance"]
    print(
        f"\n{AUTOENCODER}: {settings['minutes']:.0f} minutes; mean square error {error:.4f} on held-out pictures of "
        f"variance {variance:.3f}"
    )


def table(members: tuple[Member, ...]) -> list[str]:
    """Lines of a Markdown table, one a member; error and linear are held-out mean square errors, of it and of the best
    linear denoiser, in units of the data's variance."""
    rows = [_COLUMNS, tuple("---" for _ in _COLUMNS), *(_row(member) for member in members)]
    return ["| " + " | ".join(row) + " |" for row in rows]


def _row(member: Member) -> tuple[str, ...]:
    limits = member.range
    kind = member.kind + (", latent" if member.latent else "") + (", distilled" if member.distilled else "")
    return (
        member.name,
        member.data,
        "x".join(str(length) for length in member.shape),
        kind,
        member.prediction or ("exact, flow" if limits.flow else "exact"),
        f"{limits.sigma_min:.3g} to {limits.sigma_max:.4g}",
        str(member.classes or ""),
        _number(member.minutes, 0),
        _number(member.held_out_loss, 3),
        _number(member.wiener_loss, 3),
        member.licence,
    )


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


if __name__ == "__main__":
    main()
