"""A user's own published games as panels; needs no engine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentgym.envs.alfworld.env import ALFWorld
from agentgym.envs.alfworld.games import find_splits, official_panel, read_game
from agentgym.errors import UsageError

CLEAN = "pick_clean_then_place_in_recep"


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that ALFWORLD_DATA names."""
    monkeypatch.setenv("ALFWORLD_DATA", str(tmp_path))
    return tmp_path


def publish(
    data: Path,
    folder: str,
    *,
    task_type: str = CLEAN,
    solvable: bool | None = True,
    trajectory: bool = True,
) -> Path:
    """Write a game below `json_2.1.1` as the published files have it."""
    path = data / "json_2.1.1" / folder / "game.tw-pddl"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"solvable": solvable, "walkthrough": None}))
    if trajectory:
        path.with_name("traj_data.json").write_text(json.dumps({"task_type": task_type}))
    return path


def test_a_panel_holds_the_solvable_games_in_the_order_of_their_folders(data: Path) -> None:
    publish(data, "valid_seen/b-None-Shelf-3/trial_2")
    publish(data, "valid_seen/b-None-Shelf-3/trial_1", task_type="look_at_obj_in_light")
    publish(data, "valid_seen/a-None-Desk-1/trial_9")
    publish(data, "valid_unseen/c-None-Desk-1/trial_1")
    panel = official_panel("official/seen")
    assert [task.id for task in panel] == [
        "official/seen/a-None-Desk-1/trial_9",
        "official/seen/b-None-Shelf-3/trial_1",
        "official/seen/b-None-Shelf-3/trial_2",
    ]
    assert [task.public["type"] for task in panel] == [
        "pick_clean_then_place",
        "look_at_obj_in_light",
        "pick_clean_then_place",
    ]
    assert (panel.name, panel.env) == ("official/seen", "agentgym/ALFWorldTextWorld-v0")
    assert ALFWorld.panel("official/seen").hash == panel.hash


def test_games_of_no_published_panel_are_skipped(data: Path) -> None:
    publish(data, "train/kept/trial_1")
    publish(data, "train/unsolvable/trial_1", solvable=False)
    publish(data, "train/unknown/trial_1", solvable=None)
    publish(data, "train/without_trajectory/trial_1", trajectory=False)
    publish(data, "train/pick_and_place_with_movable_recep-Mug/trial_1")
    publish(data, "train/pick_clean-AppleSliced-None/trial_1")
    publish(data, "train/other_type/trial_1", task_type="pick_and_place_with_a_spoon")
    assert [task.id for task in official_panel("official/train")] == ["official/train/kept/trial_1"]


def test_a_panels_hash_covers_what_is_in_the_files(tmp_path: Path) -> None:
    hashes = []
    for name, solvable_text in (("one", "true"), ("same", "true"), ("other", "true ")):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("ALFWORLD_DATA", str(tmp_path / name))
            path = publish(tmp_path / name, "train/a/trial_1")
            path.write_text(f'{{"solvable": {solvable_text}}}')
            hashes.append(official_panel("official/train").hash)
    assert hashes[0] == hashes[1] != hashes[2]


def test_a_changed_or_missing_game_is_refused(data: Path) -> None:
    path = publish(data, "train/a/trial_1")
    task = official_panel("official/train").tasks[0]
    name, sha256 = str(task.public["game"]), str(task.public["sha256"])
    assert read_game(name, sha256=sha256)["solvable"] is True
    path.write_text('{"solvable": false}')
    with pytest.raises(UsageError, match="trial_1.*has changed since its panel was made"):
        read_game(name, sha256=sha256)
    path.unlink()
    with pytest.raises(UsageError, match="cannot read the game .*trial_1.*No such file"):
        read_game(name, sha256=sha256)


def test_missing_files_are_named_with_the_way_to_get_them(data: Path) -> None:
    assert find_splits() == ()
    with pytest.raises(UsageError, match="valid_unseen.*alfworld-download"):
        official_panel("official/unseen")
    with pytest.raises(UsageError, match="did you mean 'official/seen'"):
        official_panel("official/sen")


def test_only_splits_whose_files_are_there_are_listed(data: Path) -> None:
    publish(data, "valid_unseen/a/trial_1")
    assert find_splits() == ("official/unseen",)
