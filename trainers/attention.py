"""A hook for our own attention in a transformers model: one callable a forward, SDPA without it."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from agentgym.errors import UsageError

NAME = "agentgym"
"""Our name among transformers' attention implementations."""
UNSUPPORTED = ("softcap", "s_aux")
"""What some architectures ask of their attention and an `Attend` does not do."""


class Attend(Protocol):
    """Attention over whatever tokens the caller packed into one row, for one layer."""

    def __call__(
        self,
        layer: int,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        *,
        scaling: float,
        window: int | None,
    ) -> Tensor:
        """The attended values.

        Args:
            query: `[1, num_heads, T, head_dim]`, positions already applied.
            key: `[1, num_kv_heads, T, head_dim]`; `value` likewise.
            window: how many tokens a token sees, itself included; None for all before it.

        Returns:
            `[1, T, num_heads, head_dim]`.
        """
        ...


def install(model: PreTrainedModel) -> frozenset[int]:
    """Make the model's forward take `attend=`; without it the model computes what it did before.

    Returns:
        The sliding windows that layers ask for; an `Attend` that has none must refuse them.

    Raises:
        UsageError: the architecture does not pass its attention through the hook; the model is
            left as it was.
    """
    # cuDNN would plan anew for every shape, of which the tokens of an update have no end.
    torch.backends.cuda.enable_cudnn_sdp(False)
    AttentionInterface.register(NAME, _attention)
    AttentionMaskInterface.register(NAME, sdpa_mask)
    before = model.config._attn_implementation
    model.set_attn_implementation(NAME)
    try:
        return _probe(model)
    except UsageError:
        model.set_attn_implementation(before)
        raise


def _probe(model: PreTrainedModel) -> frozenset[int]:
    """The windows that one forward asks for, layer by layer."""
    asked: dict[int, int | None] = {}

    def attend(
        layer: int,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        *,
        scaling: float,
        window: int | None,
    ) -> Tensor:
        asked[layer] = window
        return query.transpose(1, 2)

    zero = torch.zeros(1, 1, dtype=torch.long, device=model.device)
    with torch.no_grad():
        packed_forward(model.base_model, zero, zero, attend=attend)
    name, config = type(model).__name__, model.config
    if len(asked) != config.num_hidden_layers:
        raise UsageError(
            f"{name} runs {len(asked)} of {config.num_hidden_layers} layers "
            "through transformers' attention interface; every layer must"
        )
    # What a layer does not say to its attention stands in its mask alone, which we replace.
    kinds = list(getattr(config, "layer_types", None) or [])
    told = ["full_attention" if asked[i] is None else "sliding_attention" for i in sorted(asked)]
    if kinds and kinds != told:
        raise UsageError(f"{name} has layers of the kinds {sorted(set(kinds))}; not all can be run")
    return frozenset(window for window in asked.values() if window is not None)


def packed_forward(body: Any, token_ids: Tensor, position_ids: Tensor, *, attend: Attend) -> Tensor:
    """Hidden states of tokens packed into one row, `[T, hidden]`.

    Args:
        body: the model without its head.
        token_ids: `[1, T]`, `position_ids` likewise.
    """
    # A mask of four dimensions is taken as it is; without one, transformers would look for packed
    # sequences in the position ids and build a mask of T x T. `attend` has its own.
    mask = token_ids.new_zeros(1, 1, 1, 1, dtype=torch.bool)
    output = body(
        input_ids=token_ids,
        position_ids=position_ids,
        attention_mask=mask,
        use_cache=False,
        attend=attend,
    )
    hidden: Tensor = output.last_hidden_state[0]
    return hidden


def _attention(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    attend: Attend | None = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    if attend is None:
        return sdpa_attention_forward(module, query, key, value, attention_mask, **kwargs)
    for name in UNSUPPORTED:
        if kwargs.get(name) is not None:
            raise UsageError(f"attention with {name}={kwargs[name]} is not supported here")
    window = kwargs.get("sliding_window")
    scaling = kwargs["scaling"]
    # Under autocast, applying positions leaves queries and keys in float32.
    query, key = query.to(value.dtype), key.to(value.dtype)
    return attend(module.layer_idx, query, key, value, scaling=scaling, window=window), None
