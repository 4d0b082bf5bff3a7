"""Operators: the small bugs that people make, put into a source text at one place.

An operator finds places in a syntax tree and says which text takes the place of which; all else in
the file stays as it is, to the byte.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from agentgym.envs.swe.problem import Edit

Span = tuple[int, int]
"""From where to where, in bytes."""
Found = tuple[Span, str]
"""A place, and what takes its place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """A bug at one place."""

    operator: str
    function: str
    """Where it is: the dotted name of the function or class around it."""
    edit: Edit


class Source:
    """A source text and its tree."""

    def __init__(self, text: str) -> None:
        self.text, self.tree = text, ast.parse(text)
        self._starts = [0]
        for line in text.encode().splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))
        self._bytes = text.encode()

    def span(self, node: ast.AST) -> Span:
        """Where a node is, without the brackets around it."""
        place = (node.lineno, node.col_offset, node.end_lineno, node.end_col_offset)  # type: ignore[attr-defined]
        line, column, end_line, end_column = place
        return self._starts[line - 1] + column, self._starts[end_line - 1] + end_column

    def of(self, node: ast.AST) -> str:
        """The text of a node."""
        begin, end = self.span(node)
        return self._bytes[begin:end].decode()

    def between(self, left: ast.AST, right: ast.AST) -> tuple[Span, str]:
        """What is between two nodes: brackets, and the sign that joins them."""
        begin, end = self.span(left)[1], self.span(right)[0]
        return (begin, end), self._bytes[begin:end].decode()

    def edit(self, path: str, place: Span, new: str) -> Edit | None:
        """A place replaced, told by as many whole lines as make it the only one."""
        begin, end = place
        first = self._bytes.rfind(b"\n", 0, begin) + 1
        last = self._bytes.find(b"\n", end) + 1 or len(self._bytes)
        while True:
            old = self._bytes[first:last]
            if self._bytes.count(old) == 1:
                changed = self._bytes[first:begin] + new.encode() + self._bytes[end:last]
                found = Edit(path=path, old=old.decode(), new=changed.decode())
                # The reverse patch must find its place as well.
                is_one = found.apply(self.text).count(found.new) == 1
                return found if is_one and found.old != found.new else None
            if first == 0 and last == len(self._bytes):
                return None
            first = self._bytes.rfind(b"\n", 0, max(first - 1, 0)) + 1
            last = self._bytes.find(b"\n", last) + 1 or len(self._bytes)


COMPARED = {
    ast.Lt: "<=", ast.LtE: "<", ast.Gt: ">=", ast.GtE: ">", ast.Eq: "!=", ast.NotEq: "==",
    ast.In: "not in", ast.NotIn: "in", ast.Is: "is not", ast.IsNot: "is",
}  # fmt: skip
RECKONED = {ast.Add: "-", ast.Sub: "+", ast.Mult: "//", ast.FloorDiv: "*", ast.Mod: "//"}
SIGN = re.compile(r"(?:not\s+in|is\s+not|in|is|[<>=!]=|[<>]|//|[-+*%])")


def flip_comparison(source: Source, node: ast.AST) -> Iterator[Found]:
    """`<` for `<=`, `==` for `!=`, `in` for `not in`."""
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in COMPARED:
        place, text = source.between(node.left, node.comparators[0])
        yield place, SIGN.sub(COMPARED[type(node.ops[0])], text, count=1)


def off_by_one(source: Source, node: ast.AST) -> Iterator[Found]:
    """A whole number one larger."""
    if isinstance(node, ast.Constant) and type(node.value) is int and abs(node.value) < 1000:
        yield source.span(node), str(node.value + 1)


def swap_and_or(source: Source, node: ast.AST) -> Iterator[Found]:
    """`and` for `or`."""
    if isinstance(node, ast.BoolOp) and len(node.values) == 2:
        word = "or" if isinstance(node.op, ast.And) else "and"
        place, text = source.between(*node.values)
        yield place, re.sub(r"\b(and|or)\b", word, text, count=1)


def drop_not(source: Source, node: ast.AST) -> Iterator[Found]:
    """A condition without its `not`."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield (source.span(node)[0], source.span(node.operand)[0]), ""


def swap_arithmetic(source: Source, node: ast.AST) -> Iterator[Found]:
    """`+` for `-`, `*` for `//`; not where a text is put together."""
    if isinstance(node, ast.BinOp) and type(node.op) in RECKONED:
        sides = (node.left, node.right)
        texts = (ast.JoinedStr, ast.Constant)
        if isinstance(node.op, (ast.Add, ast.Mod)) and any(
            isinstance(each, texts) and not is_number(each) for each in sides
        ):
            return
        place, text = source.between(*sides)
        yield place, SIGN.sub(RECKONED[type(node.op)], text, count=1)


def is_number(node: ast.AST) -> bool:
    """Whether a constant is a number."""
    return isinstance(node, ast.Constant) and isinstance(node.value, (int, float))


def negate_condition(source: Source, node: ast.AST) -> Iterator[Found]:
    """A condition turned round."""
    if isinstance(node, (ast.If, ast.While)):
        if not isinstance(node.test, (ast.UnaryOp, ast.Compare)):
            yield source.span(node.test), f"not ({source.of(node.test)})"


def drop_branch(source: Source, node: ast.AST) -> Iterator[Found]:
    """A condition that never holds."""
    if isinstance(node, ast.If) and not isinstance(node.test, ast.Constant):
        yield source.span(node.test), "False"


def swap_arguments(source: Source, node: ast.AST) -> Iterator[Found]:
    """The first two arguments of a call in each other's place."""
    if isinstance(node, ast.Call) and len(node.args) >= 2:
        first, second = node.args[:2]
        texts = source.of(first), source.of(second)
        if texts[0] != texts[1] and not isinstance(second, ast.Starred):
            place = source.span(first)[0], source.span(second)[1]
            yield place, f"{texts[1]}{source.between(first, second)[1]}{texts[0]}"


def change_default(source: Source, node: ast.AST) -> Iterator[Found]:
    """Another value where none is given."""
    others = {"True": "False", "False": "True", "None": "0", "''": "' '", '""': '" "'}
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        for default in (*node.args.defaults, *filter(None, node.args.kw_defaults)):
            text = source.of(default)
            if text in others or text.isdecimal():
                yield source.span(default), others.get(text) or str(int(text) + 1)


def drop_raise(source: Source, node: ast.AST) -> Iterator[Found]:
    """An error that is not raised."""
    if isinstance(node, ast.Raise):
        yield source.span(node), "pass"


def return_nothing(source: Source, node: ast.AST) -> Iterator[Found]:
    """A result that is forgotten."""
    if isinstance(node, ast.Return) and node.value is not None:
        yield source.span(node), "return None"


def flip_truth(source: Source, node: ast.AST) -> Iterator[Found]:
    """`True` for `False`."""
    if isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield source.span(node), str(not node.value)


def leave_loop(source: Source, node: ast.AST) -> Iterator[Found]:
    """`break` for `continue`."""
    if isinstance(node, (ast.Break, ast.Continue)):
        yield source.span(node), "continue" if isinstance(node, ast.Break) else "break"


def drop_statement(source: Source, node: ast.AST) -> Iterator[Found]:
    """A call or a change of a variable that is forgotten."""
    is_call = isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    if is_call or isinstance(node, ast.AugAssign):
        yield source.span(node), "pass"


def swap_choice(source: Source, node: ast.AST) -> Iterator[Found]:
    """The two values of `a if condition else b` in each other's place."""
    if isinstance(node, ast.IfExp):
        body, test, other = map(source.of, (node.body, node.test, node.orelse))
        yield source.span(node), f"({other}) if ({test}) else ({body})"


OPERATORS: Mapping[str, Callable[[Source, ast.AST], Iterator[Found]]] = {
    each.__name__: each
    for each in (
        flip_comparison, off_by_one, swap_and_or, drop_not, swap_arithmetic, negate_condition,
        drop_branch, swap_arguments, change_default, drop_raise, return_nothing, flip_truth,
        leave_loop, drop_statement, swap_choice,
    )
}  # fmt: skip


def find_mutants(path: str, text: str) -> Iterator[Mutant]:
    """Every bug that the operators can put into a source text, in the order of the text.

    Only what is in a function or a class counts, and no annotation does; a mutant that cannot be
    compiled is none.
    """
    source = Source(text)
    for function, node in _walk(source.tree, ""):
        for name, operator in OPERATORS.items():
            for place, new in operator(source, node):
                edit = source.edit(path, place, new)
                if edit is not None and _compiles(edit.apply(text)):
                    yield Mutant(operator=name, function=function, edit=edit)


def _walk(node: ast.AST, function: str) -> Iterator[tuple[str, ast.AST]]:
    """The nodes inside functions and classes, each with the name of the innermost one."""
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns", "decorator_list"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if not isinstance(child, ast.AST):
                continue
            inner = function
            if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                inner = f"{function}.{child.name}".lstrip(".")
            if inner and not isinstance(child, ast.ClassDef) and hasattr(child, "lineno"):
                yield inner, child
            yield from _walk(child, inner)


def _compiles(text: str) -> bool:
    try:
        compile(text, "mutant", "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return False
    return True
