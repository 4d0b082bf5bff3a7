"""Warm start: what is imitated, how it counts, and that it can be done again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Literal

import pytest
import torch
from small_runs import ALONE, small_recipe

from agentgym.demonstrate import Demonstration
from agentgym.errors import EnvError
from agentgym.render import ByteTemplate, Renderer
from agentgym.trainers import sft
from agentgym.trainers.build import Panels
from agentgym.trainers.config import WarmStartConfig
from agentgym.trainers.imitate import build_model, imitate
from agentgym.trainers.policy import Policy
from agentgym.trainers.stop import Stopped
from agentgym.trainers.warm_start import CurvePoint, WarmStartRecord
from agentgym.trainers.world import World
from agentgym.types import DemonstratedTurn, Observation

USER, ASSISTANT, END = 256, 257, 258


def shown(*turns: tuple[str, bool]) -> Demonstration:
    """Actions and whether each is a mistake; every one is answered by "ok"."""
    return Demonstration(
        task_id="t",
        system_prompt="",
        first=Observation(text="hi"),
        turns=tuple(
            DemonstratedTurn(action=action, is_mistake=wrong, observation=Observation(text="ok"))
            for action, wrong in turns
        ),
    )


def test_actions_count_fully_observations_a_little_and_mistakes_not_at_all() -> None:
    found = sft.tokenize(
        shown(("go", False), ("no", True), ("up", False)),
        Renderer(ByteTemplate()),
        observation_loss=0.2,
    )
    (sequence,) = found
    first = (USER, *b"hi", END, ASSISTANT)
    later = (USER, *b"ok", END, ASSISTANT)
    assert sequence.ids == (*first, *b"go", END, *later, *b"no", END, *later, *b"up", END)
    assert sequence.weights == (
        *[0.0] * 5, *[1.0] * 3, *[0.2] * 5, *[0.0] * 3, *[0.2] * 5, *[1.0] * 3,
    )  # fmt: skip


def test_a_window_of_history_gives_a_sequence_per_segment() -> None:
    found = sft.tokenize(
        shown(("a", False), ("b", False), ("c", False), ("d", True)),
        Renderer(ByteTemplate(), history=1),
        observation_loss=0.5,
    )
    assert len(found) == 3
    for sequence in found:
        assert len(sequence.ids) == len(sequence.weights)
    # A segment's own first prompt is never predicted; its actions are.
    assert [sum(weight == 1.0 for weight in s.weights) for s in found] == [4, 2, 0]
    assert found[1].weights[:-2] == (0.0,) * (len(found[1].ids) - 2)


def sequences_of(policy: Policy) -> list[sft.ImitationSequence]:
    generator = torch.Generator().manual_seed(0)
    found = []
    for length in (5, 9, 12, 7, 30, 4):
        ids = torch.randint(4, 200, (length,), generator=generator).tolist()
        weights = [0.0, *[(0.0, 0.2, 1.0)[token % 3] for token in ids[1:]]]
        found.append(sft.ImitationSequence(ids=tuple(ids), weights=tuple(weights)))
    return found


def test_the_held_out_loss_is_the_mean_over_imitated_tokens(corridor_model: Path) -> None:
    policy = Policy.load(corridor_model, device="cpu")
    sequences = sequences_of(policy)
    surprises = []
    for sequence in sequences:
        with torch.no_grad():
            logits = policy.model(input_ids=torch.tensor([sequence.ids])).logits[0]
        logprobs = logits.log_softmax(-1)
        surprises += [
            -float(logprobs[i - 1, sequence.ids[i]])
            for i, weight in enumerate(sequence.weights)
            if weight == 1.0
        ]
    for budget in (8, 100, 10_000):
        loss = sft.action_loss(policy, sequences, budget=budget)
        assert loss == pytest.approx(sum(surprises) / len(surprises), abs=1e-5)
    assert sft.action_loss(policy, [], budget=100) is None


def trained(
    model: Path,
    *,
    updates: int = 3,
    budget: int = 10_000,
    seed: int = 0,
    optimizer: Literal["adamw", "muon"] = "adamw",
    warmup: int = 0,
) -> tuple[list[torch.Tensor], list[float]]:
    """Weights, and the loss of every update, of a short imitation."""
    policy = Policy.load(model, device="cpu")
    config = WarmStartConfig(
        updates=updates,
        episodes_per_update=4,
        lr=1e-3,
        optimizer=optimizer,
        warmup_updates=warmup,
    )
    losses = sft.warm_start(
        policy, sequences_of(policy), config, world=ALONE, seed=seed, budget=budget
    )
    # The weights are read after the last loss: they change as the losses are asked for.
    found = list(losses)
    return [parameter.detach() for parameter in policy.model.parameters()], found


def test_imitation_learns_and_gives_the_loss_of_every_update(corridor_model: Path) -> None:
    _, losses = trained(corridor_model, updates=40)
    assert len(losses) == 40
    assert losses[-1] < losses[4] - 0.5


def test_the_held_out_loss_falls_and_is_measured_eight_times(corridor_model: Path) -> None:
    recipe = small_recipe(
        corridor_model, warm_start={"demonstrations": 40, "updates": 40, "lr": 1e-2}
    )
    torch.manual_seed(0)
    policy = Policy.load(corridor_model, device="cpu")
    for parameter in policy.model.parameters():
        if parameter.ndim == 2:  # it knows Corridor already: make it forget
            torch.nn.init.normal_(parameter, std=0.02)
    curve = imitate(ALONE, recipe, Panels.load(recipe), policy=policy).curve
    assert [point.update for point in curve] == list(range(5, 41, 5))
    first, last = curve[0].held_out_loss, curve[-1].held_out_loss
    assert first is not None
    assert last is not None
    assert last < first - 0.5


def test_imitation_can_be_done_again_to_the_last_bit(corridor_model: Path) -> None:
    (one, first), (two, second) = trained(corridor_model), trained(corridor_model)
    assert first == second
    assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True))
    three, _ = trained(corridor_model, seed=1)
    assert not all(torch.equal(a, b) for a, b in zip(one, three, strict=True))


def test_imitation_does_not_depend_on_the_size_of_micro_batches(corridor_model: Path) -> None:
    one, first = trained(corridor_model, updates=1)
    two, second = trained(corridor_model, updates=1, budget=8)
    assert first == pytest.approx(second, abs=1e-5)
    for a, b in zip(one, two, strict=True):
        # Adam's first step is the gradient's sign times the rate of 1e-3: only entries whose
        # gradient is rounding noise may turn.
        assert ((a - b).abs() > 1e-4).float().mean() < 0.01


@pytest.mark.parametrize("tied", [True, False])
def test_muon_takes_the_matrices_of_the_layers_and_adamw_all_else(
    corridor_model: Path, tied: bool
) -> None:
    policy = Policy.load(corridor_model, device="cpu")
    if not tied:
        head = policy.model.get_output_embeddings()
        head.weight = torch.nn.Parameter(head.weight.detach().clone())
    muon, adamw = sft.make_optimizers(policy, WarmStartConfig(optimizer="muon"))
    names = {id(p): name for name, p in policy.model.named_parameters()}
    taken = [
        {names[id(p)] for group in each.param_groups for p in group["params"]}
        for each in (muon, adamw)
    ]
    assert taken[0] == {name for name in names.values() if "proj.weight" in name}
    assert taken[1] == set(names.values()) - taken[0]
    assert ("lm_head.weight" in taken[1]) is not tied
    assert len(sft.make_optimizers(policy, WarmStartConfig())) == 1


def test_the_learning_rate_rises_over_the_warmup(corridor_model: Path) -> None:
    """AdamW's first step is the rate itself for every entry with a gradient."""
    start = [p.detach() for p in Policy.load(corridor_model, device="cpu").model.parameters()]
    moved = {}
    for warmup in (0, 4):
        weights, _ = trained(corridor_model, updates=1, warmup=warmup)
        pairs = zip(start, weights, strict=True)
        moved[warmup] = max(float((a - b).abs().max()) for a, b in pairs)
    assert moved[4] == pytest.approx(moved[0] / 4, rel=0.01)


def test_demonstrations_that_never_win_are_an_error_and_no_endless_loop(
    corridor_model: Path,
) -> None:
    recipe = small_recipe(corridor_model, env={"max_turns": 1}, warm_start={"demonstrations": 5})
    policy = Policy.load(corridor_model, device="cpu")
    with pytest.raises(EnvError, match="none of 5 demonstrations won .5 cut by the turn limit"):
        imitate(ALONE, recipe, Panels.load(recipe), policy=policy)


def test_the_warm_start_reads_as_the_policy_will_play(corridor_model: Path) -> None:
    """A window of history reads everything again and again; choices make observations long."""
    lengths = {}
    renders = {"all": {}, "window": {"history": 1}, "choices": {"show_choices": True}}
    for name, render in renders.items():
        recipe = small_recipe(
            corridor_model, render=render, warm_start={"demonstrations": 20, "updates": 1}
        )
        record = imitate(
            ALONE,
            recipe,
            Panels.load(recipe),
            policy=Policy.load(corridor_model, device="cpu"),
        )
        lengths[name] = record.tokens_per_episode
    assert lengths["all"] < min(lengths["window"], lengths["choices"])


def test_failing_environments_cost_their_own_demonstrations_and_are_counted(
    corridor_model: Path,
) -> None:
    recipe = small_recipe(
        corridor_model,
        env={"id": "faulty_env:FaultyCorridor", "pool": "process"},
        warm_start={"demonstrations": 20, "mistakes": 0.0, "updates": 1},
    )
    policy = Policy.load(corridor_model, device="cpu")
    record = imitate(ALONE, recipe, Panels.load(recipe), policy=policy)
    assert (record.demonstrations, record.failed) == (18, 2)
    said = "18 of 20 demonstrations won (2 lost to errors of the environment), no mistakes"
    assert record.summary().startswith(said)
    assert replace(record, failed=0).summary().startswith("18 demonstrations, no mis")


def test_demonstrations_that_did_not_win_are_said_and_so_are_the_mistakes_that_were_made(
    corridor_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = small_recipe(
        corridor_model, env={"max_turns": 6}, warm_start={"demonstrations": 40, "updates": 1}
    )
    policy = Policy.load(corridor_model, device="cpu")
    record = imitate(ALONE, recipe, Panels.load(recipe), policy=policy)
    assert 0 < record.late == 40 - record.demonstrations
    assert (record.played, record.lost, record.failed) == (40, 0, 0)
    said = f"{record.demonstrations} of 40 demonstrations won ({record.late} cut by the turn limit)"
    assert record.summary().startswith(said)
    last = [line for line in capsys.readouterr().out.splitlines() if "demonstrations" in line][-1]
    assert last.startswith("demonstrations 40/40")
    assert last.endswith(f"{record.demonstrations} won")
    assert 0 < record.mistakes < 0.5
    none = replace(record, mistakes=0.0)
    assert "no mistakes in them (20% were asked for; an expert " in none.summary()


def test_environments_that_all_fail_are_one_clear_error(
    corridor_model: Path, tmp_path: Path
) -> None:
    recipe = small_recipe(
        corridor_model, env={"id": "faulty_env:LostCorridor"}, warm_start={"demonstrations": 50}
    )
    panels, policy = Panels.load(recipe), Policy.load(corridor_model, device="cpu")
    said = "none of 20 demonstrations won \\(20 lost to errors .*, the last: task '.*SystemExit: 5"
    with pytest.raises(EnvError, match=said):
        imitate(ALONE, recipe, panels, policy=policy)
    with pytest.raises(EnvError, match=said):
        build_model(recipe, panels.train, tmp_path / "model")


def test_nothing_held_out_is_no_perfect_loss(corridor_model: Path) -> None:
    point = CurvePoint(update=1, train_loss=1.0, held_out_loss=None)
    record = WarmStartRecord(
        demonstrations=1,
        played=1,
        lost=0,
        late=0,
        failed=0,
        mistakes=0.0,
        mistakes_asked=0.0,
        updates=1,
        tokens_per_episode=1.0,
        curve=(point,),
    )
    assert record.summary().endswith("held-out loss -")


class Impatient(World):
    """Somebody asks to stop when it is looked at for the fourth time."""

    looks: ClassVar[list[bool]] = []

    def any(self, flag: bool) -> bool:
        self.looks.append(flag)
        return len(self.looks) == 4


def test_all_processes_stop_after_the_update_in_which_one_was_asked_to(
    corridor_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = small_recipe(corridor_model, warm_start={"demonstrations": 20, "updates": 10})
    policy = Policy.load(corridor_model, device="cpu")
    with pytest.raises(Stopped):
        imitate(Impatient(rank=0, size=1), recipe, Panels.load(recipe), policy=policy)
    said = capsys.readouterr().out
    assert "warm start 3/10" in said  # the first look is before the first update
    assert "warm start 4/10" not in said


@pytest.mark.parametrize("budget", [60, 10_000])
def test_an_update_by_tree_has_the_gradient_of_padded_rows(
    corridor_model: Path, budget: int
) -> None:
    policy = Policy.load(corridor_model, device="cpu")
    start = sequences_of(policy)[4]
    batch = [
        sft.ImitationSequence(ids=start.ids + s.ids, weights=start.weights + s.weights)
        for s in sequences_of(policy)
    ]
    wanted = [[i for i, w in enumerate(s.weights) if w > 0] for s in batch]
    assert all(p.as_tree for p in policy.plan([s.ids for s in batch], wanted, budget=budget))
    total = sum(sum(s.weights) for s in batch)
    alone = 0.0
    for s in batch:
        logprobs = policy.model(input_ids=torch.tensor([s.ids])).logits[0].log_softmax(-1)
        chosen = logprobs[range(len(s.ids) - 1), s.ids[1:]]
        loss = -(torch.tensor(s.weights[1:]) * chosen).sum() / total
        loss.backward()
        alone += float(loss.detach())
    expected = [p.grad.clone() for p in policy.model.parameters() if p.grad is not None]
    policy.model.zero_grad()
    norm = torch.stack([each.norm() for each in expected]).norm()
    clipped = [each * min(1.0, sft.MAX_GRAD_NORM / float(norm)) for each in expected]
    parameters = list(policy.model.parameters())
    before = [p.detach().clone() for p in parameters]
    plain = [torch.optim.SGD(parameters, lr=1.0)]
    assert sft._update(policy, batch, plain, world=ALONE, budget=budget) == pytest.approx(
        alone, abs=1e-5
    )
    for old, new, gradient in zip(before, parameters, clipped, strict=True):
        # fp32: a parameter of size 1 has steps of 1e-7.
        assert torch.allclose(old - new, gradient, atol=2e-6)
