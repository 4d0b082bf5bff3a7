"""What a model is told, how its call is read, and how passages are shown: Search-R1's grammar."""

from __future__ import annotations

from collections.abc import Sequence

from agentgym.envs.search.corpus import Passage
from agentgym.types import Parsed

SYSTEM_PROMPT = """\
Answer a question with the help of a search engine. Each turn, you may reason within \
<think> and </think>; then either search or answer.
<search>words to look for</search> shows the best passages within <information> and </information>.
<answer>the answer</answer> ends the task. Give the answer alone, as short as it can be.
Some questions take several searches, one fact leading to the next."""

NO_CALL = (
    "This was neither a search nor an answer. "
    "Write <search>words</search> to search, or <answer>words</answer> to answer."
)
NOTHING_FOUND = "<information>No passage has any of these words.</information>"


def read_call(text: str) -> tuple[str, str] | None:
    """The first complete `<search>` or `<answer>` element: its tag and its stripped content.

    Takes time linear in the text, where the regular expression that says the same,
    `<(search|answer)>(.*?)</\\1>`, takes quadratic time on unclosed tags.

    Source: Search-R1's released code. Deviation: the content is stripped.

    >>> read_call("<think>who?</think> <search> Silent Harbor </search>")
    ('search', 'Silent Harbor')
    """
    found: list[tuple[int, int, str]] = []
    for tag in ("search", "answer"):
        begin = text.find(f"<{tag}>")
        if begin < 0:
            continue
        # An opening tag that is never closed leaves none behind it closed either.
        end = text.find(f"</{tag}>", begin)
        if end >= 0:
            found.append((begin, end, tag))
    if not found:
        return None
    begin, end, tag = min(found)
    return tag, text[begin + len(tag) + 2 : end].strip()


def parse_call(text: str) -> Parsed:
    """The call in one canonical form, thoughts left out.

    Invalid are "no_call" and "empty_search"; an empty answer is an answer, and a wrong one.

    >>> parse_call("<answer>Port Orvik </answer>").action
    '<answer>Port Orvik</answer>'
    """
    call = read_call(text)
    if call is None:
        return Parsed(invalid="no_call")
    if call == ("search", ""):
        return Parsed(invalid="empty_search")
    tag, content = call
    return Parsed(action=f"<{tag}>{content}</{tag}>")


def show(passages: Sequence[Passage]) -> str:
    """Search results as the model reads them.

    Source: Search-R1's released code. Deviation: no blank lines around them, since here they are
    a message of their own.
    """
    if not passages:
        return NOTHING_FOUND
    lines = [
        f"Doc {rank}(Title: {passage.head}) {passage.text}"
        for rank, passage in enumerate(passages, start=1)
    ]
    return "<information>" + "\n".join(lines) + "</information>"
