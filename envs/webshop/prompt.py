"""What a model is told, and how an action is read out of what it writes."""

from __future__ import annotations

from agentgym.envs import command

SYSTEM_PROMPT = """\
You are in a web shop. Buy the product that the instruction asks for: of the right kind, with the \
attributes and options that it names, within its price.
Each turn, give one action:
search[words] looks for products, from any page.
click[thing] clicks on something of the page: a product's number, an option's value, or a button \
such as Next >, < Prev, Back to Search, Description, Features, Reviews, Buy Now.
Choose the options before Buy Now, which ends the visit. Anything else changes nothing and costs \
a turn.
Write the action alone, or <think>your thoughts</think><action>the action</action>."""


def read_action(text: str) -> tuple[str, str] | None:
    """The name and the argument, in lower case, of the action in a model's text.

    >>> read_action("<think>there</think> click[Buy Now]")
    ('click', 'buy now')
    """
    action = parse_action(command.read_command(text))
    return None if action is None else (action[0], action[1].lower())


def parse_action(text: str) -> tuple[str, str] | None:
    r"""What WebShop's expression `(.+)\[(.+)\]` finds at the beginning, in linear time.

    >>> parse_action("search[a [b] c]] and more")
    ('search[a ', 'b] c]')
    """
    line = text.partition("\n")[0]
    end = line.rfind("]")
    begin = line.rfind("[", 1, max(end - 1, 0))
    return (line[:begin], line[begin + 1 : end]) if begin > 0 else None
