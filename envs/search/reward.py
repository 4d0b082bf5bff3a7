"""The field's two scores of a short answer, exactly. They normalise differently; each says whose
way it follows. Of several accepted answers, the best counts."""

from __future__ import annotations

import re
import string
from collections.abc import Sequence

ARTICLES = re.compile(r"\b(a|an|the)\b")
NO_PUNCTUATION = str.maketrans("", "", string.punctuation)
SPACED_PUNCTUATION = str.maketrans(dict.fromkeys(string.punctuation, " "))


def squad_normal(text: str) -> str:
    """Lower case, ASCII punctuation deleted, English articles dropped, white space squeezed.

    The order matters: "A.B." becomes "ab", which holds no article.

    >>> squad_normal(" The  U.S. Open!")
    'us open'
    """
    return " ".join(ARTICLES.sub(" ", text.lower().translate(NO_PUNCTUATION)).split())


def exact_match(answer: str, accepted: Sequence[str]) -> float:
    """1 where the normalised answer equals a normalised accepted one, else 0.

    Source: Search-R1 (2503.09516), section 3.4 and its released code, which normalises as SQuAD's
    evaluation does. IGPO's own exact match is stricter: it keeps articles.

    >>> exact_match("the Silent Harbor.", ["Silent Harbor"])
    1.0
    """
    answer = squad_normal(answer)
    return float(any(answer == squad_normal(each) for each in accepted))


def word_set(text: str) -> frozenset[str]:
    """The different words of a text: lower case, ASCII punctuation made white space.

    >>> sorted(word_set("The U.S. open"))
    ['open', 's', 'the', 'u']
    """
    return frozenset(text.lower().translate(SPACED_PUNCTUATION).split())


def word_f1(answer: str, accepted: Sequence[str]) -> float:
    """The harmonic mean of precision and recall between two sets of words, in [0, 1].

    Sets, not bags: a word said twice counts once. Articles count. 0 without a common word.

    Source: the released code of "IGPO" (2510.14967). Deviations: every accepted answer is looked
    at, where its trainer sees the first; and a malformed episode scores 0, not -2, since the
    reward for form is a channel of its own. SQuAD's F1 differs: bags of words, articles dropped.

    >>> word_f1("New York City", ["new york"])
    0.8
    """
    said = word_set(answer)
    return max((_f1(said, word_set(each)) for each in accepted), default=0.0)


def _f1(said: frozenset[str], wanted: frozenset[str]) -> float:
    # 2 P R / (P + R) with P = common / said and R = common / wanted
    common = len(said & wanted)
    return 2 * common / (len(said) + len(wanted)) if common else 0.0
