"""The Lua files as code: every one loads, says what it does, and keeps the rules of the house."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from ecart import errors
from ecart.operations import (
    AddItem,
    Change,
    PutLines,
    RemoveLine,
)
from ecart.stores.redis import operations as sent_operations
from ecart.stores.redis import scripts
from ecart.stores.redis.deduplication import acquire_lane
from lua_code import (
    GLOBALS,
    Paths,
    Scopes,
    Statement,
    blocks,
    calls,
    functions,
    parse,
    refusals,
)
from operation_examples import EXAMPLES

if TYPE_CHECKING:
    from engines import Engine

FOLDER = Path(str(files("ecart.stores.redis") / "lua"))
SCRIPTS = sorted(path.stem for path in FOLDER.glob("*.lua"))
INCLUDES = sorted(path.stem for path in (FOLDER / "include").glob("*.lua"))
PACKAGES = {
    "": "ecart.stores.redis",
    "doctor": "ecart_server.doctor",
    "index": "ecart_server.cart_index",
    "transfer": "ecart_server.transfer",
}
"""The packages with scripts; those of the server are named `<room>/<script>` here."""
FOLDERS = {room: Path(str(files(package) / "lua")) for room, package in PACKAGES.items()}
NAMES = {
    path: f"{room}/{path.relative_to(folder).with_suffix('')}".lstrip("/")
    for room, folder in FOLDERS.items()
    for path in sorted(folder.rglob("*.lua"))
}
SOURCES = list(NAMES)
CALLED = sorted(name for name in NAMES.values() if not name.startswith("include/"))
"""The scripts of changes, and those that are none: all that is ever sent to an engine."""

# All of them are in Redis 6.2 and take the one key that the script was given.
COMMANDS = {
    *("HMGET", "HGET", "HGETALL", "HKEYS", "HEXISTS", "EXISTS", "TIME", "PTTL"),
    *("HSET", "HDEL", "DEL", "PEXPIREAT", "PERSIST"),
    "ZREM",
    "ZSCORE",
}
SENTENCE = re.compile(r"-- [A-Z][^\n]+\.\n")
CALL = re.compile(r"redis\.p?call\(([^,)]*)(?:, *([\w]+))?")


def source_of(name: str) -> str:
    """The text of a file, without what it includes."""
    return next(path for path, its_name in NAMES.items() if its_name == name).read_text()


def load(name: str) -> scripts.Script:
    room, _, stem = name.rpartition("/")
    return scripts.load_script(stem, PACKAGES[room])


each_script = pytest.mark.parametrize("name", SCRIPTS)
each_called = pytest.mark.parametrize("name", CALLED)
each_include = pytest.mark.parametrize("name", INCLUDES)
each_source = pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)


def all_changes(kind: type[Change] = Change) -> list[type[Change]]:
    return [kind for sub in kind.__subclasses__() for kind in (sub, *all_changes(sub))]


def test_one_file_for_each_operation() -> None:
    """`AddItem` is `add_item.lua`, and no file is left over; what others build on has none."""
    leaves = [kind for kind in all_changes() if not kind.__subclasses__()]

    assert sorted(map(sent_operations.script_name, leaves)) == SCRIPTS


@pytest.mark.parametrize("change", EXAMPLES, ids=lambda change: type(change).__name__)
def test_a_call_names_the_arguments_that_its_script_takes(
    change: Change, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of them, in their order: the engine only counts."""
    monkeypatch.setattr(sent_operations, "_sent", {})
    if isinstance(change, PutLines):
        change = replace(change, lines=())  # which follow the arguments that have names
    call = sent_operations.build_call("k", change, acquire_lane("k"))

    assert call.by_sha[:4] == ("EVALSHA", call.script.sha, 1, "k")
    assert len(call.by_sha[4:]) == len(call.script.arguments)
    assert call.script.name == sent_operations.script_name(type(change))


def test_what_an_operation_says_is_its_own() -> None:
    """It is made once, and neither a copy nor another operation has it."""
    change = AddItem(sku="apple")
    first, again, other = (
        sent_operations.build_call("k", operation, acquire_lane("k")).by_sha
        for operation in (change, change, replace(change, want_cart=True))
    )
    named = sent_operations.load_script("add_item").arguments

    assert first[8:] == again[8:]
    ttl = 4 + named.index("ttl")
    assert first[ttl] is again[ttl]
    assert dict(zip(named, other[4:], strict=True))["want_cart"] == "1"
    assert dict(zip(named, again[4:], strict=True))["want_cart"] == "0"


def test_no_change_is_left_out_of_that() -> None:
    """Each operation that is a change has a call."""
    assert sorted(sent_operations.script_name(type(change)) for change in EXAMPLES) == SCRIPTS


@each_script
def test_a_script_loads_and_compiles(name: str, any_engine: Engine) -> None:
    """On every engine, under the SHA-1 by which it is called."""
    script = load(name)

    with any_engine.connected() as client:
        assert client.script_load(script.text) == script.sha


@pytest.mark.parametrize("number", ["1.9e12", "1764365123456", "2 ^ 53 - 1"])
def test_an_engine_takes_whole_numbers_from_scripts_in_full(
    any_engine: Engine, number: str
) -> None:
    """As `PEXPIREAT` is given them: no exponent, no digit lost."""
    with any_engine.connected() as client:
        text = client.eval(f'return redis.call("ECHO", {number})', 0)

    assert text.decode() == {"1.9e12": "1900000000000", "2 ^ 53 - 1": "9007199254740991"}.get(
        number, number
    )


@pytest.mark.parametrize(
    "micros, millis",
    [("0", "000"), ("9", "000"), ("12", "000"), ("999", "000"), ("1000", "001"), ("12345", "012"),
     ("999999", "999")],
)  # fmt: skip
def test_a_script_counts_in_milliseconds(any_engine: Engine, micros: str, millis: str) -> None:
    """Whatever number of digits the engine's microseconds have."""
    include = (FOLDER / "include" / "read_cart.lua").read_text()
    (line,) = re.findall(r"\n  local now = [^\n]+", include)

    with any_engine.connected() as client:
        found = client.eval(f"local time = ARGV {line} return now", 0, "1764365123", micros)

    assert found == f"1764365123{millis}".encode()


@each_source
def test_a_file_opens_with_a_sentence(path: Path) -> None:
    """The first line says what the script does."""
    assert SENTENCE.match(path.read_text())


@each_script
def test_a_script_names_its_arguments(name: str) -> None:
    """What every change brings comes first, in one order."""
    shared = (
        "record",
        "sequence",
        "digest",
        "epoch",
        "fingerprint",
        "expected",
        "ttl",
        "want_cart",
    )

    assert load(name).arguments[:8] == shared


@each_source
def test_a_file_is_short(path: Path) -> None:
    """Sixty lines are a question that was asked."""
    assert len(path.read_text().splitlines()) <= 60


@each_source
def test_only_known_commands_on_the_one_key(path: Path) -> None:
    """No KEYS, no SCAN, nothing that an engine of 2021 lacks, and no key but the one given."""
    code = re.sub(r"--[^\n]*", "", path.read_text())
    found = CALL.findall(code)
    for command, key in found:
        assert command.strip('"') in COMMANDS
        assert key == "key" or command == '"TIME"' or (command, key) == ('"EXISTS"', "ended")
    assert len(found) == len(re.findall(r"\bredis\b", code))  # none under another name


def included_by(name: str) -> list[str]:
    """The includes that a script names."""
    found = re.findall(r"^-- @include ([\w, ]+)$", source_of(name), re.MULTILINE)
    return [include for line in found for include in line.split(", ")]


def code_of(name: str) -> list[Statement]:
    """A script with its includes, as it is sent."""
    return parse(load(name).text)


@each_called
def test_no_write_before_the_last_check(name: str) -> None:
    """Scripts do not roll back: on each path, functions included, no refusal after a write."""
    paths = Paths(code_of(name))

    assert paths.has_written
    assert not paths.faults


def test_the_functions_that_write_or_refuse_are_known() -> None:
    """The check of the paths knows each function that writes, and each that refuses."""
    writing, refusing = set(), set()
    for name in CALLED:
        paths = Paths(code_of(name))
        writing |= paths.writing
        refusing |= paths.refusing

    assert writing == {
        "delete_fields", "delete_lines", "expire", "refuse_merge", "reply", "write_cart"
    }  # fmt: skip
    assert refusing == {
        "begin_change", "check_cart", "check_merge", "check_record", "count_record",
        "merge_line", "read_cart", "refuse_merge",
    }  # fmt: skip


@each_called
def test_a_refusal_is_returned_at_once(name: str) -> None:
    """It is a value: the statement after a call that may refuse returns it.

    Only a merge records its refusal first, and needs no room for that.
    """
    code = code_of(name)
    refusing = Paths(code).refusing
    left: set[str] = set()
    for block in blocks(code):
        for statement, following in zip(block, [*block[1:], None], strict=True):
            called = calls(statement, refusing)
            names = statement.names or statement.text.split(" ")
            if called and not (names[0] == "refusal" and following and returns_refusal(following)):
                left |= called

    merging = {"check_record", "check_merge", "count_record", "refuse_merge"}
    assert left == (merging if name == "merge_lines" else set())


def returns_refusal(statement: Statement) -> bool:
    """`if refusal then return refusal end`."""
    inside = [(s.kind, s.text) for block in statement.blocks for s in block]
    return (statement.kind, statement.text, inside) == ("if", "refusal", [("return", "refusal")])


@each_script
def test_what_is_written_expires_and_is_recorded(name: str) -> None:
    """Writing a cart ends with setting its expiry, and what is written has the change's record."""
    code = code_of(name)
    for function in functions(code):
        if function.names[0] == "write_cart":
            assert function.blocks[0][-2].text == "expire ( key , now , lifetime )"
    given = [s.text for block in blocks(code) for s in block if calls(s, {"write_cart"})]
    assert all("( key , now , " in text and ", m , s , " in text for text in given)
    source = source_of(name)
    has_record = "{ record, record_text(now, sequence, fingerprint, " in source or (
        '{ record, "" }' in source and "writes[2] = record_text(now, sequence, " in source
    )
    assert has_record == ("write_cart(" in source)


@each_include
def test_an_include_is_functions(name: str) -> None:
    """Nothing else: a script that includes it gets their names and no statement."""
    code = parse((FOLDER / "include" / f"{name}.lua").read_text())

    assert code
    assert functions(code) == code


@each_called
def test_a_function_uses_what_it_is_given(name: str) -> None:
    """Parameters, locals of its own, other functions, and what the engine gives; no `KEYS`."""
    code = code_of(name)

    assert Scopes(functions(code)).free <= GLOBALS - {"KEYS", "ARGV"}
    assert Scopes(code).free <= GLOBALS


@each_called
def test_no_name_hides_another(name: str) -> None:
    """Not in a script, not in its functions, not between the two."""
    assert not Scopes(code_of(name)).hidden


@each_called
def test_what_is_included_is_used(name: str) -> None:
    """Each include gives a function that the script, or a later function of it, calls."""
    text = load(name).text
    for include in included_by(name):
        given = functions(parse((FOLDER / "include" / f"{include}.lua").read_text()))
        assert any(len(re.findall(rf"\b{f.names[0]}\(", text)) >= 2 for f in given), include


@each_source
def test_nothing_that_surprises(path: Path) -> None:
    """No JSON, no globals, no randomness, no text form of a number but `%.0f`, and `%d` of few."""
    source = path.read_text()

    for word in ("cjson", "cmsgpack", "math.random", "loadstring", "_G", "tostring", "os."):
        assert word not in source
    forms = re.findall(r"%[\d.]*[dfgei]\b", re.sub(r"string\.match\([^\n]*", "", source))
    assert set(forms) <= {"%.0f", "%d"}
    # Where a long has 32 bits, %d is exact below 2^31 only: positions, a line, what was compared.
    below_2_31 = ("counters.position)", "line_units)", "< 2 ^ 31 and")
    with_d = [line for line in re.findall(r"string\.format\([^)]*\)", source) if "%d" in line]
    assert all(any(number in line for number in below_2_31) for line in with_d)
    larger = {"%d": "%.0f", "%d|%d|%d|%d|%d": "%d|%.0f|%.0f|%d|%d"}
    for small, large in re.findall(r'< 2 \^ 31 and "([^"]*)" or "([^"]*)"', source):
        assert large == larger[small]


@each_source
def test_an_include_never_includes(path: Path) -> None:
    """Flat: what a script includes is all there is."""
    if path.parent.name == "include":
        assert "@include" not in path.read_text()


def test_every_include_is_included() -> None:
    """None is left over."""
    assert sorted({include for name in CALLED for include in included_by(name)}) == INCLUDES


def test_every_code_is_an_error() -> None:
    """What a script can answer is a code of `ecart.errors`, and the store knows it."""
    codes = {kind.code for kind in vars(errors).values() if isinstance(kind, type)
             and issubclass(kind, errors.EcartError)}  # fmt: skip
    answered = {
        code
        for path in SOURCES
        for code in re.findall(r'\{ "([a-z_]+)"', path.read_text())
        if code != "ok"
    }

    assert answered <= codes
    assert answered >= {"corrupt_cart", "line_not_found", "version_conflict", "stale_operation"}


@pytest.fixture
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of scripts in the place of the package's."""
    for path in SOURCES:
        target = tmp_path / f"{NAMES[path]}.lua"
        target.parent.mkdir(exist_ok=True)
        target.write_text(path.read_text())
    rooms = {package: room for room, package in PACKAGES.items()}
    monkeypatch.setattr(
        scripts,
        "_read",
        lambda name, package: (tmp_path / rooms[package] / f"{name}.lua").read_text(),
    )
    return tmp_path


def test_a_signature_that_differs_fails(planted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A script and its caller that disagree are found before anything is sent."""
    path = planted / "remove_line.lua"
    path.write_text(path.read_text().replace("want_cart, line = ", "want_cart, lines = ", 1))

    monkeypatch.setattr(sent_operations, "_sent", {})
    with pytest.raises(ValueError, match=r"remove_line\.lua takes"):
        sent_operations.build_call("k", RemoveLine(line_id="apple"), acquire_lane("k"))


@pytest.mark.parametrize(
    "old, new",
    [
        ("-- Takes", "Takes"),
        ("KEYS[1]", "unpack(KEYS)"),
        ("unpack(ARGV)", "ARGV[1]"),
        ("\n", "\n\n"),
        ("\n\n", "\n"),
        ("\n\n", "\nlocal hidden = 1\n\n"),
    ],
)
def test_a_script_without_signature_fails(planted: Path, old: str, new: str) -> None:
    """The sentence, the includes and both statements must be there, in their lines."""
    path = planted / "remove_line.lua"
    path.write_text(path.read_text().replace(old, new, 1))

    with pytest.raises(ValueError, match=r"remove_line\.lua does not begin with"):
        scripts.load_script("remove_line")


def test_a_wrong_count_of_arguments_fails(planted: Path) -> None:
    """A script with a tail says how many arguments come before it."""
    path = planted / "put_lines.lua"
    path.write_text(path.read_text().replace("unpack(ARGV, 1, 13)", "unpack(ARGV, 1, 11)"))

    with pytest.raises(ValueError, match="unpacks 11 arguments into 13 names"):
        scripts.load_script("put_lines")


def test_an_include_that_includes_fails(planted: Path) -> None:
    """Found when it is loaded."""
    path = planted / "include" / "check_change.lua"
    path.write_text("-- @include add_amount\n" + path.read_text())

    with pytest.raises(ValueError, match=r"check_change\.lua is an include and may not include"):
        scripts.load_script("remove_line")


WRITE = 'redis.call("HSET", key, "planted", "1") '


def refusal_points() -> list[tuple[str, int]]:
    """Each place in each file where something is refused, by its position in the text."""
    return [
        (f"{NAMES[path]}.lua", at)
        for path in sorted(SOURCES)
        for at in refusals(parse(path.read_text()))
    ]


def function_starts(*, refusing: bool) -> list[tuple[str, int]]:
    """Where the functions begin, those that return a refusal or those that do not."""
    return [
        (f"include/{name}.lua", function.blocks[0][0].at)
        for name in INCLUDES
        for function in functions(parse((FOLDER / "include" / f"{name}.lua").read_text()))
        if bool(refusals([function])) == refusing
    ]


def plant(planted: Path, file: str, at: int, fault: str) -> list[str]:
    """Puts a text into a file. The names of the scripts that have it now."""
    text = (planted / file).read_text()
    (planted / file).write_text(text[:at] + fault + text[at:])
    name = Path(file).stem
    if file.startswith("include/"):
        return [script for script in CALLED if name in included_by(script)]
    return [file.removesuffix(".lua")]


@pytest.mark.parametrize("file, at", refusal_points())
def test_a_write_in_front_of_a_refusal_is_found(planted: Path, file: str, at: int) -> None:
    """The check of the paths is checked: at each refusal of each file, in each script with it."""
    for name in plant(planted, file, at, WRITE):
        assert Paths(code_of(name)).faults, name


@pytest.mark.parametrize("file, at", function_starts(refusing=False))
def test_a_refusal_after_a_write_is_found(planted: Path, file: str, at: int) -> None:
    """In the functions that refuse nothing."""
    fault = WRITE + 'if key then return { "cart_locked" } end '
    for name in plant(planted, file, at, fault):
        assert Paths(code_of(name)).faults, name


@pytest.mark.parametrize("name", [*SCRIPTS, "transfer/import_cart"])
def test_a_check_below_a_write_is_found(planted: Path, name: str) -> None:
    """A refusal in place of each script's last statement, which comes after what it writes."""
    last = parse(source_of(name))[-1]
    plant(planted, f"{name}.lua", last.at, 'if v then return { "cart_locked" } end ')

    assert Paths(code_of(name)).faults


@pytest.mark.parametrize("stolen", ["is_repeat", "ARGV"])
@pytest.mark.parametrize(
    "file, at", [*function_starts(refusing=False), *function_starts(refusing=True)]
)
def test_a_name_of_the_caller_is_found(planted: Path, file: str, at: int, stolen: str) -> None:
    """In each function: it would be no parameter, and an error where nothing has such a name."""
    for name in plant(planted, file, at, f"local planted = {stolen} "):
        used = Scopes(functions(code_of(name))).free
        assert used - GLOBALS or used & {"KEYS", "ARGV"}, name


@each_called
def test_a_name_that_hides_another_is_found(planted: Path, name: str) -> None:
    """A second `local key` in each script, in a block of its own."""
    last = parse(source_of(name))[-1]
    plant(planted, f"{name}.lua", last.at, "if key then local key = 1 end ")

    assert Scopes(code_of(name)).hidden == {"key"}


@pytest.mark.parametrize("text", ["while x do end", "a = function() end", "x = 1 ? 2", "do end"])
def test_lua_that_cannot_be_read_is_no_pass(text: str) -> None:
    """What the parser does not know fails."""
    with pytest.raises(ValueError, match=r"."):
        parse(text)
