"""Free-form actions by their embeddings: the rule of founders, and a real MiniLM."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scored import episode, group, scored, turn

from agentgym.errors import UsageError
from agentgym.trainers.credit.embedded import BATCH, Embedded, cluster
from agentgym.trainers.credit.salt import Salt


def test_a_vector_joins_the_nearest_founder_or_founds_a_cluster() -> None:
    # 20 lies near 0; 40 is too far from 0; 21 is near both founders, and nearer to 40 (19 < 21);
    # 60 lies near 40; 66 is too far from 40.
    angles = np.radians([0, 20, 40, 21, 60, 66])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    assert cluster(vectors, float(np.cos(np.radians(25)))) == [0, 0, 1, 1, 1, 2]


BUY = "api.shop.buy(item='red mug', count=1)"
BUY_TOO = "api.shop.buy(item='red mug', count=1)  # now buy it"
MAIL = "print(mail.inbox(unread=True))"


def test_a_real_minilm_tells_actions_apart_by_meaning(minilm_folder: str) -> None:
    keys = Embedded(model=minilm_folder)
    assert keys([BUY, MAIL, BUY_TOO]) == [0, 1, 0]
    assert Embedded(model=minilm_folder, cosine=1.0)([BUY, BUY_TOO]) == [0, 1]
    assert keys([]) == []
    # More than one batch; padding to another length moves no action to another cluster.
    many = [BUY, MAIL, BUY_TOO] * BATCH
    assert keys(many) == [0, 1, 0] * BATCH


def test_salt_merges_actions_that_mean_the_same(minilm_folder: str) -> None:
    pair = group(episode([turn(BUY, "x")], 0.0), episode([turn(BUY_TOO, "x")], 2.0))
    assert Salt(base="mean")(scored(pair)).advantages == (((-1,), (1,)),)
    settings = {"base": "mean", "action_keys": {"model": minilm_folder}}
    assert Salt.model_validate(settings)(scored(pair)).advantages == (((0,), (0,)),)


def test_a_model_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot load the encoder '.*/missing'"):
        Embedded(model=str(tmp_path / "missing"))(["look"])
