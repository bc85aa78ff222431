"""Many changes of the library at once: whatever was answered with success is so."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from itertools import combinations_with_replacement
from pathlib import Path

import pytest
from sigmasmith.schedules.hosting.library import Library, LibraryError
from sigmasmith.schedules.presets.file import load_preset, to_bytes

from ...nodes.page.page_presets import preset

AT_ONCE = 40
Outcome = tuple[str, str, int]  # action, name that it was about or made, steps of the preset


class Actions:
    """One change each; they meet on few names, on purpose."""

    def __init__(self, library: Library) -> None:
        self.library = library

    def write(self, number: int) -> Outcome:
        return "kept", self.library.add(preset((4 + number,), name="mine")), 4 + number

    def import_file(self, number: int) -> Outcome:
        return "kept", self.library.add_bytes(to_bytes(preset((4 + number,), name="mine")))[0], 4 + number

    def duplicate(self, number: int) -> Outcome:
        return "made", self.library.duplicate(f"old {number % 4}"), 0

    def rename(self, number: int) -> Outcome:
        return "moved", self.library.rename(f"old {number % 4}", f"old {(number + 1) % 4}"), number % 4

    def rename_to_new(self, number: int) -> Outcome:
        return "moved", self.library.rename(f"old {number % 4}", f"new {number}"), number % 4

    def delete(self, number: int) -> Outcome:
        self.library.delete(f"old {number % 4}")
        return "gone", f"old {number % 4}", number % 4


KINDS = [name for name in vars(Actions) if not name.startswith("_")]


def at_once(actions: list[Callable[[], Outcome]]) -> list[Outcome]:
    """What those that succeeded say; all begin at the same moment."""
    start, done = threading.Barrier(len(actions)), []

    def work(action: Callable[[], Outcome]) -> None:
        start.wait()
        with contextlib.suppress(LibraryError):
            done.append(action())

    threads = [threading.Thread(target=work, args=(action,)) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return done


@pytest.mark.slow
@pytest.mark.parametrize(("one", "other"), list(combinations_with_replacement(KINDS, 2)))
def test_what_is_answered_with_success_is_so(tmp_path: Path, one: str, other: str):
    library = Library(lambda: [tmp_path])
    for number in range(4):
        library.add(preset((60 + number,), name=f"old {number}"))
    actions = Actions(library)
    outcomes = at_once(
        [
            lambda kind=kind, number=number: getattr(actions, kind)(number)
            for number in range(AT_ONCE // 2)
            for kind in (one, other)
        ]
    )
    held = {path.stem: list(load_preset(path).schedules) for path in tmp_path.glob("*.safetensors")}
    assert not list(tmp_path.glob(".*"))
    # Every name written is there, with what was written; nothing was written over.
    for _, name, steps in [outcome for outcome in outcomes if outcome[0] == "kept"]:
        assert held[name] == [steps]
    made = [outcome for outcome in outcomes if outcome[0] in ("kept", "made")]
    assert len({name for _, name, _ in made}) == len({(name, steps) for _, name, steps in made})
    # No preset is lost but by a delete that says so, and none is there twice but as a copy.
    gone = sum(outcome[0] == "gone" for outcome in outcomes)
    assert len(held) == 4 + len({name for _, name, _ in made}) - gone
    for name in held:
        assert load_preset(tmp_path / f"{name}.safetensors").name == name
