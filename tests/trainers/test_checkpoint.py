"""Checkpoints: complete or invisible, whole or refused."""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from agentgym.errors import StoreError
from agentgym.trainers import checkpoint
from agentgym.trainers.policy import Policy


def stepped(model: Path) -> tuple[Policy, torch.optim.Optimizer]:
    """A policy and an optimizer that has made one step."""
    policy = Policy.load(model, device="cpu")
    optimizer = torch.optim.AdamW(policy.model.parameters(), lr=1e-3)
    policy.logprobs([[5, 6, 7]], [[1, 2]]).sum().backward()
    optimizer.step()
    optimizer.zero_grad()
    return policy, optimizer


@pytest.fixture(scope="module")
def two_checkpoints(corridor_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with checkpoints of steps 0 and 3."""
    run = tmp_path_factory.mktemp("run")
    policy, optimizer = stepped(corridor_model)
    for step in (0, 3):
        checkpoint.save(run, step, policy, optimizer)
    return run


def test_a_checkpoint_is_an_ordinary_model_folder_with_the_optimizers_state(
    two_checkpoints: Path, corridor_model: Path
) -> None:
    found, complaints = checkpoint.find_latest(two_checkpoints)
    assert found == two_checkpoints / "checkpoints" / "step-000003"
    assert complaints == []
    assert checkpoint.step_of(found) == 3
    policy, optimizer = stepped(corridor_model)
    again = Policy.load(found, device="cpu")
    for one, other in zip(policy.model.parameters(), again.model.parameters(), strict=True):
        assert torch.equal(one, other)
    fresh = torch.optim.AdamW(again.model.parameters(), lr=5.0)
    checkpoint.load_optimizer(found, fresh)
    one_state, other_state = optimizer.state_dict(), fresh.state_dict()
    assert one_state["param_groups"] == other_state["param_groups"]
    assert one_state["state"].keys() == other_state["state"].keys()
    for index, values in one_state["state"].items():
        for name, tensor in values.items():
            assert torch.equal(tensor, other_state["state"][index][name])


def test_a_tokenizer_with_several_chat_templates_is_vouched_for(
    corridor_model: Path, tmp_path: Path
) -> None:
    policy, optimizer = stepped(corridor_model)
    template = policy.tokenizer.chat_template
    policy.tokenizer.chat_template = {"default": template, "tool_use": template + " "}
    folder = checkpoint.save(tmp_path, 1, policy, optimizer)
    (inner,) = (path for path in folder.rglob("*") if path.parent != folder and path.is_file())
    assert checkpoint.check(folder) == 1
    flip(inner)
    with pytest.raises(StoreError, match=f"{inner.name}: altered"):
        checkpoint.check(folder)


def flip(path: Path, place: float = 0.5) -> None:
    data = bytearray(path.read_bytes())
    data[int(place * (len(data) - 1))] ^= 1
    path.write_bytes(data)


MUTATIONS: dict[str, Callable[[Path], object]] = {
    "first bit": lambda path: flip(path, 0.0),
    "middle bit": flip,
    "last bit": lambda path: flip(path, 1.0),
    "torn": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "emptied": lambda path: path.write_bytes(b""),
    "deleted": lambda path: path.unlink(),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"\0"),
}


def copied(run: Path, to: Path) -> Path:
    """The newest checkpoint of a copy of the run."""
    return shutil.copytree(run, to / "copy") / "checkpoints" / "step-000003"


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_every_file_of_a_checkpoint_is_vouched_for(
    two_checkpoints: Path, tmp_path: Path, mutation: str
) -> None:
    newest = copied(two_checkpoints, tmp_path)
    names = sorted(path.name for path in newest.iterdir())
    assert {"model.safetensors", "optimizer.pt", "tokenizer.json", "manifest.json"} <= set(names)
    for name in names:
        kept = (newest / name).read_bytes()
        MUTATIONS[mutation](newest / name)
        found, complaints = checkpoint.find_latest(newest.parents[1])
        assert found == newest.with_name("step-000000"), name
        (complaint,) = complaints
        assert str(newest) in complaint
        if name != "manifest.json":
            assert name in complaint
        (newest / name).write_bytes(kept)
    assert checkpoint.check(newest) == 3


def test_two_files_swapped_are_refused(two_checkpoints: Path, tmp_path: Path) -> None:
    newest = copied(two_checkpoints, tmp_path)
    one, two = newest / "model.safetensors", newest / "optimizer.pt"
    contents = one.read_bytes(), two.read_bytes()
    one.write_bytes(contents[1])
    two.write_bytes(contents[0])
    with pytest.raises(StoreError, match=r"model.safetensors: altered|optimizer.pt: altered"):
        checkpoint.check(newest)


def test_no_flipped_bit_of_the_manifest_passes_for_another_step(
    two_checkpoints: Path, tmp_path: Path
) -> None:
    newest = copied(two_checkpoints, tmp_path)
    manifest = newest / "manifest.json"
    kept = manifest.read_bytes()
    for place in range(len(kept)):
        manifest.write_bytes(kept[:place] + bytes([kept[place] ^ 4]) + kept[place + 1 :])
        try:
            assert checkpoint.check(newest) == 3
        except StoreError as error:
            assert str(newest) in str(error)
    manifest.write_text(json.dumps({"step": 9, "files": {}}))
    with pytest.raises(StoreError, match="speaks of step 9"):
        checkpoint.check(newest)


@pytest.mark.parametrize("content", ["5", "[]", "{}", "null", '{"step": 3, "files": []}', "{"])
def test_a_manifest_of_another_shape_is_refused(
    two_checkpoints: Path, tmp_path: Path, content: str
) -> None:
    newest = copied(two_checkpoints, tmp_path)
    (newest / "manifest.json").write_text(content)
    with pytest.raises(StoreError, match="step-000003: "):
        checkpoint.check(newest)


def test_a_run_without_a_sound_checkpoint_says_so(two_checkpoints: Path, tmp_path: Path) -> None:
    newest = copied(two_checkpoints, tmp_path)
    for folder in newest.parent.iterdir():
        flip(folder / "config.json")
    found, complaints = checkpoint.find_latest(newest.parents[1])
    assert found is None
    assert len(complaints) == 2
    assert checkpoint.find_latest(tmp_path) == (None, [])


def test_the_first_checkpoint_and_the_two_newest_are_kept(tmp_path: Path) -> None:
    names = [f"step-{step:06d}" for step in (0, 2, 4, 6, 100)]
    for count, name in enumerate(names, start=1):
        (tmp_path / "checkpoints" / name).mkdir(parents=True)
        checkpoint.prune(tmp_path)
        left = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
        assert left == sorted({names[0], *names[max(0, count - 2) : count]})


def test_a_full_disk_is_loud_and_keeps_what_was_there(
    two_checkpoints: Path, tmp_path: Path, corridor_model: Path
) -> None:
    run = copied(two_checkpoints, tmp_path).parents[1]
    policy, optimizer = stepped(corridor_model)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    for num_bytes in (100, 50_000, 450_000):
        resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, hard))
        try:
            with pytest.raises(StoreError, match="cannot save checkpoint .*step-000003"):
                checkpoint.save(run, 3, policy, optimizer)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        names = sorted(path.name for path in (run / "checkpoints").iterdir())
        assert names == ["step-000000", "step-000003"]
        assert checkpoint.check(run / "checkpoints" / "step-000003") == 3


KILLED = """
import os, signal, sys
from pathlib import Path
import torch
from agentgym.trainers import checkpoint
from agentgym.trainers.policy import Policy

CALLS = ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "shutil.rmtree", "os.listdir")
policy = Policy.load(sys.argv[1], device="cpu")
optimizer = torch.optim.AdamW(policy.model.parameters(), lr=1e-3)

def save(folder, point):
    left = [point]
    def hook(event, arguments):
        if event in CALLS and str(folder) in str(arguments):
            left[0] -= 1
            if left[0] < 0:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(hook)
    checkpoint.save(folder, 5, policy, optimizer)
    os._exit(0)

point = 0
while True:
    folder = Path(sys.argv[2]) / f"{point:03}"
    folder.mkdir()
    child = os.fork()
    if child == 0:
        save(folder, point)
    status = os.waitpid(child, 0)[1]
    (folder / "status").write_text(str(status))
    if status == 0:
        break
    point += 1
"""
"""Forks a child a folder; each dies one call later than the one before, until one is done."""


@pytest.mark.slow
def test_a_kill_at_any_call_of_a_save_leaves_a_whole_checkpoint_or_none(
    corridor_model: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", KILLED, str(corridor_model), str(tmp_path)]
    subprocess.run(command, check=True, timeout=120, capture_output=True)
    folders = sorted(tmp_path.iterdir())
    statuses = [int((folder / "status").read_text()) for folder in folders]
    assert statuses == [9] * (len(folders) - 1) + [0]
    assert len(folders) > 15
    found = [checkpoint.find_latest(folder) for folder in folders]
    assert all(complaints == [] for _, complaints in found)
    whole = [latest is not None for latest, _ in found]
    assert whole == sorted(whole)
    assert not whole[0]
    assert whole[-1]
