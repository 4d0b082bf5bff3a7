"""ToolEnv: an environment whose typed, documented methods are the tools that a model calls."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import (
    Annotated,
    Any,
    ClassVar,
    Literal,
    NotRequired,
    TypeAlias,
    TypeVar,
    get_type_hints,
)

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from typing_extensions import TypedDict  # typing's, before 3.12, is not enough for pydantic

from agentgym.env import TurnEnv
from agentgym.errors import UsageError, unknown
from agentgym.types import Observation, Parsed

Style: TypeAlias = Literal["hermes", "plain"]
Method = TypeVar("Method", bound="Callable[..., str | Told]")
MARK = "_agentgym_tool"
OPEN, CLOSE = "<tool_call>", "</tool_call>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A tool's answer that is more than text."""

    text: str
    reward: float = 0.0
    over: bool = False
    """Whether the episode ends here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A tool as the model is told of it."""

    name: str
    description: str
    arguments: TypeAdapter[Any]
    """Of a mapping of the method's parameters."""
    text_argument: str | None
    """The one parameter, if it is one and a text: the plain style needs no JSON for it."""

    @property
    def schema(self) -> dict[str, Any]:
        """The JSON schema, in the form that chat templates take."""
        parameters = {
            key: value for key, value in self.arguments.json_schema().items() if key != "title"
        }
        about = {"name": self.name, "description": self.description, "parameters": parameters}
        return {"type": "function", "function": about}


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call in a model's text: a tool and its arguments, or why it is none."""

    name: str = ""
    arguments: Mapping[str, Any] | None = None
    error: str | None = None

    def __str__(self) -> str:
        if self.error is not None:
            return f"error: {self.error}"
        return f"{self.name} {json.dumps(self.arguments, sort_keys=True, default=str)}"


def tool(method: Method) -> Method:
    """Make a method a tool: its docstring describes it, its parameters have types."""
    setattr(method, MARK, True)
    return method


class ToolEnv(TurnEnv):
    """A `TurnEnv` that is acted on by calling its methods marked `tool`.

    A tool gives its answer as text, or as `Told`. What a model can get wrong (no such tool, missing
    or wrong arguments, no JSON) is told to it; only a tool that raises is an error. In the style
    `hermes` a turn may hold several calls, which are made in order until one ends the episode; in
    `plain` it is one call, a name and its arguments.
    """

    style: ClassVar[Style] = "hermes"
    max_calls: ClassVar[int] = 8
    """A turn with more calls is told so, and none is made."""
    _tools: ClassVar[dict[str, Tool]]

    def __init__(self, render_mode: str | None = None) -> None:
        super().__init__(render_mode)
        self.system_prompt = f"{type(self).system_prompt}\n\n{type(self).tool_prompt()}".strip()
        self.over = False
        """Whether a tool ended the episode; `reset` of a subclass sets it to False."""

    @classmethod
    def tools(cls) -> dict[str, Tool]:
        """Name -> tool, in the order of their definition, inherited ones first."""
        if "_tools" not in vars(cls):
            cls._tools = _describe_all(cls)
        return cls._tools

    @classmethod
    def tool_prompt(cls) -> str:
        """What the tools are and how to call them."""
        lines = [json.dumps(each.schema["function"]) for each in cls.tools().values()]
        listed = "\n".join(["<tools>", *lines, "</tools>"])
        if cls.style == "plain":
            how = "Write one call: the tool's name, then its arguments as a JSON object."
            if any(each.text_argument for each in cls.tools().values()):
                how += " A tool with one text argument takes the text as it is: NAME TEXT."
        else:
            form = f'{OPEN}\n{{"name": NAME, "arguments": {{...}}}}\n{CLOSE}'
            how = f"Write each call like this; several in a turn are made in order:\n{form}"
        return f"Tools, one JSON description a line:\n{listed}\n{how}"

    def parse(self, text: str) -> Parsed:
        """The calls, one a line; invalid where there is no good one among them."""
        calls = self.calls(text)
        if not calls:
            return Parsed(invalid="no call")
        if all(call.error is not None for call in calls):
            return Parsed(invalid=calls[0].error)
        return Parsed(action="\n".join(map(str, calls)))

    def calls(self, text: str) -> tuple[Call, ...]:
        """Every call in a text, those that are wrong included. Thoughts are not read."""
        said = text.rpartition("</think>")[2].strip()
        if self.style == "plain":
            return (self._plain(said),) if said else ()
        parts = said.split(OPEN)[1:]
        if len(parts) > self.max_calls:
            return (Call(error=f"{len(parts)} calls in one turn; at most {self.max_calls}"),)
        return tuple(self._hermes(part) for part in parts)

    def step(self, action: str) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Make the calls, and tell what each one answered."""
        if self.over:
            raise UsageError("the episode is over; call reset")
        answers: list[str] = []
        reward = 0.0
        for call in self.calls(action) or (Call(error="no call"),):
            told = self._make(call)
            answers.append(told.text)
            reward += told.reward
            self.over = told.over
            if self.over:
                break
        if self.style == "hermes":
            answers = [f"<tool_response>\n{answer}\n</tool_response>" for answer in answers]
        return Observation(text="\n".join(answers)), reward, self.over, False, {}

    def _make(self, call: Call) -> Told:
        if call.error is not None:
            return Told(text=str(call))
        told = getattr(self, call.name)(**(call.arguments or {}))
        return told if isinstance(told, Told) else Told(text=told)

    def _hermes(self, part: str) -> Call:
        inner, closed, _ = part.partition(CLOSE)
        if not closed:
            return Call(error=f"a call without its {CLOSE}")
        try:
            said = _read_json(inner)
        except ValueError as error:
            return Call(error=f"a call that is no JSON: {error}")
        if not isinstance(said, dict) or not isinstance(said.get("name"), str):
            return Call(error='a call must be {"name": NAME, "arguments": {...}}')
        return self._checked(said["name"], said.get("arguments", {}))

    def _plain(self, command: str) -> Call:
        name = command.split(None, 1)[0]
        rest = command[len(name) :]
        found = self.tools().get(name)
        if found is not None and found.text_argument is not None:
            return self._checked(name, {found.text_argument: rest.strip()})
        try:
            return self._checked(name, _read_json(rest) if rest.strip() else {})
        except ValueError as error:
            return Call(error=f"arguments of '{name}' that are no JSON: {error}")

    def _checked(self, name: str, arguments: Any) -> Call:
        found = self.tools().get(name)
        if found is None:
            return Call(error=str(unknown("tool", name[:100], self.tools())))
        try:
            return Call(name=name, arguments=found.arguments.validate_python(arguments))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(map(str, first["loc"]))[:100]
            return Call(error=f"{name}: {where + ': ' if where else ''}{first['msg']}")


def _read_json(text: str) -> Any:
    """Strict JSON.

    Raises:
        ValueError: it is none, or nested too deeply to read.
    """
    try:
        return json.loads(text, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")


def _describe_all(cls: type[ToolEnv]) -> dict[str, Tool]:
    marked = {
        name: method
        for each in reversed(cls.__mro__)
        for name, method in vars(each).items()
        if getattr(method, MARK, False)
    }
    return {name: _describe(name, method) for name, method in marked.items()}


def _describe(name: str, method: Callable[..., str | Told]) -> Tool:
    text = inspect.getdoc(method)
    if not text:
        raise UsageError(f"tool '{name}' has no docstring; the model is told what it does by it")
    about, _, rest = text.partition("\nArgs:\n")
    details = dict(re.findall(r"^ {4}(\w+): (.*(?:\n {5,}.*)*)", rest, re.MULTILINE))
    types, fields = get_type_hints(method), {}
    parameters = list(inspect.signature(method).parameters.values())[1:]
    for each in parameters:
        if each.name not in types:
            raise UsageError(f"parameter '{each.name}' of tool '{name}' has no type")
        described = Field(description=" ".join(details.get(each.name, "").split()) or None)
        kind: Any = Annotated[types[each.name], described]
        fields[each.name] = kind if each.default is inspect.Parameter.empty else NotRequired[kind]
    make: Any = TypedDict
    arguments = make(name, fields)
    arguments.__pydantic_config__ = ConfigDict(extra="forbid")
    is_text = len(parameters) == 1 and types[parameters[0].name] is str
    return Tool(
        name=name,
        description=" ".join(about.split()),
        arguments=TypeAdapter(arguments),
        text_argument=parameters[0].name if is_text else None,
    )
