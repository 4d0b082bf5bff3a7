"""Checkpoints: complete or invisible, checked by digest, enough to go on bit for bit."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import torch

from agentgym.errors import StoreError, boundary
from agentgym.store import digest_of
from agentgym.trainers.policy import Policy

MANIFEST = "manifest.json"


def save(
    run: Path,
    step: int,
    policy: Policy,
    optimizer: torch.optim.Optimizer,
    critic: torch.nn.Module | None = None,
) -> Path:
    """Save everything that step `step` (the next to run) depends on.

    An ordinary model folder, the optimizer's state, the critic's weights where there is one, and a
    manifest of digests, written to a temporary sibling and renamed.

    Raises:
        StoreError: it could not be written (a full disk, say); nothing of it is left.
    """
    folder = run / "checkpoints" / f"step-{step:06d}"
    temporary = folder.with_name(f".{folder.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        with boundary(StoreError, f"cannot save checkpoint '{folder}'"):
            temporary.mkdir(parents=True)
            policy.save(temporary)
            torch.save(optimizer.state_dict(), temporary / "optimizer.pt")
            if critic is not None:
                torch.save(critic.state_dict(), temporary / "critic.pt")
            names = sorted(path.name for path in temporary.iterdir())
            digests = {name: digest_of(temporary / name) for name in names}
            manifest = {"step": step, "files": digests}
            (temporary / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
            for path in [*temporary.iterdir(), temporary]:
                _sync(path)
            shutil.rmtree(folder, ignore_errors=True)
            os.replace(temporary, folder)
            _sync(folder.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def check(folder: Path) -> int:
    """The step of a checkpoint whose every file has its digest.

    Raises:
        StoreError: a file is missing or altered; the message names it.
    """
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        step = int(manifest["step"])
        # The manifest vouches for all files but itself; the folder's name vouches for its step.
        if folder.name != f"step-{step:06d}":
            raise StoreError(f"{folder / MANIFEST}: speaks of step {step}")
        for name, digest in manifest["files"].items():
            if digest_of(folder / name) != digest:
                raise StoreError(f"{folder / name}: altered since it was saved")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise StoreError(f"{folder}: {type(error).__name__}: {error}") from error
    return step


def find_latest(run: Path) -> tuple[Path | None, list[str]]:
    """The newest sound checkpoint, and one message for each newer one that is not."""
    complaints = []
    for folder in sorted((run / "checkpoints").glob("step-*"), reverse=True):
        try:
            check(folder)
        except StoreError as error:
            complaints.append(str(error))
            continue
        return folder, complaints
    return None, complaints


def load_optimizer(folder: Path, optimizer: torch.optim.Optimizer) -> None:
    """Give an optimizer the state saved in a checkpoint."""
    state: dict[str, Any] = torch.load(folder / "optimizer.pt", weights_only=True)
    optimizer.load_state_dict(state)


def load_critic(folder: Path, critic: torch.nn.Module) -> None:
    """Give a critic the weights saved in a checkpoint."""
    critic.load_state_dict(torch.load(folder / "critic.pt", weights_only=True))


def prune(run: Path) -> None:
    """Delete all checkpoints but the first and the two newest, of which one may prove damaged."""
    folders = sorted((run / "checkpoints").glob("step-*"))
    for folder in folders[1:-2]:
        shutil.rmtree(folder)
