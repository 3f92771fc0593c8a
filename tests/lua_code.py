"""Reads the Lua of our scripts, for the tests that hold its rules: statements, scopes, paths.

It knows the part of Lua 5.1 that the scripts use: `local`, `local function`, assignments, calls,
`if`, `for`, `return`. Expressions stay lists of tokens. Anything else is a `ValueError`, so that
code which cannot be checked does not pass as checked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import msgspec

_TOKEN = re.compile(
    r"""(?P<skip>\s+|--[^\n]*)
      | (?P<string>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')
      | (?P<number>\d+(?:\.\d+)?(?:e\d+)?)
      | (?P<name>[A-Za-z_]\w*)
      | (?P<sign>\.\.\.?|[=~<>]=|[-+*/%^\#<>=(){}\[\];:,.])""",
    re.VERBOSE,
)
_VALUES = {"nil", "true", "false"}
_STATEMENTS = {"local", "if", "for", "return", "end", "else", "elseif", "do", "then", "function"}
_KEYWORDS = {*_STATEMENTS, *_VALUES, "and", "or", "not", "in"}
_UNREAD = {"while", "repeat", "until", "break", "goto", "..."}

GLOBALS = {"redis", "string", "math", "unpack", "ipairs", "tonumber", "type", "KEYS", "ARGV"}
"""What the engine gives, as far as we use it; functions may use neither `KEYS` nor `ARGV`."""

_WRITE = re.compile(r'redis \. p?call \( "(?:HSET|HDEL|DEL|PERSIST|PEXPIREAT|ZREM)"')
_REFUSAL = re.compile(r'\{ "(?!ok")')


class Token(msgspec.Struct, frozen=True):
    """A word of the text, and where it stands."""

    kind: str
    text: str
    at: int


class Statement(msgspec.Struct):
    """A statement of a kind: `local`, `function`, `if`, `for`, `return`, `other`.

    `names` are those that it declares: of a function its own, then its parameters. `tokens` are
    its expressions, `blocks` what is in it. An `if` has a block for each of its conditions, and
    one more if it has an `else`.
    """

    kind: str
    at: int
    names: list[str] = []
    tokens: list[Token] = []
    blocks: list[list[Statement]] = []
    has_else: bool = False

    @property
    def text(self) -> str:
        """The tokens with a space between each two."""
        return " ".join(token.text for token in self.tokens)


def parse(text: str) -> list[Statement]:
    """The statements of a script or an include.

    Raises:
        ValueError: it has something that this parser does not know.
    """
    parser = _Parser(list(_tokens(text)))
    block = parser.block()
    if parser.text:
        raise ValueError(f"{parser.text} is unexpected")
    return block


def _tokens(text: str) -> Iterator[Token]:
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None or match[0] in _UNREAD:
            raise ValueError(f"unknown Lua: {text[at : at + 40]!r}")
        if match.lastgroup != "skip":
            yield Token(str(match.lastgroup), match[0], at)
        at = match.end()


class _Parser:
    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = [*tokens, Token("end", "", -1)]
        self._next = 0

    @property
    def text(self) -> str:
        return self._tokens[self._next].text

    def _take(self, *expected: str) -> Token:
        token = self._tokens[self._next]
        if expected and token.text not in expected:
            raise ValueError(f"{token.text!r} at {token.at} is not {expected}")
        self._next += 1
        return token

    def block(self) -> list[Statement]:
        statements = []
        while self.text not in ("end", "else", "elseif", ""):
            statements.append(self._statement())
        return statements

    def _statement(self) -> Statement:
        at, first = self._tokens[self._next].at, self.text
        if first not in _KEYWORDS:
            tokens = self._expressions()
            if self.text == "=":
                tokens = [*tokens, self._take("="), *self._expressions()]
            return Statement("other", at, tokens=tokens)
        self._take("local", "if", "for", "return")
        if first == "local" and self.text == "function":
            return self._function(at)
        if first == "if":
            return self._if(at)
        if first == "for":
            names, tokens = self._names(), [self._take("=", "in"), *self._expressions()]
            self._take("do")
            return self._closed(Statement("for", at, names, tokens, [self.block()]))
        if first == "return":
            return Statement("return", at, tokens=self._expressions())
        names = self._names()
        has_values = self.text == "="
        return Statement("local", at, names, self._assigned() if has_values else [])

    def _assigned(self) -> list[Token]:
        self._take("=")
        return self._expressions()

    def _closed(self, statement: Statement) -> Statement:
        self._take("end")
        return statement

    def _names(self) -> list[str]:
        names = [self._take().text]
        while self.text == ",":
            self._take()
            names.append(self._take().text)
        return names

    def _function(self, at: int) -> Statement:
        self._take("function")
        name = self._take().text
        self._take("(")
        names = [name, *(self._names() if self.text != ")" else [])]
        self._take(")")
        return self._closed(Statement("function", at, names, blocks=[self.block()]))

    def _if(self, at: int) -> Statement:
        statement = Statement("if", at, tokens=self._expressions())
        self._take("then")
        statement.blocks = [self.block()]
        while self.text == "elseif":
            self._take()
            statement.tokens = [*statement.tokens, *self._expressions()]
            self._take("then")
            statement.blocks.append(self.block())
        if self.text == "else":
            self._take()
            statement.has_else = True
            statement.blocks.append(self.block())
        return self._closed(statement)

    def _expressions(self) -> list[Token]:
        """Values and signs in turn; where two values meet, the next statement begins."""
        tokens: list[Token] = []
        depth, after_value = 0, False
        while self.text:
            token = self._tokens[self._next]
            opens, closes = token.text in ("(", "{", "["), token.text in (")", "}", "]")
            is_value = token.kind in ("name", "string", "number") and token.text not in _KEYWORDS
            if token.text in _STATEMENTS:
                break
            if not depth and (
                token.text == "=" or (after_value and (is_value or token.text in _VALUES))
            ):
                break
            depth += opens - closes
            after_value = is_value or closes or token.text in _VALUES
            tokens.append(self._take())
        return tokens


def used_names(tokens: list[Token]) -> Iterator[str]:
    """The names that expressions use: neither those after a point, nor the keys of a table."""
    open_signs: list[str] = []
    for number, token in enumerate(tokens):
        before = tokens[number - 1].text if number else ""
        after = tokens[number + 1].text if number + 1 < len(tokens) else ""
        if token.text in ("(", "{", "["):
            open_signs.append(token.text)
        elif token.text in (")", "}", "]"):
            open_signs.pop()
        is_key = after == "=" and open_signs[-1:] == ["{"]
        if token.kind == "name" and token.text not in _KEYWORDS and before != "." and not is_key:
            yield token.text


class Scopes:
    """The names that a block uses and does not declare (`free`), and those it declares twice.

    `hidden` has a name that is declared where it is visible already, as in Lua a later `local` or a
    parameter may.
    """

    def __init__(self, block: list[Statement]) -> None:
        self.free: set[str] = set()
        self.hidden: set[str] = set()
        self._walk(block, set())

    def _walk(self, block: list[Statement], visible: set[str]) -> None:
        visible = set(visible)
        for statement in block:
            self.free |= set(used_names(statement.tokens)) - visible
            names = statement.names
            if statement.kind == "function":
                names, inner = names[:1], set(names[1:])
                self.hidden |= (inner & visible) | (set(names) & visible)
                visible |= set(names)
                self._walk(statement.blocks[0], visible | inner)
                continue
            declared = set(names) - {"_"}
            self.hidden |= declared & visible
            if statement.kind == "local":
                visible |= set(names)
            for inside in statement.blocks:
                self._walk(inside, visible | set(names))


class Paths:
    """Whether any path writes before it refuses: scripts do not roll back.

    A refusal is a `return` of a table that begins with a code, or of `refusal`; where a function
    returns what it was given as `refusal`, it only passes it on. A function that writes is a write
    wherever it is called.

    `faults` are the places of refusals that a write may precede, `writing` and `refusing` the names
    of functions. `has_written`: the script itself writes, or a function that it calls.
    """

    def __init__(self, block: list[Statement]) -> None:
        self.writing: set[str] = set()
        self.refusing: set[str] = set()
        self.faults: list[int] = []
        self._given: list[str] = []
        self.has_written = self._has_refused = False
        self._walk(block, False)

    def _walk(self, block: list[Statement], written: bool) -> bool:
        """Whether something may be written where the block ends; False if it always returns."""
        for statement in block:
            if statement.kind == "function":
                self._function(statement)
                continue
            if self._refuses(statement):
                self._has_refused = True
                if written:
                    self.faults.append(statement.at)
            written = self._writes(statement) or written
            if statement.kind == "return":
                return False
            if statement.kind == "for":
                for _ in range(2):  # its second turn follows the writes of its first
                    written = self._walk(statement.blocks[0], written) or written
            if statement.kind == "if":
                ends = [self._walk(inside, written) for inside in statement.blocks]
                written = any(ends) or (written and not statement.has_else)
        return written

    def _function(self, statement: Statement) -> None:
        name, *self._given = statement.names
        outside = self.has_written, self._has_refused
        self.has_written = self._has_refused = False
        self._walk(statement.blocks[0], False)
        if self.has_written:
            self.writing.add(name)
        if self._has_refused:
            self.refusing.add(name)
        self.has_written, self._has_refused = outside
        self._given = []

    def _refuses(self, statement: Statement) -> bool:
        if calls(statement, self.refusing):
            return True
        return statement.kind == "return" and _is_refusal(statement, self._given)

    def _writes(self, statement: Statement) -> bool:
        called = calls(statement, self.writing)
        writes = bool(called) or _WRITE.search(statement.text) is not None
        self.has_written = self.has_written or writes
        return writes


def functions(block: list[Statement]) -> list[Statement]:
    """The functions of an include or a script with its includes."""
    return [statement for statement in block if statement.kind == "function"]


def blocks(block: list[Statement]) -> Iterator[list[Statement]]:
    """A block, and all that are in it."""
    yield block
    for statement in block:
        for inside in statement.blocks:
            yield from blocks(inside)


def calls(statement: Statement, names: set[str]) -> set[str]:
    """Those of the functions that a statement itself calls."""
    return set(used_names(statement.tokens)) & names


def refusals(block: list[Statement], given: Sequence[str] = ()) -> list[int]:
    """Where a block returns a refusal: of its own, or one that a function returned to it."""
    found = []
    for statement in block:
        if statement.kind == "return" and _is_refusal(statement, given):
            found.append(statement.at)
        for inside in statement.blocks:
            names = statement.names[1:] if statement.kind == "function" else given
            found += refusals(inside, names)
    return found


def _is_refusal(statement: Statement, given: Sequence[str]) -> bool:
    is_returned = statement.text == "refusal" and "refusal" not in given
    return is_returned or _REFUSAL.match(statement.text) is not None
