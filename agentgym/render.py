"""Messages to token ids: the only caller of a chat template.

Sampled ids are kept as sampled. After each turn only the text that the template adds behind them
is encoded. Where a template rewrites what came before (it deletes earlier thoughts, say), what
the model saw is no longer a prefix: a new segment begins with its whole prompt, and is counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Protocol

from agentgym.engine import Message
from agentgym.errors import UsageError, boundary
from agentgym.types import Observation

SPLIT = "\ue0f0\ue0f1"
"""Two private-use characters that mark where a control string inside an observation is cut."""
CACHE_TEXTS = 65536
"""Environments repeat their sentences; so many encoded texts are kept."""
SAID = "agentgym said"
"""Stands for an action where only what a template puts around it is asked for."""
PROBE = ("<think>\nfirst\n</think>\n\ngo", " padded \n", "", "<tool_call>x</tool_call>", "go")
"""Actions that a template which rewrites history or trims messages would not leave as they are."""


class Template(Protocol):
    """A tokenizer together with its chat format."""

    end_id: int
    """The id that the chat format itself ends an action with."""
    end_ids: frozenset[int]
    """The ids that end an action when sampled, `end_id` among them."""
    control: tuple[str, ...]
    """The strings that `encode` would turn into control ids."""

    def render(self, messages: Sequence[Message]) -> str:
        """The conversation as text, up to where the assistant begins to speak."""
        ...

    def encode(self, text: str) -> list[int]:
        """Text to ids; control strings become control ids, nothing is added."""
        ...

    def decode(self, ids: Sequence[int]) -> str:
        """Ids to text, control ids included, nothing cleaned up."""
        ...


class Pictures(Protocol):
    """How a model reads pictures: as a run of one token."""

    token: str
    """That token, as a chat template writes it: one for a picture."""
    control_ids: tuple[int, ...]
    """It and those around it, which the model cannot say."""

    def count(self, image: bytes) -> int:
        """How many of it a picture, a PNG file, takes."""
        ...


class ChatTemplate:
    """A Hugging Face tokenizer and the chat template it carries."""

    def __init__(self, tokenizer: Any) -> None:
        """Wrap a tokenizer.

        Raises:
            UsageError: it has no chat template, or nothing that ends an assistant message.
        """
        if not getattr(tokenizer, "chat_template", None):
            raise UsageError(
                f"the tokenizer of '{tokenizer.name_or_path}' has no chat template; "
                "use an instruct model, or save a template with the tokenizer"
            )
        self.tokenizer = tokenizer
        self.control = tuple(
            sorted(set(tokenizer.get_added_vocab()) | set(tokenizer.all_special_tokens))
        )
        eos = tokenizer.eos_token_id
        end_id = self._find_end_id()
        if end_id is None and eos is None:
            raise UsageError(
                f"the chat template of '{tokenizer.name_or_path}' ends an assistant message "
                "without a special token, so generation could not stop"
            )
        self.end_id = int(eos if end_id is None else end_id)
        self.end_ids = frozenset({self.end_id, self.end_id if eos is None else int(eos)})

    def _find_end_id(self) -> int | None:
        """The special token that the template puts right behind an assistant message."""
        talk = [Message(role="user", content="a"), Message(role="assistant", content="SAID")]
        behind = self.render([*talk, Message(role="user", content="b")]).rpartition("SAID")[2]
        special = set(self.tokenizer.all_special_ids)
        return next((token for token in self.encode(behind)[:2] if token in special), None)

    def render(self, messages: Sequence[Message]) -> str:
        """See `Template.render`."""
        dicts = [{"role": m.role, "content": _content(m)} for m in messages]
        with boundary(UsageError, "the model's chat template refuses the conversation"):
            text = self.tokenizer.apply_chat_template(
                dicts, tokenize=False, add_generation_prompt=True
            )
        return str(text)

    def encode(self, text: str) -> list[int]:
        """See `Template.encode`."""
        ids = self.tokenizer.encode(text, add_special_tokens=False)
        return [int(token) for token in ids]

    def decode(self, ids: Sequence[int]) -> str:
        """See `Template.decode`."""
        return str(
            self.tokenizer.decode(
                list(ids), skip_special_tokens=False, clean_up_tokenization_spaces=False
            )
        )


class ByteTemplate:
    """UTF-8 bytes and three control ids: the tokenizer of scripted agents and of people."""

    control: tuple[str, ...] = ("<|user|>", "<|assistant|>", "<|end|>")
    end_id = 258
    end_ids: frozenset[int] = frozenset({258})

    def render(self, messages: Sequence[Message]) -> str:
        """See `Template.render`."""
        user, assistant, end = self.control
        head = {"system": user, "user": user, "assistant": assistant}
        return "".join(f"{head[m.role]}{m.content}{end}" for m in messages) + assistant

    def encode(self, text: str) -> list[int]:
        """See `Template.encode`."""
        for i, control in enumerate(self.control):
            text = text.replace(control, chr(0x10FF00 + i))
        ids: list[int] = []
        for char in text:
            code = ord(char) - 0x10FF00
            if 0 <= code < len(self.control):
                ids.append(256 + code)
            else:
                ids.extend(char.encode("utf-8", "surrogatepass"))
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """See `Template.decode`."""
        parts: list[str] = []
        plain = bytearray()
        for token in ids:
            if token < 256:
                plain.append(token)
                continue
            parts += [plain.decode("utf-8", "replace"), self.control[token - 256]]
            plain.clear()
        return "".join(parts) + plain.decode("utf-8", "replace")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """What a turn adds before the model speaks."""

    segment: int
    new_ids: tuple[int, ...]
    """The unsampled tokens added in this segment; the whole prompt where a segment begins."""
    ids: tuple[int, ...]
    """The whole sequence that the model must see."""
    messages: tuple[Message, ...]
    images: tuple[bytes, ...]
    """The pictures in it."""


class Renderer:
    """How observations become prompts; shared by all episodes of a model.

    Args:
        history: None shows all turns and only ever appends; a number shows the first
            observation and that many last turns, and re-renders the prompt every turn.
        show_choices: print the admissible actions behind each observation.
        pictures: show the observations' pictures, to a model that reads them so.
    """

    def __init__(
        self,
        template: Template,
        *,
        history: int | None = None,
        show_choices: bool = False,
        pictures: Pictures | None = None,
    ) -> None:
        self.template = template
        self.pictures = pictures
        self.history = history
        self.show_choices = show_choices
        self._encode_piece = lru_cache(maxsize=CACHE_TEXTS)(
            lambda text: tuple(template.encode(text))
        )
        encoded = (template.encode(control) for control in template.control)
        self.control_ids = frozenset(ids[0] for ids in encoded if len(ids) == 1)
        """The ids that stand for control strings."""
        self._cached_joint_ids = lru_cache(maxsize=CACHE_TEXTS)(self._joint_ids)
        self.appends = history is None and self._find_appends()
        """Whether a prompt is the last one, the action, and a text that hangs on neither: then
        only that text is rendered. Otherwise every prompt is rendered whole and compared."""

    def _find_appends(self) -> bool:
        talk = [Message(role="system", content="s"), Message(role="user", content="0")]
        text = self.template.render(talk)
        for number, action in enumerate(PROBE, start=1):
            seen = Message(role="user", content=str(number))
            talk += [Message(role="assistant", content=action), seen]
            text += action + self._joint(seen)
        return text == self.template.render(talk)

    def _joint(self, seen: Message) -> str:
        talk = [Message(role="user", content="0"), Message(role="assistant", content=SAID)]
        return self.render([*talk, seen]).partition(SAID)[2]

    def _joint_ids(self, seen: Message, ended: str) -> tuple[int, ...]:
        return self.encode(self._joint(seen).removeprefix(ended))

    def joint_ids(self, seen: Message, ended: str) -> tuple[int, ...]:
        """What comes between an action and the next, where `appends`."""
        # A picture is too large to be kept for a text's sake.
        ids_of = self._joint_ids if seen.images else self._cached_joint_ids
        return ids_of(seen, ended)

    def render(self, messages: Sequence[Message]) -> str:
        """The conversation as text, a picture's token as often as the picture takes it."""
        text = self.template.render(messages)
        images = [image for message in messages for image in message.images]
        if self.pictures is None or not images:
            return text
        token = self.pictures.token
        first, *rest = text.split(token)
        if len(rest) != len(images):
            raise UsageError(
                f"the model's chat template shows {len(rest)} of {len(images)} pictures"
            )
        runs = (token * self.pictures.count(image) for image in images)
        return first + "".join(run + piece for run, piece in zip(runs, rest, strict=True))

    def start(self, system_prompt: str) -> Conversation:
        """A conversation that has not begun."""
        return Conversation(self, system_prompt)

    def user_message(self, observation: Observation) -> Message:
        """The observation as the model reads it, with its picture if the model reads pictures."""
        image = None if self.pictures is None else observation.image
        images = () if image is None else (image,)
        return Message(role="user", content=self.user_text(observation), images=images)

    def user_text(self, observation: Observation) -> str:
        """The observation as the model reads it, control strings cut so that they stay text."""
        text = observation.text
        if self.show_choices and observation.choices is not None:
            text += "\n\nAdmissible actions: " + ", ".join(observation.choices)
        return self.cut_controls(text)

    def cut_controls(self, text: str) -> str:
        """The text with a `SPLIT` inside every control string."""
        # No tokenizer takes lone surrogates, and an environment may echo any string.
        text = text.encode("utf-8", "replace").decode("utf-8").replace(SPLIT, "")
        for control in self.template.control:
            if control in text:
                text = text.replace(control, control[:1] + SPLIT + control[1:])
        return text

    def action_text(self, ids: Sequence[int]) -> str:
        """A sampled action as a template gets it: control strings that the model spelled with
        ordinary tokens are cut like those of an observation, those that it sampled as such stay."""
        template = self.template
        text = template.decode(ids)
        done, start = "", 0
        for i, token in enumerate(ids):
            if token in self.control_ids:
                # Of the whole beginning, as a tokenizer may decode a piece alone differently.
                place, control = len(template.decode(ids[:i])), template.decode(ids[i : i + 1])
                if place >= start and text.startswith(control, place):
                    done += self.cut_controls(text[start:place]) + control
                    start = place + len(control)
        return done + self.cut_controls(text[start:])

    def encode(self, text: str) -> tuple[int, ...]:
        """Rendered text to ids, piece by piece where a `SPLIT` cuts a control string."""
        ids: tuple[int, ...] = ()
        for piece in text.split(SPLIT):
            ids += self._encode_piece(piece)
        return ids


class Conversation:
    """One episode's messages and the exact tokens that the model saw and made."""

    def __init__(self, renderer: Renderer, system_prompt: str) -> None:
        self._renderer = renderer
        self._system = [Message(role="system", content=system_prompt)] if system_prompt else []
        self._talk: list[Message] = []
        self._ids: tuple[int, ...] = ()
        self._text = ""
        self._ended = ""
        self._segment = 0

    def observe(self, observation: Observation) -> Prompt:
        """Add an observation; what the model must see next."""
        seen = self._renderer.user_message(observation)
        self._talk.append(seen)
        window = self._window()
        if self._renderer.appends and len(self._talk) > 1:
            new_ids = self._renderer.joint_ids(seen, self._ended)
            self._ids += new_ids
        else:
            new_ids = self._rerender(window)
        return Prompt(
            segment=self._segment,
            new_ids=new_ids,
            ids=self._ids,
            messages=tuple(_plain(message) for message in (*self._system, *window)),
            images=tuple(image for message in window for image in message.images),
        )

    def _rerender(self, window: Sequence[Message]) -> tuple[int, ...]:
        """Render the whole prompt; append what is new, or begin a segment with all of it."""
        text = self._renderer.render([*self._system, *window])
        added = self._find_added(text)
        new_ids = self._renderer.encode(text if added is None else added)
        if added is None:
            self._segment += len(self._talk) > 1
            self._ids = ()
        self._ids += new_ids
        self._text = text
        return new_ids

    def act(self, action_ids: Sequence[int]) -> str:
        """Add the model's action, as sampled; its text without the end token."""
        ids = tuple(action_ids)
        template = self._renderer.template
        ended = bool(ids) and ids[-1] in template.end_ids
        said = ids[:-1] if ended else ids
        text = template.decode(said)
        self._talk.append(Message(role="assistant", content=self._renderer.action_text(said)))
        self._ids += ids
        self._ended = template.decode(ids[-1:]) if ended else ""
        return text

    def _window(self) -> list[Message]:
        history = self._renderer.history
        if history is None or len(self._talk) <= 1 + 2 * history:
            return self._talk
        return self._talk[:1] + self._talk[len(self._talk) - 2 * history :]

    def _find_added(self, text: str) -> str | None:
        """What `text` adds behind the ids we hold; None where it rewrites what came before."""
        if len(self._talk) == 1 or not text.startswith(self._text):
            return None
        said = self._talk[-2].content
        rest = text[len(self._text) :]
        for form in (said, said.strip()):
            if rest.startswith(form):
                return rest[len(form) :].removeprefix(self._ended)
        return None


def _plain(message: Message) -> Message:
    if SPLIT not in message.content:
        return message
    return replace(message, content=message.content.replace(SPLIT, ""))


def _content(message: Message) -> str | list[dict[str, str]]:
    """A message as a chat template takes it: in parts where it has pictures."""
    if not message.images:
        return message.content
    pictures = [{"type": "image"}] * len(message.images)
    return [*pictures, {"type": "text", "text": message.content}]
