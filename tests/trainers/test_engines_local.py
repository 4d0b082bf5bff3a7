"""The local engine against the naive one, and its promises: batching, caching, determinism."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest
import torch
from engine_play import Played, Slow, ask, forward_sizes, max_gap, play, play_all, said
from tiny_models import tiny_policy, tiny_tokenizer
from transformers import Qwen2Config, Qwen2ForCausalLM

from agentgym.engine import Engine, Generation, Request
from agentgym.errors import EngineError, UsageError
from agentgym.trainers.engines import local
from agentgym.trainers.engines.local import LocalEngine
from agentgym.trainers.engines.naive import NaiveEngine
from agentgym.trainers.policy import Policy
from agentgym.types import EpisodeId


@pytest.mark.parametrize("architecture", ["qwen2", "llama"])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_it_says_what_generate_says(architecture: str, temperature: float) -> None:
    policy = tiny_policy(architecture=architecture)
    local = play_all(LocalEngine(policy), temperature=temperature)
    naive = play_all(NaiveEngine(policy), temperature=temperature)
    assert said(local) == said(naive)
    assert {finish for turns in said(local).values() for _, finish in turns} == {"stop", "length"}
    assert max_gap(local, naive) < 1e-4


@pytest.mark.slow
def test_it_says_what_generate_says_with_a_pretrained_model(smollm2_folder: Path) -> None:
    policy = Policy.load(smollm2_folder, device="cpu")

    async def talk(engine: Engine, number: int) -> tuple[Generation, ...]:
        ids = policy.tokenizer.encode(f"<|im_start|>user\nCount to {number}<|im_end|>\n")
        generations: tuple[Generation, ...] = ()
        for turn in range(2):
            ids += policy.tokenizer.encode("<|im_start|>assistant\n")
            request = ask(number, ids, turn=turn, max_tokens=8, temperature=0.0)
            generations += (await engine.generate(request),)
            ids += [*generations[-1].ids, *policy.tokenizer.encode("\n<|im_start|>user\nGo on\n")]
        return generations

    async def together(engine: Engine) -> list[tuple[Generation, ...]]:
        return await asyncio.gather(*(talk(engine, number) for number in (3, 15, 200)))

    local = asyncio.run(together(LocalEngine(policy)))
    naive = asyncio.run(together(NaiveEngine(policy)))
    assert [[g.ids for g in talk] for talk in local] == [[g.ids for g in talk] for talk in naive]


def test_sampled_logprobs_are_the_policys() -> None:
    policy = tiny_policy()
    for one in play_all(LocalEngine(policy)).values():
        for prompt, generation in zip(one.prompts, one.generations, strict=True):
            wanted = range(len(prompt), len(prompt) + len(generation.ids))
            with torch.no_grad():
                logprobs = policy.logprobs([prompt + generation.ids], [wanted])
            assert torch.allclose(logprobs, torch.tensor(generation.logprobs), atol=1e-4)


def test_the_order_of_arrival_changes_no_bit() -> None:
    policy = tiny_policy()
    first = play_all(LocalEngine(policy))
    shuffled = random.Random(0).sample(range(12), 12)
    assert play_all(LocalEngine(policy), shuffled) == first


def test_an_engine_that_was_used_before_changes_no_bit() -> None:
    policy = tiny_policy()
    engine = LocalEngine(policy)
    first = play_all(engine)
    play_all(engine, range(50, 70))
    assert play_all(engine) == first


def test_few_slots_make_episodes_wait_and_say_the_same() -> None:
    policy = tiny_policy()
    free = play_all(LocalEngine(policy))
    tight = play_all(LocalEngine(policy, max_episodes=3), reversed(range(12)))
    assert said(tight) == said(free)
    assert max_gap(tight, free) < 1e-4


def test_long_prompts_are_read_in_several_steps_and_say_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    policy = tiny_policy()
    whole = play_all(LocalEngine(policy))
    monkeypatch.setattr(local, "MAX_STEP_TOKENS", 20)
    pieces = play_all(LocalEngine(policy, max_episodes=12))
    assert said(pieces) == said(whole)
    assert max_gap(pieces, whole) < 1e-4


def most_spoken(played: dict[int, Played]) -> int:
    """Tokens of the episode that said most."""
    return max(sum(len(g.ids) for g in one.generations) for one in played.values())


def test_each_token_is_read_once_and_no_episode_waits_for_another() -> None:
    policy = tiny_policy()
    engine = LocalEngine(policy)
    with forward_sizes(policy) as sizes:
        played = play_all(engine)
    # All but each episode's last token, whose successor nobody asks for.
    ends = [len(one.prompts[-1]) + len(one.generations[-1].ids) for one in played.values()]
    assert sum(sizes) == sum(ends) - len(ends)
    assert len(sizes) == most_spoken(played)


def test_callers_with_a_deadline_are_batched_all_the_same() -> None:
    class Patient:
        """The engine behind `wait_for`, which runs every call as a task of its own."""

        def __init__(self, engine: Engine) -> None:
            self.engine = engine
            self.release = engine.release

        async def generate(self, request: Request) -> Generation:
            return await asyncio.wait_for(self.engine.generate(request), timeout=60)

    policy = tiny_policy()
    engine = LocalEngine(policy)
    with forward_sizes(policy) as sizes:
        played = play_all(Patient(engine))
    assert len(sizes) == most_spoken(played)
    assert played == play_all(LocalEngine(policy))


def test_slow_environments_change_no_token() -> None:
    policy = tiny_policy()
    slow = play_all(Slow(LocalEngine(policy, max_episodes=5)))
    free = play_all(LocalEngine(policy))
    assert said(slow) == said(free)
    assert max_gap(slow, free) < 1e-4


def test_a_prompt_that_changes_is_read_from_where_it_differs() -> None:
    policy = tiny_policy()
    ids = list(range(30))
    requests = [
        ask(0, ids, turn=0),
        ask(0, [*ids[:10], *range(100, 130)], turn=1),
        ask(0, ids[:5], turn=2),
        ask(0, ids[:5], turn=3),
    ]

    async def talk(engine: Engine) -> list[Generation]:
        return [await engine.generate(request) for request in requests]

    local, naive = asyncio.run(talk(LocalEngine(policy))), asyncio.run(talk(NaiveEngine(policy)))
    assert [g.ids for g in local] == [g.ids for g in naive]


@pytest.mark.parametrize("engine_class", [LocalEngine, NaiveEngine])
def test_the_context_ends_an_action(engine_class: type[LocalEngine] | type[NaiveEngine]) -> None:
    policy = tiny_policy()
    policy.end_ids = frozenset({301})
    engine = engine_class(policy, context=32)

    async def talk() -> list[Generation]:
        prompts = [range(28), range(31), range(32), range(40)]
        return [await engine.generate(ask(0, ids, max_tokens=9)) for ids in prompts]

    generations = asyncio.run(talk())
    assert [len(g.ids) for g in generations] == [4, 1, 0, 0]
    assert {g.finish for g in generations} == {"length"}


def test_an_exception_in_the_model_costs_the_waiting_requests_only() -> None:
    policy = tiny_policy()
    engine = LocalEngine(policy)
    first = play_all(engine)

    def fail(*_: object) -> None:
        raise ValueError("no luck")

    handle = policy.model.get_input_embeddings().register_forward_pre_hook(fail)
    with pytest.raises(EngineError, match="no luck"):
        play_all(engine)
    handle.remove()
    for number in range(12):
        engine.release(ask(number, ()).episode)
    assert play_all(engine) == first


def test_an_exception_between_turns_leaves_the_cache_right() -> None:
    policy = tiny_policy()
    engine = LocalEngine(policy)

    def fail(*_: object) -> None:
        raise ValueError("no luck")

    async def talk() -> None:
        first = await engine.generate(ask(0, range(20)))
        handle = policy.model.get_input_embeddings().register_forward_pre_hook(fail)
        longer = ask(0, [*range(20), *first.ids, 7, 8], turn=1)
        with pytest.raises(EngineError, match="no luck"):
            await engine.generate(longer)
        handle.remove()
        again = await engine.generate(longer)
        assert again.ids == (await NaiveEngine(policy).generate(longer)).ids

    asyncio.run(talk())


def test_memory_that_runs_out_while_slots_grow_costs_the_waiting_requests_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    policy = tiny_policy()
    engine = LocalEngine(policy)
    made = 0

    def run_out(tensor: torch.Tensor, *args: object, **settings: object) -> torch.Tensor:
        nonlocal made
        made += 1
        if made == policy.model.config.num_hidden_layers:  # all others have grown
            raise torch.OutOfMemoryError("no luck")
        return torch.zeros(*args, **settings, dtype=tensor.dtype)  # type: ignore[call-overload, no-any-return]

    async def talk() -> None:
        first = await engine.generate(ask(0, range(20)))
        with monkeypatch.context() as patch:
            patch.setattr(torch.Tensor, "new_zeros", run_out)
            with pytest.raises(EngineError, match="no luck"):
                await engine.generate(ask(1, range(90)))
        longer = ask(0, [*range(20), *first.ids, *range(80)], turn=1)
        again = await engine.generate(longer)
        assert again.ids == (await NaiveEngine(policy).generate(longer)).ids

    asyncio.run(talk())


def test_a_cancelled_request_leaves_the_others_alone() -> None:
    policy = tiny_policy()
    engine = LocalEngine(policy)

    async def together() -> dict[int, Played]:
        doomed = asyncio.create_task(play(engine, 90, turns=3, temperature=1.0))
        others = [asyncio.create_task(play(engine, n, turns=3, temperature=1.0)) for n in range(12)]
        await asyncio.sleep(0)
        doomed.cancel()
        return dict(enumerate(await asyncio.gather(*others)))

    assert asyncio.run(together()) == play_all(LocalEngine(policy))


def test_reset_forgets_what_old_weights_computed() -> None:
    policy = tiny_policy()
    engine = LocalEngine(policy)

    async def talk() -> None:
        first = await engine.generate(ask(0, range(20), temperature=0.0))
        with torch.no_grad():
            for parameter in policy.model.parameters():
                parameter.mul_(1.5)
        engine.reset()
        longer = ask(0, [*range(20), *first.ids, 7], turn=1, temperature=0.0)
        assert await engine.generate(longer) == await LocalEngine(policy).generate(longer)

    asyncio.run(talk())


def test_an_engine_leaves_the_model_as_it_is_saved_and_scored(tmp_path: Path) -> None:
    policy = tiny_policy()
    ids = [list(range(40)), list(range(17))]
    wanted = [range(1, 40), range(1, 17)]
    before = policy.logprobs(ids, wanted)
    LocalEngine(policy)
    assert torch.equal(policy.logprobs(ids, wanted), before)
    policy.save(tmp_path)
    assert torch.equal(Policy.load(tmp_path, device="cpu").logprobs(ids, wanted), before)


def test_one_episode_has_one_request_at_a_time() -> None:
    engine = LocalEngine(tiny_policy())

    async def twice() -> None:
        await asyncio.gather(engine.generate(ask(0, range(5))), engine.generate(ask(0, range(5))))

    with pytest.raises(EngineError, match="step=0/group=0/member=0 has a request under way"):
        asyncio.run(twice())


def test_releasing_an_unknown_episode_changes_nothing() -> None:
    policy = tiny_policy()
    touched = LocalEngine(policy)
    touched.release(EpisodeId(step=9, group=9, member=9))
    said = [asyncio.run(e.generate(ask(0, range(5)))) for e in (LocalEngine(policy), touched)]
    assert said[0] == said[1]


def test_temperatures_may_differ_within_a_batch() -> None:
    policy = tiny_policy()
    requests = [ask(n, range(n + 1), temperature=n % 3 / 2) for n in range(9)]

    async def together(engine: Engine) -> list[Generation]:
        return await asyncio.gather(*(engine.generate(request) for request in requests))

    local, naive = (
        asyncio.run(together(LocalEngine(policy))),
        asyncio.run(together(NaiveEngine(policy))),
    )
    assert [g.ids for g in local] == [g.ids for g in naive]


def test_a_model_with_sliding_windows_is_refused() -> None:
    tokenizer = tiny_tokenizer()
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        intermediate_size=32,
        use_sliding_window=True,
        sliding_window=8,
        max_window_layers=0,
    )
    policy = Policy(Qwen2ForCausalLM(config), tokenizer)
    with pytest.raises(UsageError, match="sliding_window=8 is not supported"):
        LocalEngine(policy)
