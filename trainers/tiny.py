"""tiny: a small model, and a tokenizer that reads a text world in few tokens.

A token is one entity ("mug 1"), one object name ("mug"), one word of a proper name ("Mara " and
"Holt"), one code ("B0G3"), or one fixed phrase of the environment; every other text falls back to
bytes, so that decoding is always exact.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

from agentgym.trainers.units import OPENED, SPACED, find_units, unit_forms

PAD, OBS, ACT, END = "<pad>", "<obs>", "<act>", "<end>"
CHAT_TEMPLATE = (
    "{%- for message in messages -%}"
    "{%- if message['role'] == 'user' -%}{{ '<obs>' + message['content'] }}"
    "{%- elif message['role'] == 'assistant' -%}{{ '<act>' + message['content'] + '<end>' }}"
    "{%- endif -%}{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{ '<act>' }}{%- endif -%}"
)
"""The system message is left out: a model of this size learns the rules by playing."""
ENTITY = re.compile(r"\b([a-z]+) \d+(?!\d)")
PROPER_NAME = re.compile(r"[A-Z][a-z]+(?: (?:[A-Z][a-z]+|\d+))+")
"""Capitalised words in a row, the first perhaps before a number: "Mara Holt", "May 1912"."""
NAME_WORD = re.compile(r"[A-Z][a-z]+ ?")
"""The space belongs to the word before it, so that a word is one token whatever precedes it."""
CODE = re.compile(r"\b[A-Z]+\d[A-Z\d]*\b")
"""Capitals and digits, such as a product's number. All are kept: what is there to be copied must be
a token, however rarely it occurs."""
CUT = "\0"
"""Stands for an entity or a name while phrases are looked for; in no text of an environment."""
WHOLE = re.compile(r".+", re.DOTALL)
SENTENCE = re.compile(r".+?(?:[.:!?]\s+|\n+|\Z)", re.DOTALL)
WORD = re.compile(r"\s*\S+|\s+")
MIN_COUNT = 10
"""A piece of text that occurs less often in the given texts gets no token."""


def build_tokenizer(texts: Iterable[str], *, min_count: int = MIN_COUNT) -> PreTrainedTokenizerFast:
    """A tokenizer for texts like these; equal texts give an equal tokenizer.

    Args:
        texts: observations and actions of the train panel, each on its own.
        min_count: how often an entity, name or phrase must occur to get a token.
    """
    texts = list(texts)
    phrases = find_phrases(texts, min_count=min_count)
    # Entities, codes and single words are found by their form; the longest phrase comes first.
    by_form = re.compile(f"{ENTITY.pattern}|{CODE.pattern}|[A-Za-z]+")
    fixed = (phrase for phrase in phrases if not by_form.fullmatch(phrase))
    longest_first = sorted(fixed, key=lambda phrase: (-len(phrase), phrase))
    forms = [*map(_as_form, longest_first), r"[a-z]+ \d+(?!\d)", CODE.pattern, "[A-Za-z]+"]
    split = pre_tokenizers.Split(Regex("|".join(forms)), "isolated")
    left = Counter(piece for text in texts for piece, _ in split.pre_tokenize_str(text))
    words = sorted(p for p, count in left.items() if count >= min_count and p.isalpha())
    return _assemble(split, (*phrases, *words))


def build_unit_tokenizer(
    texts: Sequence[str], *, min_count: int = MIN_COUNT
) -> PreTrainedTokenizerFast:
    """A tokenizer for texts of many words; equal texts give an equal tokenizer; see `units`."""
    units = find_units(texts, min_count=min_count)
    split = pre_tokenizers.Split(Regex("|".join(unit_forms(units))), "isolated")
    tokenizer = _assemble(split, units)
    backend = tokenizer.backend_tokenizer
    backend.normalizer = normalizers.Replace(Regex(OPENED), "[ ")
    backend.decoder = decoders.Sequence([backend.decoder, decoders.Replace(Regex(SPACED), "[")])
    return tokenizer


def _assemble(split: pre_tokenizers.Split, pieces: Iterable[str]) -> PreTrainedTokenizerFast:
    """A tokenizer that cuts so, with a token for each of those pieces."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    to_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    known = [to_bytes.pre_tokenize_str(piece)[0][0] for piece in pieces]
    tokens = dict.fromkeys([PAD, OBS, ACT, END, *alphabet, *known])
    vocabulary = {token: number for number, token in enumerate(tokens)}
    # Merges are none: a piece is one token when the vocabulary has it whole, else its bytes.
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[], ignore_merges=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, to_bytes])
    tokenizer.decoder = decoders.ByteLevel()
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=END,
        extra_special_tokens=[OBS, ACT],
        clean_up_tokenization_spaces=False,
    )
    wrapped.chat_template = CHAT_TEMPLATE
    return wrapped


def _as_form(phrase: str) -> str:
    """The phrase where it neither begins nor ends within a word."""
    begin = "(?<![A-Za-z])" if phrase[0].isalpha() else ""
    return begin + re.escape(phrase) + ("(?![A-Za-z])" if phrase[-1].isalpha() else "")


def find_phrases(texts: Iterable[str], *, min_count: int) -> list[str]:
    """Entities, names, and fixed phrases that occur often enough, the most frequent first.

    Entities and names are cut out of the texts; what is left between them are fixed phrases. A
    phrase that is too rare as a whole is tried by its sentences, then by its words. The digits
    behind a proper name stay bytes. The name of a kept entity is always kept: goals speak of it,
    however rarely.

    >>> find_phrases(["Find a mug.", "You open mug 1.", "You open mug 1."], min_count=2)
    ['You open ', 'mug 1', 'mug']
    """
    found: Counter[str] = Counter()
    without_entities: Counter[str] = Counter()
    for text, count in Counter(texts).items():
        for match in ENTITY.finditer(text):
            found[match[0]] += count
        for name in PROPER_NAME.findall(text):
            for word in NAME_WORD.findall(name):
                found[word] += count
        for code in CODE.findall(text):
            found[code] += count + min_count
        without_entities[CODE.sub(CUT, PROPER_NAME.sub(CUT, ENTITY.sub(CUT, text)))] += count
    names = {entity.partition(" ")[0] for entity, count in found.items() if count >= min_count}
    rare: Counter[str] = Counter()
    for text, count in without_entities.items():
        bare = re.sub("[a-z]+", lambda m: CUT if m[0] in names else m[0], text)
        for fragment in bare.split(CUT):
            rare[fragment] += count
    for form in (WHOLE, SENTENCE, WORD):
        parts: Counter[str] = Counter()
        for fragment, count in rare.items():
            for part in form.findall(fragment):
                parts[part] += count
        found += Counter({part: count for part, count in parts.items() if count >= min_count})
        rare = Counter({part: count for part, count in parts.items() if count < min_count})
    kept = {p for p, count in found.items() if count >= min_count and len(p.encode()) > 1} | names
    return sorted(kept, key=lambda phrase: (-found[phrase], phrase))


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How large a model is; about 0.6 M parameters where nothing is said."""

    hidden: int = 128
    layers: int = 3
    heads: int = 4
    kv_heads: int = 2
    mlp: int = 384
    context: int = 1024
    embedding_std: float = 0.02


def configuration(tokenizer: PreTrainedTokenizerFast, size: Size) -> Qwen2Config:
    """A Qwen2 of that size."""
    return Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=size.hidden,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        num_key_value_heads=size.kv_heads,
        intermediate_size=size.mlp,
        max_position_embeddings=size.context,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


def build_model(tokenizer: PreTrainedTokenizerFast, size: Size, *, seed: int) -> Qwen2ForCausalLM:
    """A Qwen2 model with random weights that depend on the seed alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        config = configuration(tokenizer, size)
        model = Qwen2ForCausalLM(config)
    with torch.no_grad():
        embeddings = model.get_parameter("model.embed_tokens.weight")
        embeddings.mul_(size.embedding_std / config.initializer_range)
    return model
