"""agentgym: the gym and trainer for language-model agents that act over many turns."""

from agentgym.env import SeededEnv, TurnEnv, find_spec, make, register, register_builtin
from agentgym.errors import AgentGymError, UsageError
from agentgym.panel import Panel
from agentgym.types import (
    Episode,
    Group,
    Observation,
    Outcome,
    Parsed,
    Status,
    Task,
    Turn,
)

__all__ = [
    "AgentGymError",
    "Episode",
    "Group",
    "Observation",
    "Outcome",
    "Panel",
    "Parsed",
    "SeededEnv",
    "Status",
    "Task",
    "Turn",
    "TurnEnv",
    "UsageError",
    "find_spec",
    "make",
    "register",
]

register_builtin()
