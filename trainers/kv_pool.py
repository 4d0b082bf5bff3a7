"""The size of the engine's pool of keys and values, from the code that plans a recipe's memory."""

from __future__ import annotations

import torch

from agentgym.errors import UsageError
from agentgym.trainers.config import Recipe
from agentgym.trainers.engines.slots import round_up
from agentgym.trainers.footprint import Footprint
from agentgym.trainers.plan import Plan
from agentgym.trainers.policy import Policy


def size_pool(
    recipe: Recipe, policy: Policy, *, num_evaluated: int, control: bool = False
) -> int | None:
    """The most tokens that the engine may keep; None where only episodes and context limit it.

    Args:
        num_evaluated: tasks that are evaluated at once.
        control: the policy is the control's, beside all that the finished run holds.
    """
    if recipe.model.kv_tokens != "auto":
        return recipe.model.kv_tokens
    if policy.device.type != "cuda" or policy.vision is not None:
        return None
    footprint = Footprint(policy.model.config, recipe.lora)
    plan = Plan(recipe, footprint, num_evaluated=num_evaluated, control=control)
    free, _ = torch.cuda.mem_get_info(policy.device)
    # What PyTorch has taken already is in the plan too: the weights, at least.
    return tokens_within(plan, free + torch.cuda.memory_reserved(policy.device))


def tokens_within(plan: Plan, memory: int) -> int:
    """The most tokens that a pool within so many bytes may have, beside all else.

    Raises:
        UsageError: not one episode would fit.
    """
    tokens, context = plan.kv_tokens(memory), plan.recipe.model.context
    if tokens < context:
        raise UsageError(
            f"of {memory / 2**30:.2f} GB that are free, the model and its optimizer leave keys and "
            f"values of {tokens} tokens, fewer than the {context} of one episode; `agentgym plan` "
            "says which keys to change"
        )
    # An episode's slot is rounded up.
    return max(tokens, round_up(context))
