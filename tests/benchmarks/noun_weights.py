"""Learns when a capitalised word counts as a noun: `python -m tests.benchmarks.noun_weights`.

Writes what `agentgym.envs.webshop.nouns` reads. spaCy tags the titles of generated products that no
shop of a named size has; of the words that the lists then tell otherwise, an averaged perceptron
learns the weights of the neighbours. They are whole numbers, so that a sum of them is the same
everywhere.
"""

from __future__ import annotations

import argparse
import json
import random
from collections import Counter, defaultdict
from collections.abc import Sequence

from agentgym.envs.webshop.catalogue import SIZES, draw_product
from agentgym.envs.webshop.nouns import WEIGHTS, describe, is_noun_by_lists, split_title

NUM_PRODUCTS = 10_000
FIRST = max(SIZES.values())
LEAST = 10
"""How often the lists must err for a word to be learned, and a neighbour be seen to weigh."""
EPOCHS = 5
PRECISION = 2
"""Weights are stored as whole multiples of one by this."""

Case = tuple[tuple[str, ...], bool]
"""What describes a word in a title, and whether it is a noun there."""


def tag(titles: Sequence[str], model: str) -> list[list[tuple[str, bool]]]:
    """The parts of titles, each with whether it is a noun; no titles that spaCy splits otherwise.

    Args:
        model: an installed package, or a folder.
    """
    import spacy  # what learns is tested without it

    pipeline = spacy.load(model, exclude=["ner", "lemmatizer"])
    tagged = (
        [(token.text, token.pos_ in ("NOUN", "PROPN")) for token in document]
        for document in pipeline.pipe(titles)
    )
    return [
        each
        for title, each in zip(titles, tagged, strict=True)
        if tuple(part for part, _ in each) == split_title(title)
    ]


def collect(tagged: Sequence[Sequence[tuple[str, bool]]]) -> dict[str, list[Case]]:
    """The cases, with a capital, of each word of which the lists tell so many otherwise.

    Args:
        tagged: titles as `tag` gives them.
    """
    cases: dict[str, list[Case]] = defaultdict(list)
    errors: Counter[str] = Counter()
    for title in tagged:
        parts = [part for part, _ in title]
        for place, (part, is_noun) in enumerate(title):
            if part[0].isupper():
                cases[part.lower()].append((describe(parts, place), is_noun))
                errors[part.lower()] += is_noun_by_lists(parts, place) != is_noun
    return {word: each for word, each in sorted(cases.items()) if errors[word] >= LEAST}


def learn(cases: Sequence[Case], generator: random.Random) -> dict[str, int]:
    """The weights for one word, by what describes it.

    Source: Collins (2002), "Discriminative training methods for hidden Markov models", the
    averaged perceptron, here for one word at a time.
    """
    seen = Counter(feature for features, _ in cases for feature in features)
    known = [
        ([feature for feature in features if seen[feature] >= LEAST], is_noun)
        for features, is_noun in cases
    ]
    weights: Counter[str] = Counter()
    missed: Counter[str] = Counter()
    """Of all changes, each times the cases before it, at which it did not yet weigh."""
    count = 0
    for _ in range(EPOCHS):
        for features, is_noun in generator.sample(known, len(known)):
            if (sum(weights[each] for each in features) >= 0) != is_noun:
                change = 1 if is_noun else -1
                for feature in features:
                    weights[feature] += change
                    missed[feature] += change * count
            count += 1
    averages = {each: weights[each] - missed[each] / count for each in sorted(weights)}
    rounded = {each: round(PRECISION * average) for each, average in averages.items()}
    return {each: weight for each, weight in rounded.items() if weight}


def main() -> None:
    """Learn and write them, a word a line."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.noun_weights")
    parser.add_argument("--model", default="en_core_web_sm", help="spaCy's: a package or a folder")
    numbers = range(FIRST, FIRST + NUM_PRODUCTS)
    titles = sorted({draw_product(number).title for number in numbers})
    cases = collect(tag(titles, parser.parse_args().model))
    generator = random.Random(0)
    found = {word: learn(each, generator) for word, each in cases.items()}
    lines = [f"{json.dumps(word)}: {json.dumps(weights)}" for word, weights in found.items()]
    WEIGHTS.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    print(f"{len(lines)} words, {sum(map(len, found.values()))} weights: {WEIGHTS}")


if __name__ == "__main__":
    main()
