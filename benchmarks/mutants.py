"""Small changes to a source file, each of which a good test notices.

Walks the syntax tree and yields one mutant for each place and operator: flipped and shifted
comparisons, changed constants, swapped arithmetic, `and` for `or`, dropped `not`, `min` for `max`,
dropped checks and calls, swallowed exceptions, forgotten return values, dropped slices, clean-up
calls and orders. Annotations, docstrings and the words of errors are left alone.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator
from typing import NamedTuple


class Mutant(NamedTuple):
    """One change: where, which kind, the line before and after, and the whole source."""

    function: str
    line: int
    kind: str
    before: str
    after: str
    source: str

    @property
    def key(self) -> str:
        """What tells it from the others, whatever the line numbers."""
        return f"{self.function}: {self.before} → {self.after}"


Change = Callable[[ast.AST], None]

SHIFTED = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt}
FLIPPED = {
    ast.Lt: ast.Gt, ast.LtE: ast.GtE, ast.Gt: ast.Lt, ast.GtE: ast.LtE, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
ARITHMETIC = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult,
    ast.FloorDiv: ast.Div, ast.Mod: ast.Mult, ast.Pow: ast.Mult,
    ast.LShift: ast.RShift, ast.RShift: ast.LShift,
}  # fmt: skip
OTHER_CALL = {"min": "max", "max": "min", "any": "all", "all": "any"}
UNORDERED = {"list", "tuple", "sorted"}
CLEANING = {"strip", "lstrip", "rstrip", "lower", "casefold", "sort", "copy"}


def mutants(source: str) -> Iterator[Mutant]:
    """Yield every mutant of a module."""
    tree = ast.parse(source)
    nodes = [*ast.walk(tree)]
    index_of = {id(node): index for index, node in enumerate(nodes)}
    left_alone, places, statements = _left_alone(tree), _functions(tree), _statements(tree)
    for index, node in enumerate(nodes):
        if id(node) in left_alone:
            continue
        for kind, change in _changes(node):
            changed = copy.deepcopy(tree)
            copies = [*ast.walk(changed)]
            statement = statements.get(id(node), tree)
            change(copies[index])
            ast.fix_missing_locations(changed)
            before, after = _first_difference(
                ast.unparse(statement), ast.unparse(copies[index_of[id(statement)]])
            )
            yield Mutant(places.get(id(statement), ""), getattr(statement, "lineno", 0), kind,
                         before.strip(), after.strip(), ast.unparse(changed))  # fmt: skip


def _changes(node: ast.AST) -> Iterator[tuple[str, Change]]:
    match node:
        case ast.Compare():
            for place, op in enumerate(node.ops):
                for kind, table in (("shifted comparison", SHIFTED), ("flipped", FLIPPED)):
                    other = table.get(type(op))
                    if other is not None:
                        yield kind, _set_op(place, other)
            for place, side in enumerate(node.comparators):
                if isinstance(side, ast.Constant) and isinstance(side.value, str) and side.value:
                    yield "changed text", _set_text(place)
        case ast.Constant(value=bool()):
            yield "flipped truth", lambda n: setattr(n, "value", not n.value)  # type: ignore[attr-defined]
        case ast.Constant(value=int() | float()):
            yield "changed constant", lambda n: setattr(n, "value", n.value + 1)  # type: ignore[attr-defined]
        case ast.BinOp() if type(node.op) in ARITHMETIC:
            other_op = ARITHMETIC[type(node.op)]
            yield "swapped arithmetic", lambda n: setattr(n, "op", other_op())
        case ast.BoolOp():
            other_bool = ast.Or if isinstance(node.op, ast.And) else ast.And
            yield "and for or", lambda n: setattr(n, "op", other_bool())
        case ast.UnaryOp(op=ast.Not()):
            yield "dropped not", lambda n: _become(n, n.operand)  # type: ignore[attr-defined]
        case ast.UnaryOp(op=ast.USub()):
            yield "dropped minus", lambda n: _become(n, n.operand)  # type: ignore[attr-defined]
        case ast.If() | ast.IfExp() if not isinstance(node.test, ast.Compare | ast.UnaryOp):
            yield "flipped condition", _negate
        case ast.Call(func=ast.Name(id=name), args=[_, *_]) if name in OTHER_CALL:
            yield "min for max", lambda n: setattr(n.func, "id", OTHER_CALL[name])  # type: ignore[attr-defined]
        case ast.Call(func=ast.Name(id=name), args=[_]) if name in UNORDERED:
            yield "hash order", _unorder
        case ast.Call(func=ast.Attribute(attr=attribute)) if attribute in CLEANING:
            yield "dropped clean-up", lambda n: _become(n, n.func.value)  # type: ignore[attr-defined]
        case ast.Raise():
            yield "dropped check", _pass
        case ast.Expr(value=ast.Call()):
            yield "dropped call", _pass
        case ast.Return(value=value) if value is not None and not _is_none(value):
            yield "forgotten value", lambda n: setattr(n, "value", ast.Constant(None))
        case ast.ExceptHandler():
            yield "swallowed exception", lambda n: setattr(n, "body", [ast.Pass()])
        case ast.Subscript(slice=ast.Slice()) if isinstance(node.ctx, ast.Load):
            yield "dropped slice", lambda n: _become(n, n.value)  # type: ignore[attr-defined]
        case _:
            return


def _set_op(place: int, kind: type[ast.cmpop]) -> Change:
    return lambda n: n.ops.__setitem__(place, kind())  # type: ignore[attr-defined]


def _set_text(place: int) -> Change:
    def change(node: ast.AST) -> None:
        side = node.comparators[place]  # type: ignore[attr-defined]
        side.value += "!"

    return change


def _become(node: ast.AST, other: ast.AST) -> None:
    node.__class__ = other.__class__  # type: ignore[assignment]
    node.__dict__ = other.__dict__


def _negate(node: ast.AST) -> None:
    node.test = ast.UnaryOp(ast.Not(), node.test)  # type: ignore[attr-defined]


def _unorder(node: ast.AST) -> None:
    arguments = node.args  # type: ignore[attr-defined]
    reverse = ast.Call(ast.Name("reversed", ast.Load()),
                       [ast.Call(ast.Name("list", ast.Load()), arguments, [])], [])  # fmt: skip
    name = "list" if node.func.id == "sorted" else node.func.id  # type: ignore[attr-defined]
    _become(node, ast.Call(ast.Name(name, ast.Load()), [reverse], []))


def _pass(node: ast.AST) -> None:
    place = {name: getattr(node, name) for name in ("lineno", "col_offset")}
    node.__class__ = ast.Pass  # type: ignore[assignment]
    node.__dict__ = place


def _is_none(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


# ---------------------------------------------------------------------------------------------
# Where a node stands


def _left_alone(tree: ast.AST) -> set[int]:
    """Return the nodes that are not code: annotations, docstrings, messages, typing."""
    found: set[int] = set()

    def skip(node: ast.AST | None) -> None:
        if node is not None:
            found.update(map(id, ast.walk(node)))

    for node in ast.walk(tree):
        if isinstance(node, ast.AnnAssign | ast.arg):
            skip(node.annotation)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            skip(node.returns)
            for decorator in node.decorator_list:
                skip(decorator)
        if isinstance(node, ast.ClassDef):
            for decorator in node.decorator_list:
                skip(decorator)
        if isinstance(node, ast.Raise):
            for child in ast.iter_child_nodes(node):
                skip(child)
        if isinstance(node, ast.JoinedStr):
            skip(node)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            skip(node)
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in ("__all__",):
            skip(node)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("cast", "Literal"):
            skip(node.args[0])
    return found


def _functions(tree: ast.AST) -> dict[int, str]:
    """Return the name of the function or class around each statement."""
    names: dict[int, str] = {}

    def walk(node: ast.AST, name: str) -> None:
        for child in ast.iter_child_nodes(node):
            own = name
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                own = f"{name}.{child.name}".strip(".")
            names[id(child)] = own
            walk(child, own)

    walk(tree, "")
    return names


def _statements(tree: ast.AST) -> dict[int, ast.AST]:
    """Return the innermost statement around each node, itself for a statement."""
    found: dict[int, ast.AST] = {}

    def walk(node: ast.AST, around: ast.AST) -> None:
        for child in ast.iter_child_nodes(node):
            own = child if isinstance(child, ast.stmt | ast.ExceptHandler) else around
            found.setdefault(id(child), own)
            walk(child, own)

    walk(tree, tree)
    return found


def _first_difference(before: str, after: str) -> tuple[str, str]:
    old, new = before.split("\n"), after.split("\n")
    for a, b in zip(old, new, strict=False):
        if a != b:
            return a, b
    return (old[-1], new[-1]) if len(old) <= len(new) else (old[len(new)], "(nothing)")
