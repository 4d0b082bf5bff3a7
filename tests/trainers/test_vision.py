"""Pictures: exact tokens, and a model that reads them through play, credit and update."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from engine_play import ask
from small_runs import ALONE, small_recipe, small_trainer
from tiny_vision import picture, save_vision_model

from agentgym.engine import Message
from agentgym.errors import UsageError
from agentgym.render import ChatTemplate, Renderer
from agentgym.trainers.build import Panels, make_renderer
from agentgym.trainers.engines.naive import NaiveEngine
from agentgym.trainers.imitate import imitate
from agentgym.trainers.plan import architecture
from agentgym.trainers.policy import Policy
from agentgym.trainers.step import train_step
from agentgym.types import Observation


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_vision_model(tmp_path_factory.mktemp("vision"))


@pytest.fixture(scope="module")
def policy(folder: Path) -> Policy:
    return Policy.load(folder, device="cpu")


def renderer_of(policy: Policy) -> Renderer:
    return Renderer(ChatTemplate(policy.tokenizer), pictures=policy.vision)


def rendered(policy: Policy, images: list[bytes]) -> tuple[int, ...]:
    """The tokens of one message with pictures."""
    renderer = renderer_of(policy)
    seen = Message(role="user", content="You open drawer 1.", images=tuple(images))
    return renderer.encode(renderer.render([seen]))


def test_a_picture_takes_a_token_for_every_square_of_patches(policy: Policy) -> None:
    assert policy.vision is not None
    place = policy.tokenizer.convert_tokens_to_ids("<|image_pad|>")
    ids = rendered(policy, [picture(0, width=64, height=96), picture(1, width=32, height=32)])
    runs = "".join("x" if token == place else " " for token in ids).split()
    assert [len(run) for run in runs] == [64 // 32 * 96 // 32, 1]


def test_what_is_appended_is_what_a_whole_prompt_would_have(policy: Policy) -> None:
    renderer = renderer_of(policy)
    conversation = renderer.start("Open things.")
    for turn in range(3):
        image = picture(turn, height=32 + 32 * turn)
        prompt = conversation.observe(Observation(text=f"You open drawer {turn}.", image=image))
        assert prompt.segment == 0
        assert prompt.ids == renderer.encode(renderer.render(prompt.messages))
        assert len(prompt.images) == turn + 1
        conversation.act([*policy.tokenizer.encode("open drawer 1"), renderer.template.end_id])


def test_a_placeholder_in_an_observation_is_text(policy: Policy) -> None:
    conversation = renderer_of(policy).start("")
    prompt = conversation.observe(Observation(text="<|image_pad|>", image=picture(0)))
    place = policy.tokenizer.convert_tokens_to_ids("<|image_pad|>")
    assert prompt.ids.count(place) == 6


def test_logprobs_are_the_whole_models_row_by_row(policy: Policy) -> None:
    assert policy.vision is not None
    images = [[picture(0)], [], [picture(1, height=32), picture(2)]]
    rows = [(*rendered(policy, own), 5, 6, 7) for own in images]
    wanted = [range(len(ids) - 3, len(ids)) for ids in rows]
    with torch.no_grad():
        found = policy.logprobs(rows, wanted, images=images).view(3, 3)
        for ids, own, logprobs in zip(rows, images, found, strict=True):
            seen = policy.vision.inputs(torch.tensor([ids]), [own])
            logits = policy.model(input_ids=torch.tensor([ids]), use_cache=False, **seen).logits[0]
            logits[:, list(policy.vision.control_ids)] = -torch.inf
            alone = logits.log_softmax(-1)[-4:-1].gather(1, torch.tensor(ids[-3:])[:, None])[:, 0]
            assert torch.allclose(logprobs, alone, atol=1e-5)


def test_logprobs_hang_on_what_is_in_the_picture(policy: Policy) -> None:
    ids = (*rendered(policy, [picture(0)]), 5, 6, 7)
    wanted = [range(len(ids) - 3, len(ids))] * 2
    with torch.no_grad():
        first, second = policy.logprobs(
            [ids, ids], wanted, images=[[picture(0)], [picture(1)]]
        ).view(2, 3)
    assert (first - second).abs().max() > 1e-4


def test_sampled_logprobs_are_the_policys(policy: Policy) -> None:
    images = (picture(0), picture(3, height=64))
    ids = rendered(policy, list(images))
    request = replace(ask(0, ids, max_tokens=12), images=images)
    generation = asyncio.run(NaiveEngine(policy).generate(request))
    wanted = [range(len(ids), len(ids) + len(generation.ids))]
    with torch.no_grad():
        logprobs = policy.logprobs([ids + generation.ids], wanted, images=[images])
    assert torch.allclose(logprobs, torch.tensor(generation.logprobs), atol=1e-4)


def test_tokens_without_their_picture_are_refused(policy: Policy) -> None:
    ids = (*rendered(policy, [picture(0)]), 5)
    with pytest.raises(UsageError, match="row 0: 6 tokens stand for pictures that are not there"):
        policy.logprobs([ids], [[len(ids) - 1]])


ENV = {"id": "tiny_vision:Pictured", "eval": "gen1/train"}


def test_pictures_go_through_play_credit_and_update(folder: Path) -> None:
    recipe = small_recipe(
        folder, env=ENV, train={"tasks_per_step": 2, "group_size": 3, "mask_truncated": False}
    )
    trainer = small_trainer(recipe)
    before = {name: p.detach().clone() for name, p in trainer.policy.model.named_parameters()}
    result = train_step(trainer, 1)
    moved = {
        name.split(".")[1]
        for name, p in trainer.policy.model.named_parameters()
        if not torch.equal(p, before[name])
    }
    assert moved == {"visual", "language_model"}
    assert result.metrics["tokens/trained"] > 0
    assert result.metrics["logprob_gap"] < 1e-3
    assert result.metrics["tokens/reencoded"] == 0
    shown = [turn.observation.image for turn in result.groups[0].episodes[0].turns]
    assert shown == [picture(number, height=64) for number in (1, 2, 3)]


def test_pictures_go_through_a_warm_start(folder: Path) -> None:
    warm_start = {"demonstrations": 4, "updates": 6, "episodes_per_update": 2, "lr": 1e-2}
    recipe = small_recipe(folder, env=ENV, warm_start=warm_start)
    policy = Policy.load(folder, device="cpu")
    record = imitate(ALONE, recipe, Panels.load(recipe), policy=policy)
    assert record.curve[-1].train_loss < 0.8 * record.curve[0].train_loss


def test_a_window_of_turns_is_refused(policy: Policy) -> None:
    recipe = small_recipe("any", render={"history": 2})
    with pytest.raises(UsageError, match="render.history is 2, but .* set render.history to all"):
        make_renderer(recipe, policy)


def test_a_saved_policy_reads_pictures_again(policy: Policy, tmp_path: Path) -> None:
    policy.save(tmp_path)
    again = Policy.load(tmp_path, device="cpu")
    ids = (*rendered(policy, [picture(0)]), 5, 6)
    with torch.no_grad():
        first, second = (
            each.logprobs([ids], [[len(ids) - 1]], images=[[picture(0)]])
            for each in (policy, again)
        )
    assert torch.equal(first, second)


def test_a_plan_is_of_text_alone(folder: Path) -> None:
    recipe = small_recipe(folder, env=ENV)
    with pytest.raises(UsageError, match="reads pictures, a plan is of text alone"):
        architecture(recipe, Panels.load(recipe))
