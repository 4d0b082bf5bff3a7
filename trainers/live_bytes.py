"""Counts the bytes of tensors while they live, real ones or fake."""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakIdKeyDictionary


class LiveBytes(TorchDispatchMode):
    """Inside it, every tensor that an operation makes counts until nothing holds it any more."""

    def __init__(self, held: Iterable[Tensor] = ()) -> None:
        """Begin with the bytes of these."""
        super().__init__()  # type: ignore[no-untyped-call]
        self.live = 0
        self.peak = 0
        self.largest = 0
        """Elements of the largest tensor that an operation made, views aside."""
        self._known = WeakIdKeyDictionary()
        for tensor in held:
            self._count(tensor)
        self.largest = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Run the operation and count what is new."""
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor):
                self._count(leaf)
        return result

    def _count(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        # Views share their tensor's storage.
        if storage in self._known:
            return
        size = storage.nbytes()
        self._known[storage] = size
        weakref.finalize(storage, self._drop, size)
        self.live += size
        self.peak = max(self.peak, self.live)
        self.largest = max(self.largest, tensor.numel())

    def _drop(self, size: int) -> None:
        self.live -= size
