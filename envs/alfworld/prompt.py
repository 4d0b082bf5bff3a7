"""What a model is told, and how a command is read out of what it writes."""

from __future__ import annotations

from agentgym.envs import command

SYSTEM_PROMPT = """\
You are in a room and have a household task. Each turn, give one command:
go to R, open R, close R, take O from R, move O to R, examine R, examine O, use O, \
clean O with R, heat O with R, cool O with R, slice O with K, look, inventory, help
R is a receptacle and O an object, each with its number, as in: take mug 1 from shelf 2
You hold one object at a time. Clean with a sinkbasin, heat with a microwave, cool with a fridge, \
slice with a knife, look at things under a lamp by holding them and using the lamp.
A command that is impossible is answered by "Nothing happens." and costs a turn.
Write the command alone, or <think>your thoughts</think><action>the command</action>."""


def read_command(text: str) -> str:
    """The command in a model's text, in the current grammar; empty when there is none.

    >>> read_command("<think>a mug!</think><action> take mug 1 from shelf 2 </action>")
    'take mug 1 from shelf 2'
    >>> read_command("put mug 1 in/on desk 1")
    'move mug 1 to desk 1'
    """
    return _modernise(command.read_command(text))


def _modernise(said: str) -> str:
    """Older games said "put X in/on Y" for "move X to Y"; published agents still do."""
    verb, _, rest = said.partition(" ")
    if verb != "put":
        return said
    for preposition in (" in/on ", " in ", " on "):
        item, found, place = rest.partition(preposition)
        if found:
            return f"move {item} to {place}"
    return said
