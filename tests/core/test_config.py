"""Recipes: typed, layered, and wrong input named in one line."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from hypothesis import given
from hypothesis import strategies as st

from agentgym import registry
from agentgym.env import env_class
from agentgym.errors import UsageError
from agentgym.trainers import eight_bit
from agentgym.trainers.build import choose_device
from agentgym.trainers.checks import check_recipe
from agentgym.trainers.config import (
    Recipe,
    dump,
    merge,
    read_recipe,
    recipe_names,
    resolve,
    validate,
)
from agentgym.trainers.credit.trial import learns_from_one, tells_turns_apart
from agentgym.trainers.overrides import parse_overrides


def resolved(*words: str, name: str = "corridor") -> Recipe:
    """The recipe that the command line would run."""
    recipe = resolve(name, parse_overrides(words))
    check_recipe(recipe)
    return recipe


def test_an_optimizer_in_eight_bits_needs_a_gpu() -> None:
    words = ("--train.optimizer", "adamw8bit", "--model.device", "cpu")
    with pytest.raises(UsageError, match="adamw8bit needs a GPU, and this run is on 'cpu'"):
        resolved(*words)


@pytest.mark.skipif(importlib.util.find_spec("bitsandbytes") is not None, reason="it is here")
def test_without_bitsandbytes_the_extra_is_named() -> None:
    with pytest.raises(UsageError, match=r"pip install 'agentgym-lab\[bitsandbytes\]'"):
        eight_bit.check("cuda:0")


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_that_ships_is_sound_and_says_what_it_is(name: str) -> None:
    recipe = resolved(name=name)
    assert recipe.title
    assert recipe.note
    assert recipe.env.eval in env_class(recipe.env.id).splits()
    assert recipe.note.startswith("not yet run on a GPU") == ("Qwen" in recipe.model.path)


@pytest.mark.parametrize("name", recipe_names())
def test_a_dumped_recipe_reads_back_unchanged(name: str) -> None:
    recipe = resolve(name, {"rewards": {"information_gain": {"prefix": "answer["}}})
    assert validate(yaml.safe_load(dump(recipe))) == recipe


def test_overrides_have_the_types_of_their_keys() -> None:
    recipe = resolved(
        "--train.steps", "7", "--train.lr", "3e-4", "--train.mask_truncated=false",
        "--train.betas", "[0.5, 0.6]", "--warm_start", "null", "--model.path", "some/model",
        "--render.history", "3", "--eval.tasks=5", "--title", "nan",
    )  # fmt: skip
    assert (recipe.train.steps, recipe.train.lr) == (7, 3e-4)
    assert recipe.train.mask_truncated is False
    assert recipe.train.betas == (0.5, 0.6)
    assert recipe.warm_start is None
    assert recipe.model.path == "some/model"
    assert recipe.render.history == 3
    assert recipe.eval.tasks == 5
    assert recipe.title == "nan"
    untouched = resolved()
    assert recipe.train.group_size == untouched.train.group_size
    assert recipe.env == untouched.env


def test_a_plugin_of_another_name_does_not_inherit_keys() -> None:
    assert resolved("--credit.key_window", "2").credit.args == {"key_window": 2}
    renamed = resolve("corridor", {"credit": {"name": "grpo", "std": "none"}})
    assert (renamed.credit.name, renamed.credit.args) == ("grpo", {"std": "none"})
    over = merge({"credit": {"name": "salt", "key_window": 2}}, {"credit": {"name": "grpo"}})
    assert over == {"credit": {"name": "grpo"}}


def test_the_last_of_two_equal_options_counts() -> None:
    assert parse_overrides(["--train.steps", "1", "--train.steps", "2"]) == {"train": {"steps": 2}}
    assert parse_overrides(["--train", "5", "--train.steps", "2"]) == {"train": {"steps": 2}}
    assert parse_overrides(["--train.steps", "2", "--train", "null"]) == {"train": None}


BAD: dict[str, tuple[tuple[str, ...], str]] = {
    "section": (("--trian.steps", "3"), "unknown key 'trian'; did you mean 'train'?"),
    "key": (("--train.stesp", "3"), "unknown key 'train.stesp'; did you mean 'train.steps'?"),
    "nested key": (
        ("--warm_start.updatez", "3"),
        "unknown key 'warm_start.updatez'; did you mean 'warm_start.updates'?",
    ),
    "key like no other": (("--render.zzz", "3"), "unknown key 'render.zzz'; known: history, show_"),
    "type": (("--train.steps", "many"), "'train.steps' is 'many': Input should be a valid integer"),
    "fraction": (("--train.steps", "2.5"), "'train.steps' is 2.5: .*fractional"),
    "range": (("--train.lr", "0"), "'train.lr' is 0: Input should be greater than 0"),
    "not a number": (("--train.lr", "nan"), "'train.lr' is 'nan': Input should be a finite number"),
    "infinite": (("--train.lr", ".inf"), "'train.lr' is inf: Input should be a finite number"),
    "choice": (
        ("--env.pool", "procces"),
        "'env.pool' is 'procces': Input should be 'inline' or 'process'",
    ),
    "union": (
        ("--render.history", "0"),
        "'render.history' is 0: Input should be 'all', or: .*greater than or equal to 1",
    ),
    "list": (("--train.betas", "[0.9, x]"), "'train.betas.1' is 'x': "),
    "short list": (("--train.betas", "[0.9]"), "'train.betas.1' is missing"),
    "sampler": (("--sampler.top_p", "0"), "'sampler.top_p' is 0: Input should be greater than 0"),
    "temperature": (
        ("--sampler.temperature", "0.01"),
        "'sampler.temperature' is 0.01: Input should be 0, or: .*greater than or equal to 0.05",
    ),
    "key of a sampler": (
        ("--sampler.topp", "0.9"),
        "unknown key 'sampler.topp'; did you mean 'sampler.top_p'?",
    ),
    "section as value": (("--train", "5"), "'train' is 5: "),
    "width": (("--model.hidden", "20"), "'model.hidden' is 20: Input should be a multiple of 8"),
    "seed": (("--seed", "-1"), "'seed' is -1: "),
    "large seed": (("--seed", str(2**63)), "'seed' is 9223372036854775808: "),
    "no value": (("--train.steps",), "option '--train.steps' needs a value"),
    "no value before another": (
        ("--train.steps", "--train.lr", "1"),
        "option '--train.steps' needs a value",
    ),
    "no option": (("--train.steps", "3", "corridor"), "'corridor' is not an option"),
    "yaml": (("--train.betas", "[0.9"), r"option '--train.betas': cannot read the value '\[0.9'"),
    "environment": (
        ("--env.id", "agentgym/Coridor-v0"),
        "unknown environment 'agentgym/Coridor-v0'; did you mean 'agentgym/Corridor-v0'?",
    ),
    "split": (("--env.eval", "gen1/unsee"), "'gen1/unsee'; did you mean 'gen1/unseen'?"),
    "scheme": (("--credit.name", "slat"), "unknown credit scheme 'slat'; did you mean 'salt'?"),
    "key of a scheme": (
        ("--credit.key_windw", "3"),
        "unknown key 'credit.key_windw'; did you mean 'credit.key_window'?",
    ),
    "value of a scheme": (
        ("--credit.key_window", "0"),
        "'credit.key_window' is 0: Input should be greater than or equal to 1",
    ),
    "loss": (("--loss.name", "pop"), "unknown loss 'pop'; did you mean 'ppo'?"),
    "key of a loss": (("--loss.clip_hi", "0.3"), "did you mean 'loss.clip_high'?"),
    "loss without its credit": (
        ("--loss.name", "a2tgpo"),
        "credit scheme salt does not say; use credit a2tgpo, or loss grpo_c",
    ),
    "curriculum": (("--curriculum.name", "unifrom"), "did you mean 'uniform'?"),
    "reward": (
        ("--rewards.information_gian.into", "turn"),
        "unknown reward 'information_gian'; did you mean 'information_gain'?",
    ),
    "key of a reward": (
        ("--rewards.information_gain.prefx", "x"),
        "unknown key 'rewards.information_gain.prefx'; "
        "did you mean 'rewards.information_gain.prefix'?",
    ),
    "goal of a reward": (
        ("--rewards.information_gain.into", "outcom"),
        "'rewards.information_gain.into' is 'outcom': Input should be 'outcome' or 'turn'",
    ),
    "channel nobody reads": (
        ("--rewards.information_gain.into", "turn"),
        "it goes into 'turn', which credit scheme Salt does not read",
    ),
    "channel that is missing": (("--credit.name", "igpo"), "reads channel 'information_gain'"),
    "weight of a channel": (
        ("--rewards.invalid_action", "{weight: .nan, into: outcome}"),
        "'rewards.invalid_action.weight' is nan: ",
    ),
    "beta": (("--train.betas", "[2, 0.9]"), "'train.betas.0' is 2: .*less than 1"),
    "negative beta": (("--warm_start.betas", "[0.9, -1]"), "'warm_start.betas.1' is -1: "),
    "device": (("--model.device", "tpu"), r"'model.device' is 'tpu': .*auto\|cpu\|cuda"),
    "number of no device": (("--model.device", "cuda:x"), "'model.device' is 'cuda:x': "),
    "deadline": (
        ("--env.deadlines.step", "1"),
        "unknown key 'env.deadlines.step'; did you mean 'env.deadlines.step_s'?",
    ),
    "deadline without workers": (
        ("--env.deadlines.step_s", "1"),
        "'env.deadlines' hold for worker processes; set --env.pool process",
    ),
    "time": (("--env.max_seconds", "0"), "'env.max_seconds' is 0: "),
    "task without answers": (
        (
            *("--env.id", "broken_envs:Sound", "--env.eval", "gen1/train", "--credit.name", "igpo"),
            "--rewards.information_gain",
            "{}",
        ),
        "task '10': secret 'answers' must be",
    ),
    "one advantage": (
        ("--loss.name", "gspo"),
        "loss gspo has one advantage an episode, but credit scheme salt gives turns .* gspo_token",
    ),
    "group of one": (
        ("--train.group_size", "1"),
        "train.group_size is 1, but credit scheme salt compares the episodes of a group, and one",
    ),
    "greedy training": (
        ("--sampler.temperature", "0"),
        "sampler.temperature is 0, so that all episodes of a group would be the same one; set it",
    ),
    "warm start without an expert": (
        ("--env.id", "faulty_env:FaultyEnv"),
        "warm_start imitates an expert, and 'faulty_env:FaultyEnv' has none; give its class `exp",
    ),
    "tiny without an expert": (
        ("--env.id", "faulty_env:FaultyEnv", "--warm_start", "null"),
        "model tiny is built from the text of an expert's episodes, and .* set model.path to a mod",
    ),
    "uneven share": (
        ("--processes", "3"),
        "train.tasks_per_step is 16, which 3 processes cannot share evenly",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_wrong_input_is_named_in_one_line(case: str) -> None:
    words, said = BAD[case]
    with pytest.raises(UsageError, match=said) as caught:
        resolved(*words)
    assert "\n" not in str(caught.value)


def test_an_adapter_alone_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "adapter_model.safetensors").touch()
    with pytest.raises(UsageError, match="is an adapter without its model; `agentgym export-model"):
        resolved("--model.path", str(tmp_path))


@pytest.mark.parametrize(
    ("num_gpus", "device", "processes", "found"),
    [
        (0, "auto", 1, "cpu"),
        (2, "auto", 2, "cuda"),
        (2, "cpu", 1, "cpu"),
        (2, "cuda", 2, "cuda"),
        (2, "cuda:1", 1, "cuda:1"),
        (0, "cuda", 1, "is cuda, but PyTorch sees 0 GPUs"),
        (2, "cuda:2", 1, "is cuda:2, but PyTorch sees 2 GPUs"),
        (2, "cuda:1", 2, "each of 2 processes takes a GPU of its own"),
    ],
)
def test_the_device_is_one_that_is_there(
    num_gpus: int, device: str, processes: int, found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: num_gpus > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: num_gpus)
    recipe = resolve("corridor", {"model": {"device": device}, "processes": processes})
    if " " not in found:
        check_recipe(recipe)
        assert choose_device(recipe) == found
        return
    with pytest.raises(UsageError, match=found):
        check_recipe(recipe)


EPISODES_ALIKE = {"dr_grpo", "grpo", "reinforce_pp", "reinforce_pp_baseline", "rloo"}


@pytest.mark.parametrize("name", tuple(registry.credits))
def test_what_gives_turns_their_own_advantage_is_known_before_the_run(name: str) -> None:
    assert tells_turns_apart(registry.credits.make(name)) == (name not in EPISODES_ALIKE)


SIBLINGS = {"a2tgpo", "dr_grpo", "grpo", "mt_grpo", "reinforce_pp_baseline", "rloo", "salt"}
"""The graphs of other schemes let an episode that comes back somewhere be compared with itself."""


@pytest.mark.parametrize("name", tuple(registry.credits))
def test_what_needs_siblings_is_known_before_the_run(name: str) -> None:
    assert learns_from_one(registry.credits.make(name)) == (name not in SIBLINGS)


def test_a_group_of_one_is_fine_where_nothing_compares_or_nothing_trains() -> None:
    for more in (("--credit.name", "reinforce_pp"), ("--train.steps", "0")):
        assert resolved("--train.group_size", "1", *more).train.group_size == 1


def test_the_title_of_a_recipe_is_not_that_of_another_environment() -> None:
    other = {"env": {"id": "agentgym/Lookup-v0"}}
    assert resolve("small", other).title == resolve("small", other).note == ""
    assert resolve("small", {**other, "title": "mine"}).title == "mine"
    assert resolve("small", {"env": {"id": "agentgym/Corridor-v0"}}).title.startswith("Small: ")


def test_a_split_that_cannot_be_made_here_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("AGENTGYM_SEARCH_DATA", raising=False)
    with pytest.raises(UsageError, match="no questions for 'official/nq': set AGENTGYM_SEARCH_D"):
        resolved("--env.eval", "official/nq", name="search-igpo-quick")


def test_an_unknown_recipe_names_the_nearest_or_all() -> None:
    with pytest.raises(UsageError, match="unknown recipe 'coridor'; did you mean 'corridor'"):
        resolve("coridor")
    with pytest.raises(UsageError, match="unknown recipe 'zzz'; known: alfworld-crbc-1.5b, "):
        resolve("zzz")
    with pytest.raises(UsageError, match="there is no recipe file 'no/such.yaml'"):
        resolve("no/such.yaml")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"- a\n- b\n", "is not a mapping of keys"),
        (b"", "is not a mapping of keys"),
        (b"env: [\n", "cannot be read: .*line 2"),
        (b"env: {id: a}\nseed: 1\nseed: 2\n", "key 'seed' stands there a second time.* line 3"),
        (b"env:\n  id: a\n  id: b\n", "key 'id' stands there a second time.* line 3"),
        (b"env: \xff\xfe\n", "cannot be read: 'utf-8' codec"),
        (b"title: x\n", "'env' is missing"),
        (b"env: {}\n", "'env.id' is missing"),
        (b"1: 2\nenv: {id: a}\n", "'1'"),
        (b"!!python/object/apply:os.system ['true']\n", "cannot be read: could not determine"),
    ],
)
def test_a_broken_recipe_file_is_named(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=said) as caught:
        resolve(str(path))
    assert "\n" not in str(caught.value)


def test_a_recipe_of_ones_own_is_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("env: {id: agentgym/Lookup-v0}\n")
    recipe = resolve(str(path), {"train": {"steps": 3}})
    assert (recipe.env.id, recipe.train.steps) == ("agentgym/Lookup-v0", 3)
    assert read_recipe(str(path)) == {"env": {"id": "agentgym/Lookup-v0"}}


KEYS = st.sampled_from(["train.steps", "train", "env.id", "a", "a.b", "", "train.lr", "..", "seed"])
VALUES = st.sampled_from(["1", "x", "null", "{}", "{a: 1}", "[", "--", "é", "", "0x10", "1e3"])


@given(pairs=st.lists(st.tuples(KEYS, VALUES), max_size=4))
def test_whatever_the_words_are_the_answer_is_a_recipe_or_one_line(
    pairs: list[tuple[str, str]],
) -> None:
    words = [word for key, value in pairs for word in (f"--{key}", value)]
    try:
        recipe: Any = resolve("corridor", parse_overrides(words))
    except UsageError as error:
        assert "\n" not in str(error)
    else:
        assert isinstance(recipe, Recipe)
