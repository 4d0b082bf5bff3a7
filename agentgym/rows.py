"""An episode as one row of a Parquet file, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

from agentgym.types import Episode, EpisodeId, ErrorInfo, Observation, Status, Turn

if TYPE_CHECKING:
    import pyarrow

SCHEMA_VERSION = "3"
TEXTS = ("task_id", "panel_hash", "env", "system_prompt")
NUMBERS = ("seed", "score", "success", "policy_version")
"""Fields of an episode that are columns as they are."""


def schema() -> pyarrow.Schema:
    """The columns of an episode file."""
    import pyarrow as pa

    text, number = pa.string(), pa.float64()
    observation = pa.struct({"text": text, "choices": pa.list_(text), "key": text, "state": text})
    columns: dict[str, Any] = {
        **{name: pa.int32() for name in ("step", "group", "member")},
        "task_id": text,
        "panel_hash": text,
        "env": text,
        "seed": pa.int64(),
        "system_prompt": text,
        "first": observation,
        "turns": pa.list_(_turn_type(observation)),
        "images": pa.list_(pa.binary()),
        "status": text,
        "score": number,
        "success": pa.bool_(),
        "policy_version": pa.int32(),
        "error": pa.struct({field.name: text for field in fields(ErrorInfo)}),
        "advantages": pa.list_(number),
        "token_advantages": pa.list_(pa.list_(number)),
        "facts": text,
    }
    return pa.schema(columns, metadata={"agentgym.schema": SCHEMA_VERSION})


def _turn_type(observation: pyarrow.DataType) -> pyarrow.DataType:
    """The type of a turn, given that of an observation."""
    import pyarrow as pa

    text, number, tokens = pa.string(), pa.float64(), pa.list_(pa.int32())
    return pa.struct(
        {
            "segment": pa.int32(),
            "prompt_ids": tokens,
            "action_ids": tokens,
            "logprobs": pa.list_(number),
            "finish": text,
            "text": text,
            "action": text,
            "invalid": text,
            "observation": observation,
            "reward": number,
            "channels": pa.map_(text, number),
            "values": pa.list_(number),
            "temperature": number,
            "kept": pa.list_(number),
            "seconds": number,
        }
    )


def _plain(text: str | None) -> str | None:
    """The text as valid UTF-8; lone surrogates, which Parquet cannot hold, become '?'."""
    return None if text is None else text.encode("utf-8", "replace").decode("utf-8")


def _shown(observation: Observation) -> dict[str, Any]:
    choices = observation.choices
    return {
        "text": _plain(observation.text),
        "choices": None if choices is None else [_plain(choice) for choice in choices],
        "key": _plain(observation.key),
        "state": _plain(observation.state),
    }


def _seen(row: Mapping[str, Any], image: bytes | None) -> Observation:
    choices = row["choices"]
    return Observation(
        text=row["text"],
        choices=None if choices is None else tuple(choices),
        image=image,
        key=row["key"],
        state=row["state"],
    )


def to_row(episode: Episode) -> dict[str, Any]:
    """The episode as one Parquet row; pictures in a column of their own, first, then per turn."""
    turns = []
    for turn in episode.turns:
        row = {name: getattr(turn, name) for name in Turn.__dataclass_fields__}
        row["observation"] = _shown(turn.observation)
        row["channels"] = list(turn.channels.items())
        row |= {name: _plain(row[name]) for name in ("text", "action", "invalid")}
        turns.append(row)
    first = episode.first
    images = [first.image if first else None] + [t.observation.image for t in episode.turns]
    error = asdict(episode.error) if episode.error else None
    return {
        **{name: _plain(getattr(episode, name)) for name in TEXTS},
        **{name: getattr(episode, name) for name in NUMBERS},
        "step": episode.id.step,
        "group": episode.id.group,
        "member": episode.id.member,
        "first": _shown(first) if first else None,
        "turns": turns,
        "images": images,
        "status": str(episode.status),
        "error": error and {name: _plain(text) for name, text in error.items()},
        "advantages": episode.advantages,
        "token_advantages": episode.token_advantages,
        "facts": json.dumps(dict(episode.facts)),
    }


def _turn(row: Mapping[str, Any], image: bytes | None) -> Turn:
    values, kept = row["values"], row.get("kept")
    return Turn(
        segment=row["segment"],
        prompt_ids=tuple(row["prompt_ids"]),
        action_ids=tuple(row["action_ids"]),
        logprobs=tuple(row["logprobs"]),
        finish=row["finish"],
        text=row["text"],
        action=row["action"],
        invalid=row["invalid"],
        observation=_seen(row["observation"], image),
        reward=row["reward"],
        channels=dict(row["channels"]),
        values=None if values is None else tuple(values),
        # Files of before there were other samplers are of the same version.
        temperature=row.get("temperature", 1.0),
        kept=None if kept is None else tuple(kept),
        seconds=row["seconds"],
    )


def from_row(row: Mapping[str, Any]) -> Episode:
    """The episode of one Parquet row: the inverse of `to_row`."""
    images = row["images"]
    advantages = row["advantages"]
    tokens = row["token_advantages"]
    return Episode(
        **{name: row[name] for name in TEXTS + NUMBERS},
        id=EpisodeId(step=row["step"], group=row["group"], member=row["member"]),
        first=_seen(row["first"], images[0]) if row["first"] is not None else None,
        turns=tuple(
            _turn(turn, image) for turn, image in zip(row["turns"], images[1:], strict=True)
        ),
        status=Status(row["status"]),
        error=ErrorInfo(**row["error"]) if row["error"] is not None else None,
        advantages=None if advantages is None else tuple(advantages),
        token_advantages=None if tokens is None else tuple(map(tuple, tokens)),
        # Files of before there were facts are of the same version.
        facts=json.loads(row.get("facts") or "{}"),
    )
