"""The checker passes every registered environment, and names each promise that is broken."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any

import gymnasium
import pytest

import agentgym
from agentgym.checker import CHECKS, check_env
from agentgym.env import turn_env_ids
from agentgym.errors import SandboxError, UsageError
from agentgym.types import Observation


@pytest.fixture(params=turn_env_ids())
def env_id(request: pytest.FixtureRequest) -> str:
    """Every registered environment that can be made here; some need an extra, or a sandbox."""
    found: str = request.param
    try:
        with closing(gymnasium.make(found)) as env:
            env.reset(seed=0)
    except UsageError as error:
        if "install the extra" not in str(error):
            raise
        pytest.skip(str(error))
    except SandboxError as error:
        if not str(error).startswith("no sandbox works here"):
            raise
        pytest.skip(str(error))
    return found


@pytest.mark.slow
def test_every_registered_environment_passes(env_id: str) -> None:
    results = check_env(env_id)
    assert len(results) == len(CHECKS)
    failed = "\n".join(f"{check.name}: {check.reason}" for check in results if not check.ok)
    assert not failed, failed


@pytest.mark.parametrize(("mode", "options"), [("sync", {}), ("async", {"shared_memory": False})])
def test_gymnasium_vectors_step_every_registered_environment(
    env_id: str, mode: Any, options: dict[str, Any]
) -> None:
    envs = gymnasium.make_vec(env_id, num_envs=2, vectorization_mode=mode, vector_kwargs=options)
    try:
        observations, _ = envs.reset(seed=3)
        answers, rewards, terminated, truncated, _ = envs.step(("look", "\u202ego east"))
    finally:
        envs.close()
    assert all(isinstance(each, Observation) for each in (*observations, *answers))
    assert (len(rewards), len(terminated), len(truncated)) == (2, 2, 2)


def test_gymnasium_makes_every_registered_environment(env_id: str) -> None:
    env = gymnasium.make(env_id)
    observation, _ = env.reset(seed=0)
    assert observation == env.reset(seed=0)[0]
    env.close()


def test_a_sound_environment_passes_with_remarks() -> None:
    results = check_env("broken_envs:Sound")
    assert [(check.name, check.reason) for check in results if not check.ok] == []
    assert [check.reason for check in results if check.reason] == ["solved 2 of 2 tasks"]


BROKEN = {
    "Restless": ("check_gymnasium", "check_determinism"),
    "Sticky": ("check_gymnasium", "check_determinism"),
    "Endless": ("check_end",),
    "Leaky": ("check_secrets",),
    "Telling": ("check_secrets",),
    "Fragile": ("check_hostile_actions",),
    "Hopeless": ("check_expert",),
    "Empty": ("check_panels",),
    "Shifting": ("check_panels",),
    "Overlapping": ("check_panels",),
    "Ungraded": ("check_outcome",),
    "CloseOnce": ("check_close",),
    "Unseeded": ("check_gymnasium",),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_promise_fails_its_check(name: str) -> None:
    results = check_env(f"broken_envs:{name}")
    failed = {
        check.__name__ for check, result in zip(CHECKS, results, strict=True) if not result.ok
    }
    assert failed >= set(BROKEN[name])
    assert all(result.reason for result in results if not result.ok)


@pytest.mark.parametrize(
    ("name", "check", "reason"),
    [
        ("Leaky", "check_secrets", "a planted secret was shown"),
        ("Telling", "check_secrets", "task '10': 'Say the number 10.' is in the first prompt"),
        ("Fragile", "check_hostile_actions", "lone surrogate: step: UnicodeEncodeError"),
        ("Hopeless", "check_expert", "solved 0 of 2 tasks"),
        ("Empty", "check_panels", "split 'gen1/train' of 'broken_envs:Empty' has no tasks"),
        ("Shifting", "check_panels", "panel 'gen1/train' changes"),
        ("Overlapping", "check_panels", "task '10' of 'gen1/unseen' is in 'gen1/train' as well"),
        ("Ungraded", "check_outcome", "AssertionError: not yet"),
        ("Sticky", "check_determinism", "the same environment"),
        ("Endless", "check_end", "it was answered"),
    ],
)
def test_the_reason_says_what_to_mend(name: str, check: str, reason: str) -> None:
    reasons: dict[Callable[..., Any], str] = {
        function: result.reason
        for function, result in zip(CHECKS, check_env(f"broken_envs:{name}"), strict=True)
    }
    assert reason in next(said for function, said in reasons.items() if function.__name__ == check)


def test_without_tasks_only_the_panel_is_to_blame() -> None:
    first, *others = check_env("broken_envs:Listed")
    assert first.reason == (
        "split 'gen1/train' of 'broken_envs:Listed': `panel` must give a Panel, not list"
    )
    assert not any(check.ok for check in others)
    assert {check.reason for check in others} == {"there are no tasks to try it on"}


def test_reasons_have_no_colours() -> None:
    reasons = " ".join(check.reason for check in check_env("broken_envs:Painted"))
    assert "The default seed argument in reset should be `None`" in reasons
    assert "painted red" in reasons
    assert "\x1b" not in reasons


def test_an_unknown_environment_is_the_users_mistake() -> None:
    with pytest.raises(UsageError, match="did you mean 'agentgym/Lookup-v0'"):
        check_env("agentgym/Lokup-v0")
    with pytest.raises(UsageError, match="is not a TurnEnv"):
        check_env("CartPole-v1")


def test_registering_twice_is_refused() -> None:
    with pytest.raises(UsageError, match="'agentgym/Box-v0' is already registered"):
        agentgym.register("agentgym/Box-v0", "elsewhere:Box", max_turns=3)
