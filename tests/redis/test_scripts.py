"""The Lua files as code: every one loads, says what it does, and keeps the rules of the house."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from ecart import errors
from ecart.model import Merge
from ecart.operations import (
    AddItem,
    BeginCheckout,
    BeginMerge,
    Change,
    Clear,
    CompleteCheckout,
    Destroy,
    EndMerge,
    MergeLines,
    Prolong,
    Purge,
    PutLines,
    ReleaseCheckout,
    RemoveLine,
    SetQuantity,
    SetTtl,
)
from ecart.stores.redis import operations as sent_operations
from ecart.stores.redis import scripts
from ecart.stores.redis.deduplication import acquire_lane

if TYPE_CHECKING:
    from engines import Engine

FOLDER = Path(str(files("ecart.stores.redis") / "lua"))
SCRIPTS = sorted(path.stem for path in FOLDER.glob("*.lua"))
INCLUDES = sorted(path.stem for path in (FOLDER / "include").glob("*.lua"))
SOURCES = [*FOLDER.glob("*.lua"), *FOLDER.glob("*/*.lua")]

# All of them are in Redis 6.2 and take the one key that the script was given.
COMMANDS = {
    *("HMGET", "HGET", "HGETALL", "HKEYS", "HEXISTS", "EXISTS", "TIME", "PTTL"),
    *("HSET", "HDEL", "DEL", "PEXPIREAT", "PERSIST"),
    "ZREM",
    "ZSCORE",
}
SENTENCE = re.compile(r"-- [A-Z][^\n]+\.\n")
WRITING = ("commit", "refuse_merge")
WRITES = re.compile(
    rf'redis\.p?call\("(?:HSET|HDEL|DEL|PERSIST|PEXPIREAT)"|@include (?:{"|".join(WRITING)})\b'
)
REFUSALS = re.compile(
    r'return \{ "|verdict = \{|@include (?:read_cart|judge|make_room|weigh_line)\b'
)
LOCAL = r"local ([\w, ]+?)(?: =|$)"
CALL = re.compile(r"redis\.p?call\(([^,)]*)(?:, *([\w]+))?")

each_script = pytest.mark.parametrize("name", SCRIPTS)
each_source = pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)


def all_changes(kind: type[Change] = Change) -> list[type[Change]]:
    return [kind for sub in kind.__subclasses__() for kind in (sub, *all_changes(sub))]


def test_one_file_for_each_operation() -> None:
    """`AddItem` is `add_item.lua`, and no file is left over; what others build on has none."""
    leaves = [kind for kind in all_changes() if not kind.__subclasses__()]

    assert sorted(map(sent_operations.script_name, leaves)) == SCRIPTS


MERGE = Merge("m" * 16, "sum", "target")
EACH_CHANGE = [
    AddItem(sku="apple"),
    SetQuantity(line_id="apple", quantity=2),
    RemoveLine(line_id="apple"),
    PutLines(lines=(), currency="USD"),
    BeginCheckout(checkout_id="c" * 16, hold_ms=1000),
    CompleteCheckout(checkout_id="c" * 16, order_id="o"),
    ReleaseCheckout(checkout_id="c" * 16),
    BeginMerge(merge=MERGE),
    MergeLines(merge_id="m" * 16, epoch="", policy="sum", lines=(), currency="USD"),
    EndMerge(merge_id="m" * 16, is_merged=True),
    Clear(),
    Destroy(),
    SetTtl(ttl_ms=1000),
    Prolong(early_ms=1000),
    Purge(epoch="e" * 16),
]


@pytest.mark.parametrize("change", EACH_CHANGE, ids=lambda change: type(change).__name__)
def test_a_call_names_the_arguments_that_its_script_takes(
    change: Change, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of them, in their order: the engine only counts."""
    monkeypatch.setattr(sent_operations, "_sent", {})
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
    assert sorted(sent_operations.script_name(type(change)) for change in EACH_CHANGE) == SCRIPTS


@each_script
def test_a_script_loads_and_compiles(name: str, any_engine: Engine) -> None:
    """On every engine, under the SHA-1 by which it is called."""
    script = scripts.load_script(name)

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
    (line,) = re.findall(r"\nlocal now = [^\n]+", include)

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

    assert scripts.load_script(name).arguments[:8] == shared


@each_source
def test_a_file_is_short(path: Path) -> None:
    """Sixty lines are a question that was asked."""
    assert len(path.read_text().splitlines()) <= 60


@each_source
def test_only_known_commands_on_the_one_key(path: Path) -> None:
    """No KEYS, no SCAN, nothing that an engine of 2021 lacks, and no key but the one given."""
    for command, key in CALL.findall(path.read_text()):
        assert command.strip('"') in COMMANDS
        assert key == "key" or command == '"TIME"'


@each_script
def test_no_write_before_the_last_check(name: str) -> None:
    """Scripts do not roll back: in each branch, what may refuse stands above what writes."""
    source = (FOLDER / f"{name}.lua").read_text()
    branches = re.split(r"\n(?=else)", source)

    assert any(WRITES.search(branch) for branch in branches)
    for branch in branches:
        first_write = WRITES.search(branch)
        assert first_write is None or REFUSALS.search(branch, first_write.start()) is None


def test_what_writes_does_not_refuse() -> None:
    """Nor do the includes that write, but for the answer, which comes last."""
    for name in INCLUDES:
        source = (FOLDER / "include" / f"{name}.lua").read_text()
        first_write = WRITES.search(source)
        assert (first_write is None) == (name not in (*WRITING, "answer"))
        assert first_write is None or REFUSALS.search(source, first_write.start()) is None


@each_source
def test_no_name_hides_another(path: Path) -> None:
    """Includes are put in place: what one of them calls something, nothing beside it calls so."""
    source = path.read_text()
    names = [
        name
        for said in re.findall(rf"^ *{LOCAL}", source, re.MULTILINE)
        for name in said.split(", ")
    ]
    for included in dict.fromkeys(re.findall(r"@include (\w+)", source)):
        text = (FOLDER / "include" / f"{included}.lua").read_text()
        theirs = [
            n for said in re.findall(rf"^{LOCAL}", text, re.MULTILINE) for n in said.split(", ")
        ]

        assert not set(theirs) & set(names), included
        names += theirs


@each_source
def test_nothing_that_surprises(path: Path) -> None:
    """No JSON, no globals, no randomness, no text form of a number but `%.0f`, and `%d` of few."""
    source = path.read_text()

    for word in ("cjson", "cmsgpack", "math.random", "loadstring", "_G", "tostring", "os."):
        assert word not in source
    forms = re.findall(r"%[\d.]*[dfgei]\b", re.sub(r"string\.match\([^\n]*", "", source))
    assert set(forms) <= {"%.0f", "%d"}
    # Where a long has 32 bits, %d is exact below 2^31 only: positions, a line, what was compared.
    below_2_31 = ("last_position)", "line_units)", "< 2 ^ 31 and")
    with_d = [line for line in re.findall(r"string\.format\([^)]*\)", source) if "%d" in line]
    assert all(any(number in line for number in below_2_31) for line in with_d)


@each_source
def test_an_include_never_includes(path: Path) -> None:
    """Flat: what a script includes is all there is."""
    if path.parent.name == "include":
        assert "@include" not in path.read_text()


@each_script
def test_a_script_makes_no_function(name: str) -> None:
    """Each change would make it anew, and pay for that and for the call (decision 41)."""
    text = scripts.load_script(name).text

    assert "@include" not in text
    assert "function" not in re.sub(r"--[^\n]*", "", text)


def test_every_include_is_included() -> None:
    """None is left over."""
    included = {
        name for path in SOURCES for name in re.findall(r"@include (\w+)", path.read_text())
    }

    assert sorted(included) == INCLUDES


def test_every_code_is_an_error() -> None:
    """What a script can answer is a code of `ecart.errors`, and the store knows it."""
    codes = {kind.code for kind in vars(errors).values() if isinstance(kind, type)
             and issubclass(kind, errors.EcartError)}  # fmt: skip
    answered = {
        code
        for path in SOURCES
        for code in re.findall(r'(?:return|verdict =|and) \{ "([a-z_]+)"', path.read_text())
        if code != "ok"
    }

    assert answered <= codes
    assert answered >= {"corrupt_cart", "line_not_found", "version_conflict", "stale_operation"}


@pytest.fixture
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of scripts in the place of the package's."""
    for path in SOURCES:
        target = tmp_path / path.relative_to(FOLDER)
        target.parent.mkdir(exist_ok=True)
        target.write_text(path.read_text())
    monkeypatch.setattr(
        scripts, "_read", lambda name, package: (tmp_path / f"{name}.lua").read_text()
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
    ],
)
def test_a_script_without_signature_fails(planted: Path, old: str, new: str) -> None:
    """The sentence and both statements must be there, in their lines."""
    path = planted / "remove_line.lua"
    path.write_text(path.read_text().replace(old, new, 1))

    with pytest.raises(ValueError, match=r"remove_line\.lua does not begin with"):
        scripts.load_script("remove_line")


def test_a_wrong_count_of_arguments_fails(planted: Path) -> None:
    """A script with a tail says how many arguments come before it."""
    path = planted / "put_lines.lua"
    path.write_text(path.read_text().replace("unpack(ARGV, 1, 12)", "unpack(ARGV, 1, 11)"))

    with pytest.raises(ValueError, match="unpacks 11 arguments into 12 names"):
        scripts.load_script("put_lines")


def test_an_include_that_includes_fails(planted: Path) -> None:
    """Found when it is loaded."""
    path = planted / "include" / "judge.lua"
    path.write_text("-- @include add_amount\n" + path.read_text())

    with pytest.raises(ValueError, match=r"judge\.lua is an include and may not include"):
        scripts.load_script("remove_line")
