"""A recipe, typed: everything a run depends on. YAML in, command-line overrides on top."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agentgym.engine import Sampler
from agentgym.errors import UsageError, unknown
from agentgym.registry import Registry
from agentgym.trainers import strict_yaml
from agentgym.trainers.explain import explain
from agentgym.trainers.rewards.combine import Channel
from agentgym.worker import Deadlines

RECIPES = Path(__file__).parent / "recipes"
Beta = Annotated[float, Field(ge=0, lt=1)]
"""How much of a running mean AdamW keeps at each update."""


class Section(BaseModel):
    """A part of a recipe: frozen, no unknown keys."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False
    )


class EnvConfig(Section):
    """What is played."""

    id: str
    """The Gymnasium id, or `module:Class`."""
    train: str = "gen1/train"
    """The split that training draws from."""
    eval: str = "gen1/unseen"
    """The split that evaluation plays whole."""
    max_turns: int | None = Field(default=None, ge=1)
    """Overrides the turn limit that the environment was registered with."""
    args: dict[str, Any] = Field(default_factory=dict)
    """The environment's own settings, by name."""
    pool: Literal["inline", "process"] = "inline"
    """Where environments live; `process` has deadlines and survives crashes."""
    num_workers: int = Field(default=2, ge=1)
    """Worker processes of the process pool."""
    deadlines: Deadlines = Deadlines()
    """How many seconds each call to an environment of the process pool may take."""
    max_seconds: float | None = Field(default=None, gt=0)
    """An episode is truncated after the turn in which it outlives this. That depends on the clock,
    so such a run does not repeat to the bit."""


class ModelConfig(Section):
    """What plays."""

    path: str = "tiny"
    """A model folder or hub name; `tiny` builds a small Qwen2 from the train panel's text."""
    hidden: int = Field(default=128, ge=8, multiple_of=8)
    """Width of `tiny`; its four heads need an even share each."""
    layers: int = Field(default=3, ge=1)
    """Depth of `tiny`."""
    embedding_std: float = Field(default=0.02, gt=0)
    """Of the random embeddings that `tiny` begins with. Where many tokens are rare, those of 0.02
    are pulled together faster than they are told apart."""
    tokens: Literal["phrases", "units"] = "phrases"
    """What gets a token of `tiny`: entities and fixed phrases of a world, or, where a text says
    ever new things, `units`: words, and names of several words."""
    context: int = Field(default=1024, ge=16)
    """The longest sequence in tokens."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """The dtype of arithmetic; weights that are trained and the optimizer's state are float32."""
    live_episodes: int = Field(default=256, ge=1)
    """Episodes of a process that play at once, each with its keys and values; others wait."""
    kv_tokens: Annotated[int, Field(ge=1)] | Literal["auto"] = "auto"
    """Tokens whose keys and values a process keeps at once: live episodes times the longest. Where
    they would be more, the longest episodes wait and are read again later. `auto`: on a GPU what
    its memory holds beside the rest, on a CPU no limit but `live_episodes` of `context`."""
    device: str = Field(default="auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$")
    """`auto` takes CUDA when there is one; `cuda:1` is the second GPU."""


class RenderConfig(Section):
    """How observations become prompts."""

    history: Literal["all"] | Annotated[int, Field(ge=1)] = "all"
    """`all` only appends; a number shows that many last turns and re-renders every turn."""
    show_choices: bool = False
    """Print the admissible actions behind each observation."""


class WarmStartConfig(Section):
    """Imitation of demonstrations before reinforcement learning."""

    demonstrations: int = Field(default=2000, ge=1)
    """Episodes of the environment's demonstrator on the train split."""
    mistakes: float = Field(default=0.2, ge=0, lt=1)
    """Share of turns replaced by a plausible mistake, whose loss is off."""
    updates: int = Field(default=1200, ge=1)
    """Optimizer steps."""
    episodes_per_update: int = Field(default=10, ge=1)
    """Demonstrations per update, over all processes."""
    optimizer: Literal["adamw", "muon"] = "adamw"
    """`muon` orthogonalizes the updates of the layers' matrices; AdamW takes all else. For models
    that begin with random weights."""
    lr: float = Field(default=2e-3, gt=0)
    """Peak learning rate; falls linearly to 5 % of it."""
    warmup_updates: int = Field(default=0, ge=0)
    """Updates over which the learning rate rises linearly."""
    betas: tuple[Beta, Beta] = (0.9, 0.999)
    """AdamW's."""
    weight_decay: float = Field(default=0.05, ge=0)
    """Of all parameters."""
    observation_loss: float = Field(default=0.2, ge=0)
    """Weight of the loss on observation tokens; helps copying to form."""


class TrainConfig(Section):
    """Reinforcement learning."""

    steps: int = Field(default=60, ge=0)
    """Train steps: one batch of groups and one update each."""
    tasks_per_step: int = Field(default=16, ge=1)
    """Groups per step, over all processes."""
    group_size: int = Field(default=8, ge=1)
    """Episodes per group."""
    lr: float = Field(default=3e-4, gt=0)
    """AdamW's learning rate after warm-up."""
    warmup_steps: int = Field(default=5, ge=0)
    """Steps over which the learning rate rises linearly."""
    last_lr_share: float = Field(default=1.0, ge=0, le=1)
    """The learning rate falls linearly to this share of itself."""
    betas: tuple[Beta, Beta] = (0.9, 0.95)
    """AdamW's."""
    weight_decay: float = Field(default=0.0, ge=0)
    """AdamW's."""
    max_grad_norm: float = Field(default=1.0, gt=0)
    """Gradients are scaled down to this norm."""
    kl: float = Field(default=0.0, ge=0)
    """Weight of the KL penalty to the policy that the run began with; 0 keeps no reference."""
    max_turn_tokens: int = Field(default=32, ge=1)
    """A turn is cut after so many sampled tokens."""
    dynamic_sampling: bool = False
    """Leave groups out whose raw scores are all equal, unless the credit scheme reads more than
    outcomes and found some; off, a group is left out only where no turn has an advantage."""
    mask_truncated: bool = True
    """Keep turns that were cut by the token limit out of the loss."""
    optimizer: Literal["adamw", "adamw8bit"] = "adamw"
    """`adamw8bit` keeps its running means in 8 bits: a GPU, and the extra `bitsandbytes`."""
    micro_batch_tokens: int | None = Field(default=None, ge=1)
    """Tokens per forward pass of the update: nodes of a token tree, or padded tokens. Unset: what
    the plan finds to fit into the GPU, and 2,048 on a CPU, which more do not keep busier."""
    max_importance: float = Field(default=2.0, gt=0)
    """Where `sampler` changes the distribution, a token's loss is multiplied by how much likelier
    the model had made it than the sampler did, up to this (truncated importance sampling)."""
    recompute: bool | Literal["auto"] = "auto"
    """Compute the layers again in the backward pass; `auto` does above 500 M parameters."""
    checkpoint_every: int = Field(default=10, ge=1)
    """Steps between checkpoints; the last step always saves one."""

    @property
    def token_budget(self) -> int:
        """`micro_batch_tokens`, or what it is on a CPU."""
        return 2048 if self.micro_batch_tokens is None else self.micro_batch_tokens


class LoraConfig(Section):
    """An adapter that is trained in place of the weights; extra `lora`."""

    rank: int = Field(default=32, ge=1)
    """Inner width of the adapter's pairs of matrices."""
    alpha: float = Field(default=64.0, gt=0)
    """What a pair gives is multiplied by alpha / rank."""
    targets: tuple[str, ...] = ()
    """Names of linear layers, such as q_proj; none named: every one but the head."""


class CriticConfig(Section):
    """The value head, trained where the credit scheme reads a critic's values."""

    lr: float = Field(default=1e-3, gt=0)
    """AdamW's learning rate; warm-up and decay are those of `train`."""
    clip: float = Field(default=0.5, gt=0)
    """A value moves the loss no further than this from the value that credit was given."""


class EvalConfig(Section):
    """Evaluation on the whole eval split."""

    tasks: int | None = Field(default=None, ge=1)
    """Play only the first so many tasks."""
    samples: int = Field(default=2, ge=1)
    """Sampled episodes per task, drawn by `sampler`, beside one greedy episode."""
    every: int = Field(default=0, ge=0)
    """Train steps between evaluations for the learning curve; 0: only before and after."""


class FidelityConfig(Section):
    """Thresholds of the fidelity report; over one of them the run fails, at its end.

    Whatever they are, a run ends at once at an evaluation or a train step that has not one valid
    episode: there is nothing to judge or to learn by.
    """

    max_logprob_gap: float = 1e-3
    """Largest |sampling-time - train-time logprob| where `model.dtype` is float32."""
    max_mean_logprob_gap: float = 0.02
    """Its mean over trained tokens where that is bfloat16, whose single gaps may be large."""
    max_far_ratios: float = 0.01
    """Likewise, the share of their probability ratios outside [0.8, 1.2]."""
    max_infra_errors: float = 0.05
    """Share of episodes lost to infrastructure errors."""


class ChannelConfig(Channel):
    """One reward channel: where it goes; every other key is the channel's own configuration."""

    model_config = ConfigDict(extra="allow", frozen=True)

    @property
    def args(self) -> dict[str, Any]:
        """The channel's own configuration."""
        return dict(self.model_extra or {})


class PluginConfig(BaseModel):
    """A plug-in by name; every other key is the plug-in's own configuration."""

    model_config = ConfigDict(extra="allow", frozen=True)

    name: str

    @property
    def args(self) -> dict[str, Any]:
        """The plug-in's own configuration."""
        return dict(self.model_extra or {})


class Recipe(Section):
    """A whole run."""

    title: str = ""
    """One line for people."""
    note: str = ""
    """What to know before running it."""
    seed: int = Field(default=0, ge=0, lt=2**63)
    """Everything random follows from it by counters."""
    processes: int = Field(default=1, ge=1)
    """Training processes; each has an even share of the cores, or one GPU."""
    env: EnvConfig
    model: ModelConfig = ModelConfig()
    render: RenderConfig = RenderConfig()
    sampler: Sampler = Sampler()
    warm_start: WarmStartConfig | None = None
    train: TrainConfig = TrainConfig()
    lora: LoraConfig | None = None
    """Train an adapter; None trains every weight."""
    credit: PluginConfig = PluginConfig(name="grpo")
    critic: CriticConfig = CriticConfig()
    rewards: dict[str, ChannelConfig] = Field(default_factory=dict)
    loss: PluginConfig = PluginConfig(name="ppo")
    curriculum: PluginConfig = PluginConfig(name="uniform")
    eval: EvalConfig = EvalConfig()
    fidelity: FidelityConfig = FidelityConfig()


def channels(recipe: Recipe) -> dict[str, Channel]:
    """Where each of the recipe's reward channels goes."""
    return {
        name: Channel(weight=channel.weight, into=channel.into)
        for name, channel in recipe.rewards.items()
    }


def recipe_names() -> tuple[str, ...]:
    """The recipes that ship."""
    return tuple(sorted(path.stem for path in RECIPES.glob("*.yaml")))


def read_recipe(name: str) -> dict[str, Any]:
    """The keys of a shipped recipe, or of a YAML file by path.

    Raises:
        UsageError: there is no such recipe or file, or it is no mapping.
    """
    path = RECIPES / f"{name}.yaml"
    if name.endswith((".yaml", ".yml")):
        path = Path(name)
        if not path.is_file():
            raise UsageError(f"there is no recipe file '{name}'")
    if not path.is_file():
        raise unknown("recipe", name, recipe_names())
    try:
        data = strict_yaml.load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise UsageError(f"recipe '{name}' cannot be read: {reason}") from None
    if not isinstance(data, dict):
        raise UsageError(f"recipe '{name}' is not a mapping of keys")
    return data


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with `over` on top, mappings merged key by key; a new plug-in name drops the old
    plug-in's keys."""
    merged = dict(base)
    for key, value in over.items():
        old = merged.get(key)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            renamed = "name" in value and value["name"] != old.get("name")
            merged[key] = dict(value) if renamed else merge(old, value)
        else:
            merged[key] = value
    return merged


def resolve(name: str, overrides: Mapping[str, Any] | None = None) -> Recipe:
    """The recipe of that name with overrides on top, validated.

    Raises:
        UsageError: an unknown recipe, key or value; one line that names it and the nearest.
    """
    recipe, overrides = read_recipe(name), overrides or {}
    if _env_id(merge(recipe, overrides)) != _env_id(recipe):
        recipe |= {"title": "", "note": ""}  # they speak of another environment
    # A plug-in's keys may be given without its name, which is then the default one.
    plugins = {
        section: field.default.model_dump()
        for section, field in Recipe.model_fields.items()
        if isinstance(field.default, PluginConfig)
    }
    return validate(merge(merge(plugins, recipe), overrides))


def _env_id(data: Mapping[str, Any]) -> Any:
    env = data.get("env")
    return env.get("id") if isinstance(env, Mapping) else None


def validate(data: Mapping[str, Any]) -> Recipe:
    """A recipe from plain keys.

    Raises:
        UsageError: an unknown key or a bad value; one line.
    """
    try:
        return Recipe.model_validate(data)
    except ValidationError as error:
        raise explain(error, Recipe) from None


def make_plugin(known: Registry, name: str, args: Mapping[str, Any], *, key: str) -> Any:
    """Make the plug-in that a recipe names.

    Args:
        key: where its configuration stands in the recipe.

    Raises:
        UsageError: it is unknown, or refuses its configuration.
    """
    plugin = known.get(name)
    try:
        return plugin(**args)
    except ValidationError as error:
        raise explain(error, plugin, prefix=f"{key}.") from None
    except TypeError as error:
        raise UsageError(f"'{key}': {error}") from error


def dump(recipe: Recipe) -> str:
    """The resolved recipe as YAML; `validate` reads it back unchanged."""
    return yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
