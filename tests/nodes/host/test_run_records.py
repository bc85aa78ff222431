"""What is noted of runs for saved files, also of nodes that the host does not run again."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from sigmasmith.nodes.host.run_records import MAX_SIGMAS, NamedRun, RunRecords, node_digests, run_facts, uses_pack

from ..page.page_presets import preset

GRAPH: dict[str, Any] = {
    "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "sd.safetensors"}},
    "2": {"class_type": "SigmasmithApply", "inputs": {"model": ["1", 0]}},
    "3": {"class_type": "KSampler", "inputs": {"model": ["2", 0], "seed": 1}},
    "4": {"class_type": "SaveImage", "inputs": {"images": ["3", 0]}},
}


def changed(node: str, **inputs: Any) -> dict[str, Any]:
    graph = deepcopy(GRAPH)
    graph[node]["inputs"] |= inputs
    return graph


def test_facts_reach_the_entry_of_their_prompt_while_it_runs():
    records = RunRecords()
    entry = records.expect("p1", GRAPH)
    records.note("p1", "3", {"steps": 4})
    assert entry == {"format": 1, "runs": {"3": {"steps": 4}}}


def test_a_node_that_is_not_run_again_gives_its_last_facts():
    records = RunRecords()
    records.expect("p1", GRAPH)
    records.note("p1", "3", {"steps": 4})
    assert records.expect("p2", changed("4", prefix="x"))["runs"] == {"3": {"steps": 4}}


def test_a_node_whose_inputs_have_changed_gives_none_until_it_runs():
    records = RunRecords()
    records.expect("p1", GRAPH)
    records.note("p1", "3", {"steps": 4})
    assert records.expect("p2", changed("3", seed=2))["runs"] == {}
    assert records.expect("p3", changed("1", ckpt_name="other"))["runs"] == {}


def test_a_note_of_an_unknown_prompt_is_dropped():
    RunRecords().note("nobody", "3", {"steps": 4})


def test_digests_see_everything_before_a_node_and_nothing_behind_it():
    before, after = node_digests(GRAPH), node_digests(changed("4", prefix="x"))
    assert before["3"] == after["3"]
    assert before["4"] != after["4"]
    assert before["3"] != node_digests(changed("1", ckpt_name="other"))["3"]


def test_a_loop_or_a_malformed_graph_has_no_digests_and_does_not_hang():
    loop = {"1": {"class_type": "A", "inputs": {"x": ["2", 0]}}, "2": {"class_type": "B", "inputs": {"x": ["1", 0]}}}
    assert node_digests(loop) == {}
    assert node_digests({"1": None, "2": {"class_type": "A", "inputs": 5}}) == {}
    chain = {str(i): {"class_type": "A", "inputs": {"x": [str(i - 1), 0]}} for i in range(1, 2000)}
    assert len(node_digests(chain)) == 1999


def test_memory_is_bounded():
    records = RunRecords()
    for number in range(5_000):
        records.expect(str(number), changed("3", seed=number))
        records.note(str(number), "3", {})
    assert len(records._open) <= 4_096
    assert len(records._last) <= 4_096


def test_facts_are_the_real_sigmas_and_the_hash_of_the_preset():
    mine = preset()
    facts = run_facts(mine.schedules[5].tolist(), mine, "euler")
    assert facts["hash"] == mine.hash
    assert facts["preset"] == "mine"
    assert [float(f"{sigma:.9g}") for sigma in mine.schedules[5].tolist()] == facts["sigmas"]
    assert "sigmas" not in run_facts([float(i) for i in range(MAX_SIGMAS + 1)])


def test_only_graphs_that_use_the_pack_get_a_record():
    assert uses_pack(GRAPH)
    assert uses_pack({"1": {"class_type": "KSampler", "inputs": {"scheduler": "sigmasmith_cosine"}}})
    for other in ({"1": {"class_type": "KSampler", "inputs": {"scheduler": "karras"}}}, {}, None, [], {"1": 5}):
        assert not uses_pack(other)


def test_the_sampler_beside_a_scheduler_of_ours_is_known_of_every_node_that_names_it():
    records, ours = RunRecords(), {"scheduler": "sigmasmith_optimal"}
    graph = changed("3", **ours, sampler_name="dpmpp_2m")
    graph |= {
        "5": {"class_type": "KSampler", "inputs": {"scheduler": "karras", "sampler_name": "euler"}},
        "6": {"class_type": "KSampler", "inputs": ours | {"sampler_name": ["1", 0]}},
        "7": {"class_type": "BasicScheduler", "inputs": ours},
        "8": "no node",
    }
    records.expect("p1", graph)
    known = records.named("p1", "3")
    assert known is not None
    assert known.sampler == "dpmpp_2m"
    assert [records.named("p1", node) for node in ("1", "5", "6", "7", "8", "none")] == [None] * 6
    assert records.named("p2", "3") is None


def test_what_runs_of_a_list_is_the_part_that_the_nodes_own_inputs_leave():
    whole, link = [4.0, 3.0, 2.0, 1.0, 0.0], ["1", 0]
    for inputs, part in (
        ({"steps": 4, "denoise": 1.0}, whole),
        ({"steps": 2, "denoise": 0.5}, [2.0, 1.0, 0.0]),
        ({"steps": 2, "denoise": link}, [2.0, 1.0, 0.0]),
        ({"steps": link, "denoise": 0.5}, [2.0, 1.0, 0.0]),
        ({"steps": link, "denoise": link}, []),
        ({"start_at_step": 1, "end_at_step": 10_000}, [3.0, 2.0, 1.0, 0.0]),
        ({"start_at_step": 1, "end_at_step": 3, "return_with_leftover_noise": "enable"}, [3.0, 2.0, 1.0]),
        ({"start_at_step": 0, "end_at_step": 2, "return_with_leftover_noise": "disable"}, [4.0, 3.0, 0.0]),
        ({"steps": 3, "denoise": 0.75, "start_at_step": 1, "end_at_step": 10}, [2.0, 1.0, 0.0]),
        ({"start_at_step": 4, "end_at_step": 10_000}, []),
        ({"start_at_step": 0, "end_at_step": link}, []),
    ):
        assert NamedRun("euler", inputs).part(whole) == part
