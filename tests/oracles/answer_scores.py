"""Scores of short answers, written word by word from how the field defines them."""

from __future__ import annotations

import re
import string


def squad_normal(text: str) -> str:
    kept = "".join(char for char in text.lower() if char not in set(string.punctuation))
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", kept).split())


def exact_match(answer: str, accepted: list[str]) -> float:
    for each in accepted:
        if squad_normal(each) == squad_normal(answer):
            return 1.0
    return 0.0


def word_f1(answer: str, accepted: list[str]) -> float:
    best = 0.0
    for each in accepted:
        sets = []
        for text in (answer, each):
            for char in string.punctuation:
                text = text.replace(char, " ")
            sets.append(set(text.lower().split()))
        said, wanted = sets
        common = said & wanted
        if common:
            precision, recall = len(common) / len(said), len(common) / len(wanted)
            best = max(best, 2 * precision * recall / (precision + recall))
    return best


def read_call(text: str) -> tuple[str, str] | None:
    found = re.search(r"<(search|answer)>(.*?)</\1>", text, re.DOTALL)
    return (found[1], found[2].strip()) if found else None
