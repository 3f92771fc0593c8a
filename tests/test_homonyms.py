"""A public name means one thing: no two modules define the same one."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
PACKAGES = ("src/ecart", "server/src/ecart_server")

INTENDED = {
    "Cart": "the handle, and the one with E-Cart 1.0's names",
    "CartEndpoint": "one for ASGI, one for WSGI",
    "Command": "Django looks for a management command by this name",
    "ECart": "what an app of each framework is given",
    "cart_from": "the same in every integration",
    "main": "of `python -m ecart`, and of the `ecart` command that it runs",
    "sign_in": "the same in every integration, over the flow",
    "sign_out": "the same in every integration",
}
"""Names with more than one home, and why."""

FREE = {"Offer", "Tax", "Fee", "Terms", "Rounding"}
"""Words of pricing, which nothing else may take."""


def public_names(module: Path) -> Iterator[str]:
    for node in ast.parse(module.read_text()).body:
        names: list[ast.expr | str] = []
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                names = [node.name]
            case ast.Assign():
                names = [t.id for t in node.targets if isinstance(t, ast.Name)]
            case ast.AnnAssign(target=ast.Name(id=name)):
                names = [name]
        yield from (str(name) for name in names if not str(name).startswith("_"))


def homes() -> dict[str, set[str]]:
    found: defaultdict[str, set[str]] = defaultdict(set)
    for package in PACKAGES:
        for module in (ROOT / package).rglob("*.py"):
            for name in public_names(module):
                found[name].add(str(module.relative_to(ROOT)))
    return found


def test_no_public_name_is_defined_twice() -> None:
    """Beside those that are meant to be, each of which is."""
    several = {name: modules for name, modules in homes().items() if len(modules) > 1}

    assert {name: several[name] for name in several if name not in INTENDED} == {}
    assert set(INTENDED) <= set(several)


def test_words_of_pricing_are_free() -> None:
    assert FREE.isdisjoint(homes())
