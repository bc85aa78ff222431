"""Rows of a batch in groups that fit the memory."""

from __future__ import annotations

import gc
import weakref

import pytest
import torch
from sigmasmith.schedules.hosting.row_groups import RowGroups, is_out_of_memory, next_group


def groups_of(size: int) -> RowGroups:
    return RowGroups(size, "take a smaller image", lambda: None)


class Device:
    """A model call that runs out of memory above a number of rows."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.asked: list[list[int]] = []

    def __call__(self, group: list[int]) -> list[int]:
        self.asked.append(group)
        if len(group) > self.room:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")
        return [10 * row for row in group]


def test_a_group_is_of_one_prompt_and_no_larger_than_the_size():
    prompts = (0, 1, 0, 0, 1)
    assert next_group(prompts, 5, ()) == [0, 2, 3]
    assert next_group(prompts, 2, ()) == [0, 2]
    assert next_group(prompts, 2, {0, 2}) == [1, 4]
    assert next_group(prompts, 2, {0, 1, 2, 4}) == [3]


@pytest.mark.parametrize("size", [1, 2, 3, 7])
@pytest.mark.parametrize("prompts", [(0, 0, 0, 0, 0), (0, 1, 2, 0, 1), (2, 2, 0, 0, 0)])
def test_every_row_runs_exactly_once(size, prompts):
    outputs = groups_of(size).run(lambda group: group, prompts)
    assert sorted(row for group, _ in outputs for row in group) == list(range(len(prompts)))
    assert all(group == output for group, output in outputs)
    assert all(len({prompts[row] for row in group}) == 1 for group, _ in outputs)


def test_a_batch_that_fits_is_one_call():
    device, groups = Device(room=4), groups_of(4)
    assert groups.run(device, (0,) * 4) == [([0, 1, 2, 3], [0, 10, 20, 30])]
    assert groups.size == 4


def test_after_memory_ran_out_half_as_many_rows_run_and_finished_rows_do_not_run_again():
    device, groups = Device(room=2), groups_of(7)
    outputs = groups.run(device, (0,) * 7)
    assert [len(group) for group in device.asked] == [7, 4, 2, 2, 2, 1]
    assert [row for group, _ in outputs for row in group] == list(range(7))
    assert [value for _, output in outputs for value in output] == [10 * row for row in range(7)]


def test_the_smaller_size_stays_for_the_next_calls():
    device, groups = Device(room=2), groups_of(4)
    groups.run(device, (0,) * 4)
    device.asked.clear()
    groups.run(device, (0,) * 4)
    assert [len(group) for group in device.asked] == [2, 2]


def test_half_of_the_group_that_failed_counts_and_not_half_of_the_size():
    device, groups = Device(room=2), groups_of(8)
    groups.run(device, (0, 0, 0, 1, 1))
    assert groups.size == 2


def test_one_row_that_does_not_fit_is_an_error_that_says_what_to_do():
    freed = []
    groups = RowGroups(2, "take a smaller image", lambda: freed.append(True))
    with pytest.raises(MemoryError, match="take a smaller image"):
        groups.run(Device(room=0), (0, 0))
    assert len(freed) == 2


@pytest.mark.slow
def test_memory_is_freed_after_the_failed_call_has_let_go_of_its_tensors():
    kept: list[weakref.ref[torch.Tensor]] = []
    alive: list[bool] = []

    def call(group: list[int]) -> int:
        activation = torch.zeros(3)
        kept.append(weakref.ref(activation))
        if len(group) > 1:
            raise RuntimeError("out of memory")
        return len(group)

    def free_memory() -> None:
        gc.collect()
        alive.append(kept[-1]() is not None)

    RowGroups(2, "", free_memory).run(call, (0, 0))
    assert alive == [False]


def test_other_errors_and_interrupts_pass_through():
    class InterruptedException(BaseException):
        pass

    for error in (ValueError("shape"), RuntimeError("size mismatch"), InterruptedException()):

        def call(_: list[int], error: BaseException = error) -> None:
            raise error

        groups = groups_of(4)
        with pytest.raises(type(error)):
            groups.run(call, (0,) * 4)
        assert groups.size == 4


def test_the_log_says_how_many_rows_run_from_now_on(caplog):
    with caplog.at_level("INFO", logger="sigmasmith"):
        groups_of(4).run(Device(room=2), (0,) * 4)
    assert caplog.messages == ["Sigmasmith: out of memory, going on with 2 rows at a time"]


def test_out_of_memory_is_recognised_by_its_type_or_its_words():
    assert is_out_of_memory(MemoryError())
    assert is_out_of_memory(torch.cuda.OutOfMemoryError("x"))
    assert is_out_of_memory(RuntimeError("MPS backend Out of memory"))
    assert not is_out_of_memory(RuntimeError("shape mismatch"))
    assert not is_out_of_memory(ValueError("out of memory"))
