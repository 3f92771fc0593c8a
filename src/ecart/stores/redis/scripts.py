"""Loads the Lua files of the package: one script per change, with the functions that it includes.

A script's first line says what it does, the next lists its includes, and then come the two lines of
its signature. The signature is parsed here, so that a caller who names other arguments fails before
anything is sent. Includes stand above the signature, where no name of the script is visible yet.
"""

from __future__ import annotations

import hashlib
import re
from functools import cache
from pkgutil import get_data

import msgspec

PACKAGE = "ecart.stores.redis"

_INCLUDES = re.compile(r"^-- @include (\w+(?:, \w+)*)\n", re.MULTILINE)
_SIGNATURE = re.compile(
    r"\A-- [^\n]+\n(?:-- @include [^\n]+\n\n)?"
    r"local key = KEYS\[1\]\nlocal ([\w, ]+) = unpack\(ARGV(?:, 1, (\d+))?\)\n"
)


class Script(msgspec.Struct, frozen=True):
    """A script as the engine knows it: its text, the SHA-1 that names it, its arguments."""

    name: str
    text: str
    sha: str
    arguments: tuple[str, ...]


def load_script(name: str, package: str = PACKAGE) -> Script:
    """Reads a script from the `lua` folder of a package; its includes are the library's.

    Raises:
        ValueError: the file does not begin with a sentence and its signature.
    """
    source = _read(name, package)
    signature = _SIGNATURE.match(source)
    if signature is None:
        raise ValueError(f"{name}.lua does not begin with a sentence and its signature")
    arguments = tuple(signature[1].split(", "))
    if signature[2] and int(signature[2]) != len(arguments):
        raise ValueError(f"{name}.lua unpacks {signature[2]} arguments into {len(arguments)} names")
    text = _INCLUDES.sub(lambda found: "".join(map(_included, found[1].split(", "))), source)
    sha = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
    return Script(name, text, sha, arguments)


def _included(name: str) -> str:
    text = _read(f"include/{name}", PACKAGE)
    if _INCLUDES.search(text):
        raise ValueError(f"{name}.lua is an include and may not include")
    return text


@cache
def _read(name: str, package: str) -> str:
    # As importlib.resources does, which nothing else here would have to import.
    data = get_data(package, f"lua/{name}.lua")
    assert data is not None
    return data.decode()
