"""The command in a model's text, where thoughts may stand beside it."""

from __future__ import annotations


def read_command(text: str) -> str:
    """The last complete `<action>` element, otherwise the text without its thoughts, stripped.

    Takes time linear in the text.

    >>> read_command("<think>a mug!</think><action> take mug 1 </action>")
    'take mug 1'
    >>> read_command("<think>a mug!</think> take mug 1")
    'take mug 1'
    """
    before, closed, _ = text.rpartition("</action>")
    _, opened, inner = before.rpartition("<action>")
    if closed and opened:
        return inner.strip()
    return text.rpartition("</think>")[2].partition("<think>")[0].strip()
