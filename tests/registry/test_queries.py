"""The SQL files and the modules beside them belong together, name by name."""

import ast
import re
from pathlib import Path

import pytest

import registry.queries
from registry import migrate
from registry.queries import load_queries

PACKAGE = Path(registry.queries.__file__).parent
ROOMS = sorted(path.stem for path in (PACKAGE / "sql").glob("*.sql"))


def test_there_are_rooms() -> None:
    assert ROOMS


@pytest.mark.parametrize("room", ROOMS)
def test_names_are_unique_and_every_one_is_loaded(room: str) -> None:
    names = _names(room)
    assert len(names) == len(set(names))
    assert list(load_queries(room)) == names


@pytest.mark.parametrize("room", ROOMS)
def test_every_name_line_is_written_so_that_it_is_found(room: str) -> None:
    mentions = re.findall(r"(?i)--\s*name\s*:", _text(room))
    assert len(mentions) == len(_names(room))


@pytest.mark.parametrize("room", ROOMS)
def test_no_query_is_empty_or_ends_in_a_semicolon(room: str) -> None:
    for name, query in load_queries(room).items():
        statement = "\n".join(line for line in query.as_string(None).splitlines() if not line.startswith("--"))
        assert statement.strip(), name
        assert not statement.strip().endswith(";"), name


@pytest.mark.parametrize("room", ROOMS)
def test_every_query_is_used_by_its_module(room: str) -> None:
    used = _asked_for(_module(room))
    assert [name for name in _names(room) if not any(pattern.fullmatch(name) for pattern in used)] == []


@pytest.mark.parametrize("room", ROOMS)
def test_every_query_that_a_module_asks_for_is_there(room: str) -> None:
    names = _names(room)
    for key in _keys(ast.parse(_module(room).read_text(encoding="utf-8"))):
        assert any(re.fullmatch(_pattern(key), name) for name in names), ast.unparse(key)


def test_every_advisory_lock_has_a_number_of_its_own() -> None:
    texts = [_text(room) for room in ROOMS]
    taken = [int(number) for text in texts for number in re.findall(r"pg_advisory_xact_lock\((\d+)\)", text)]
    taken.append(migrate._LOCK)
    assert len(taken) > 3
    assert len(set(taken)) == len(taken)


def _module(room: str) -> Path:
    """The one module that loads a room's queries."""
    (module,) = [
        path for path in PACKAGE.rglob("*.py") if f'load_queries("{room}")' in path.read_text(encoding="utf-8")
    ]
    return module


def _text(room: str) -> str:
    return (PACKAGE / "sql" / f"{room}.sql").read_text(encoding="utf-8")


def _names(room: str) -> list[str]:
    return re.findall(r"^-- name: (\w+)$", _text(room), re.MULTILINE)


def _asked_for(module: Path) -> list[re.Pattern[str]]:
    """Names of queries that a module could ask for: its text constants, and the keys it puts together."""
    tree = ast.parse(module.read_text(encoding="utf-8"))
    constants = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return [re.compile(_pattern(key)) for key in [*constants, *_keys(tree)] if not isinstance(key, ast.Name)]


def _keys(tree: ast.Module) -> list[ast.expr]:
    """What `_SQL[…]`, `self.query(…)` and `vectors.query(…, _SQL)` are asked for."""
    subscripts = [
        node.slice
        for node in ast.walk(tree)
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id == "_SQL"
    ]
    calls = [
        node.args[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "query"
        if len(node.args) == 2 or ast.unparse(node.func.value) == "self"
    ]
    return [branch for key in subscripts + calls for branch in _branches(key)]


def _branches(key: ast.expr) -> list[ast.expr]:
    return [key.body, key.orelse] if isinstance(key, ast.IfExp) else [key]


def _pattern(key: ast.expr) -> str:
    if isinstance(key, ast.Constant):
        return re.escape(str(key.value))
    if isinstance(key, ast.JoinedStr):
        return "".join(_pattern(part) for part in key.values)
    return r"\w+"
