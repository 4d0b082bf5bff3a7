"""What an environment can do wrong, on command."""

import os
import time
from typing import Any

FAULTS = ("hang", "crash", "raise", "wrong type")


def misbehave(fault: str) -> Any:
    """Do as the fault says.

    Returns:
        For "wrong type": a string, where an environment owes a tuple.

    Raises:
        RuntimeError: for "raise", with a message of ten million characters.
    """
    if fault == "hang":
        time.sleep(1e6)
    if fault == "crash":
        os._exit(3)
    if fault == "raise":
        raise RuntimeError("boom " * 2_000_000)
    return fault
