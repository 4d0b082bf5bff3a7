"""Checkpoints: complete or invisible, checked by digest, enough to go on bit for bit."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import torch

from agentgym.errors import StoreError, boundary
from agentgym.store import digest_of, write_folder
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
    manifest of digests.

    Raises:
        StoreError: it could not be written (a full disk, say); nothing of it is left.
    """
    folder = run / "checkpoints" / f"step-{step:06d}"

    def write(target: Path) -> None:
        policy.save(target)
        torch.save(optimizer.state_dict(), target / "optimizer.pt")
        if critic is not None:
            torch.save(critic.state_dict(), target / "critic.pt")
        # A tokenizer with several chat templates has a folder for them.
        files = sorted(path for path in target.rglob("*") if path.is_file())
        digests = {path.relative_to(target).as_posix(): digest_of(path) for path in files}
        manifest = {"step": step, "files": digests}
        (target / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")

    with boundary(StoreError, f"cannot save checkpoint '{folder}'"):
        write_folder(folder, write)
    return folder


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


def require_latest(run: Path) -> Path:
    """The newest sound checkpoint; newer ones that are not are named on stderr.

    Raises:
        StoreError: there is none.
    """
    found, complaints = find_latest(run)
    for complaint in complaints:
        print(f"skipped a damaged checkpoint: {complaint}", file=sys.stderr)
    if found is None:
        raise StoreError(f"'{run}' has no sound checkpoint")
    return found


def step_of(folder: Path) -> int:
    """The step of a sound checkpoint, which its folder is named after."""
    return int(folder.name.removeprefix("step-"))


def load_optimizer(folder: Path, optimizer: torch.optim.Optimizer) -> None:
    """Give an optimizer the state saved in a checkpoint."""
    optimizer.load_state_dict(_load(folder / "optimizer.pt"))


def load_critic(folder: Path, critic: torch.nn.Module) -> None:
    """Give a critic the weights saved in a checkpoint."""
    critic.load_state_dict(_load(folder / "critic.pt"))


def _load(path: Path) -> dict[str, Any]:
    # Not to the GPU that it lay on: it may be gone, and several processes would share it.
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return state


def prune(run: Path) -> None:
    """Delete all checkpoints but the first and the two newest, of which one may prove damaged."""
    folders = sorted((run / "checkpoints").glob("step-*"))
    for folder in folders[1:-2]:
        shutil.rmtree(folder)
