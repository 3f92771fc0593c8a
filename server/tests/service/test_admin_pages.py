"""What the operator sees: carts counted, listed and one by one; whatever shoppers wrote in them."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import requests

from ecart import Cart, RedisStore, Rules
from ecart.stores.redis.index import note
from ecart.stores.redis.keys import Keyspace
from ecart_server.cart_index import Survey
from service.operating import KEY, Operator, Page, raw, rested
from serving import Service, eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engines import Engine, Engines

KEYS = Keyspace()
HOUR = 3_600_000


@pytest.fixture
def engine(engines: Engines) -> Engine:
    """The engine of the service that outlives a test, empty."""
    return engines.acquire_for_services()


@pytest.fixture(scope="module")
def live(engines: Engines, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    url = engines.acquire_for_services().url
    data = tmp_path_factory.mktemp("admin") / "data"
    variables = {"ECART_ADMIN_KEY": KEY, "ECART_REDIS_URL": url}
    service = Service("--admin-write", data_dir=data, env=variables)
    yield service.ready()
    service.end_all()


@pytest.fixture
def inside(live: Service, engine: Engine) -> Iterator[Operator]:
    with Operator(live.address) as operator:
        operator.log_in()
        yield operator
    with engine.connected() as client:
        eventually(lambda: rested(client), 10)


@pytest.fixture
def client(engine: Engine) -> Iterator[Any]:
    with engine.connected() as client:
        yield client


def age(client: Any, cart_id: str, milliseconds: int) -> None:
    """Makes the cart's last change so long ago: of itself and of its entry."""
    key = KEYS.cart(cart_id)
    version, digest, updated, *rest = client.hget(key, "v").split(b"|")
    then = int(updated) - milliseconds
    client.hset(key, "v", b"|".join([version, digest, b"%d" % then, *rest]))
    client.pexpireat(key, then + 604_800_000)
    client.zrem(KEYS.index(KEYS.partition(cart_id)), cart_id)
    for command in note(key, then):
        client.execute_command(*command)


def figures(page: Page) -> str:
    """The text from the heading to the plots."""
    return page.text.partition("Carts open now")[2].partition("How they are spread")[0]


# The overview.


def test_an_empty_store(inside: Operator) -> None:
    """Nothing is something to say, too."""
    page = inside.surveyed()

    assert figures(page).strip().startswith("0 0 more without lines")
    assert "There is no cart." in page.text


def test_the_first_look_is_at_once(inside: Operator, client: Any) -> None:
    """The number of entries, and a page that comes again when the rest has been counted."""
    store = RedisStore(client)
    for n in range(20):
        Cart(f"c-{n}", store).add("apple", 2, unit_price="1.25")

    first = inside.page()
    page = inside.surveyed()

    assert "Carts, about 20" in first.text
    refresh = {"http-equiv": "refresh", "content": "2"}
    assert ("meta", refresh) in first.elements
    assert ("meta", refresh) not in page.elements
    assert "20 0 more without lines Units in them 40 2.0 per cart Value 50.00 USD" in figures(page)
    assert f"As of {time.strftime('%Y-%m-%d', time.gmtime())}" in page.text


def test_what_is_counted(inside: Operator, client: Any) -> None:
    """By size, value and age: the bars of a table are as long as its numbers."""
    store = RedisStore(client)
    for n in range(1, 9):
        for line in range(n):
            Cart(f"c-{n}", store).add(f"sku-{line}", 1, unit_price="4")
    Cart("old", store).add("apple", 1, unit_price="7000")
    age(client, "old", 30 * HOUR)
    Cart("held", store).add("apple", 1, unit_price="3")
    Cart("held", store).begin_checkout()
    Cart("empty", store).add("apple")
    Cart("empty", store).clear()

    page = inside.surveyed()

    assert "In check-out 1" in figures(page)
    sizes, values, ages = (page.tables[f"Carts by {what}"][1:] for what in ("size", "value", "age"))
    assert sizes[:5] == [
        ["1 line", "3"],
        ["2 lines", "1"],
        ["3 to 4 lines", "2"],
        ["5 to 9 lines", "4"],
        ["10 to 19 lines", "0"],
    ]
    assert values[0] == ["below 10", "3"]
    assert values[-1] == ["5000 or more", "1"]
    assert ages[0] == ["below 1 min", "9"]
    assert ["1 d to below 3 d", "1"] in ages
    bars = [a["width"] for tag, a in page.elements if tag == "rect" and "x" not in a]
    assert bars == [number for _, number in (*sizes, *values, *ages)]
    assert page.tables["The largest"][1][0] == "c-8"
    assert page.tables["About to expire"][1][0] == "old"
    assert page.tables["Idle for longest"][1][0] == "old"
    assert page.tables["Idle for longest"][1][4] == "7,000.00 USD"
    assert len(page.tables["The largest"]) == 11


def test_what_happens_per_minute(inside: Operator, live: Service) -> None:
    """What shoppers did just now, in the columns and in the table behind them."""
    with requests.Session() as shopper:
        items = f"{live.address}/cart/items"
        shopper.post(items, json={"sku": "apple", "quantity": 7}, timeout=5)
        shopper.post(items, json={"sku": "tea"}, timeout=5)
        shopper.delete(f"{items}/tea", timeout=5)
        shopper.post(f"{live.address}/cart/checkout", timeout=5)

    def counted() -> list[int]:
        rows = inside.page().tables["Per minute"][1:]
        assert len(rows) == 60
        return [sum(int(row[column]) for row in rows[:3]) for column in range(1, 5)]

    eventually(lambda: counted() == [8, 1, 1, 0], 10)
    columns = [a for tag, a in inside.page().elements if tag == "rect" and "x" in a]
    assert [int(a["x"] or "") for a in columns] == [*range(60)] * 4
    heights = [int(a["height"] or "") for a in columns]
    assert [sum(heights[begin : begin + 60]) for begin in range(0, 240, 60)] == [8, 1, 1, 0]


def test_two_currencies_are_two_sums(inside: Operator, client: Any) -> None:
    """Nobody adds euros to dollars."""
    store = RedisStore(client)
    Cart("a", store).add("apple", 2, unit_price="1.5")
    Cart("b", store, currency="EUR").add("apple", 3, unit_price="1")

    assert "Value 3.00 EUR 3.00 USD" in figures(inside.surveyed())


def test_all_workers_show_the_same_survey(
    serve: Callable[..., Service], live: Service, inside: Operator, client: Any
) -> None:
    """It is taken once; another process shows it without looking at the carts itself."""
    Cart("one", client).add("apple")
    seen = inside.surveyed()
    other = serve("--redis-url", live_url(client), env={"ECART_ADMIN_KEY": KEY}).ready()
    Cart("two", client).add("apple")
    client.config_resetstat()

    with Operator(other.address) as elsewhere:
        elsewhere.log_in()
        again = elsewhere.page()

    assert figures(again)[:10] == figures(seen)[:10]
    assert "1 0 more without lines" in figures(again)
    assert "cmdstat_zscan" not in client.info("commandstats")


def live_url(client: Any) -> str:
    path = client.connection_pool.connection_kwargs["path"]
    return f"unix://{path}"


def test_an_old_survey_is_shown_and_renewed(inside: Operator, client: Any) -> None:
    """At once, with its time; the next look has the new one."""
    Cart("one", client).add("apple")
    inside.surveyed()
    kept = msgspec.json.decode(client.get("ecart:survey"), type=Survey)
    old = msgspec.structs.replace(kept, taken_ms=kept.taken_ms - 120_000)
    client.set("ecart:survey", msgspec.json.encode(old), ex=900)
    client.delete("ecart:survey:turn")
    Cart("two", client).add("apple")

    page = inside.page()

    assert "2 min" in page.text
    assert "A newer look is being taken" in page.text
    assert "1 0 more" in figures(page)
    eventually(lambda: "2 0 more" in figures(inside.page()), 5)
    assert "A newer look" not in inside.page().text


def test_a_survey_is_taken_once_a_minute(inside: Operator, client: Any) -> None:
    """However often somebody looks."""
    inside.surveyed()
    taken = client.get("ecart:survey")

    for _ in range(5):
        inside.page()

    assert 50 < client.ttl("ecart:survey:turn") <= 60
    assert 890 < client.ttl("ecart:survey") <= 900
    assert client.get("ecart:survey") == taken


@pytest.mark.foreign_data
def test_a_survey_of_another_version_is_none(inside: Operator, client: Any) -> None:
    """What cannot be read is taken anew."""
    client.set("ecart:survey", '{"carts": "many"}', ex=900)

    inside.surveyed()

    assert b'"taken_ms"' in client.get("ecart:survey")


# Lists.


def test_carts_by_their_last_activity(inside: Operator, client: Any) -> None:
    """Page after page, each cart once; the other way round, too."""
    store = RedisStore(client)
    for n in range(120):
        Cart(f"c-{n}", store).add("apple", n + 1, unit_price="1.5")
    for n in range(40):
        age(client, f"c-{n}", (100 - n) * HOUR)

    walked, query = [], {"idle": "3600"}
    page = inside.page("/carts", **query)
    walked += [row[0] for row in page.tables["Carts, longest idle first"][1:]]
    recent = inside.page("/carts", order="recent")
    shown = [row[0] for row in recent.tables["Carts, last changed first"][1:]]
    (following,) = [link for link in recent.links() if "after=" in link]
    more = inside.page(following.removeprefix("/admin"))
    shown += [row[0] for row in more.tables["Carts, last changed first"][1:]]

    assert walked == [f"c-{n}" for n in range(40)]
    assert not [link for link in page.links() if "after=" in link]
    assert len(shown) == len(set(shown)) == 100
    assert page.tables["Carts, longest idle first"][1][5] == "4 d 4 h"


def test_a_list_that_nobody_gave(inside: Operator) -> None:
    """A cursor of somebody's own leads to the first page; a time that is none is any time."""
    answer = raw(inside, inside.address, "GET", "/admin/carts?after=nonsense")

    assert (answer.status_code, answer.headers["Location"]) == (303, "/admin/carts")
    assert "No cart is so." in inside.page("/carts", idle="soon").text


# One cart.


def test_one_cart_in_full(inside: Operator, client: Any) -> None:
    """Lines, sums, state, version, expiry and records."""
    cart = Cart("user-42", client)
    cart.add(
        "shirt", 2, unit_price="19.90", title="Shirt", options={"size": "M"}, details={"gift": True}
    )
    cart.add("note")
    cart.add("apple", 3, unit_price="0.5", operation_id="order-7")
    checkout = cart.begin_checkout()

    page = inside.page("/cart", id="user-42")

    lines = page.tables["Lines"]
    assert lines[1] == [
        "Shirt shirt:szioivahal2grb6j",
        'size: M {"gift": true}',
        "2",
        "19.90",
        "39.80",
    ]
    assert lines[2] == ["note note", "", "1", "–", "–"]
    assert lines[-1] == ["Sum", "6", "", "41.30 USD"]
    assert "State locked until" in page.text
    assert checkout.checkout_id in page.text
    assert "Version 4 Entity tag" in page.text
    assert "Expires in 6 d 23 h" in page.text
    records = page.tables["Operation records: by these a repeat is recognised"][1:]
    assert [record[0] for record in records].count("key") == 1
    (lane,) = (record for record in records if record[0] == "lane")
    assert f"~{lane[1]}" in {row[0] for row in page.tables["Fields"]}
    assert int(lane[2].replace(",", "")) >= 3
    assert ["c", "3|6|41|300000000|3"] in page.tables["Fields"]


def test_carts_that_have_ended(inside: Operator, client: Any) -> None:
    """Merged and destroyed ones are shown for as long as they are kept."""
    Cart("visitor", client).add("tea", unit_price="4.85")
    Cart("user-42", client).merge_from("visitor")
    Cart("left", client).add("tea")
    Cart("left", client).destroy()

    merged, target = inside.page("/cart", id="visitor"), inside.page("/cart", id="user-42")
    gone = inside.page("/cart", id="left")

    assert "State merged" in merged.text
    assert "Its lines have gone into another cart." in merged.text
    assert "/admin/cart?id=user-42" in merged.links()
    record = target.tables["Operation records: by these a repeat is recognised"]
    assert [row[0] for row in record].count("merge") == 1
    assert "1 added, 0 raised, 0 clamped, 0 left" in str(record)
    assert "State gone" in gone.text


def test_an_empty_cart(inside: Operator, client: Any) -> None:
    """It is shown as any other, and can be purged: a cart without lines is a cart."""
    Cart("user-42", client).add("apple")
    Cart("user-42", client).clear()

    page, confirm = inside.page("/cart", id="user-42"), inside.page("/cart/purge", id="user-42")

    assert "cannot be read" not in page.text
    assert "State open Subtotal 0.00 USD 0 lines, 0 units Last change" in page.text
    assert "Lines There are none." in page.text
    assert "Version 2 Entity tag" in page.text
    assert "In it 0 lines, 0 units, 0.00 USD Last change" in confirm.text


@pytest.mark.foreign_data
def test_an_empty_cart_in_check_out(inside: Operator, client: Any) -> None:
    """Its check-out is shown and can be released. No change leaves a cart so; only its fields."""
    cart, key = Cart("user-42", client), KEYS.cart("user-42")
    cart.add("apple")
    checkout = cart.begin_checkout()
    client.hdel(key, ":apple", "b")
    client.hset(key, "c", "0|0|0|0|1")

    page, confirm = inside.page("/cart", id="user-42"), inside.page("/cart/release", id="user-42")

    assert "cannot be read" not in page.text
    assert "State locked until" in page.text
    assert "0 lines, 0 units" in page.text
    assert f"Check-out {checkout.checkout_id}" in page.text
    assert "/admin/cart/release?id=user-42" in page.links()
    assert "In it 0 lines, 0 units, 0.00 USD Last change" in confirm.text
    assert confirm.value("checkout") == checkout.checkout_id


@pytest.mark.foreign_data
def test_a_cart_that_cannot_be_read(inside: Operator, client: Any) -> None:
    """Its fields are shown, and what is wrong; so it is with a key that is no cart at all."""
    Cart("broken", client).add("apple")
    client.hset(KEYS.cart("broken"), "c", b"\xff<script>")
    client.hset(KEYS.cart("broken"), b"~\xff", b"nonsense")
    client.set(KEYS.cart("text"), "text")

    broken, text = inside.page("/cart", id="broken"), inside.page("/cart", id="text")

    assert "unreadable_cart" in broken.text
    assert [r"\xff<script>"] in [row[1:] for row in broken.tables["Fields"]]
    assert "wrong_type" in text.text


def test_a_cart_of_before_the_limits(inside: Operator, live: Service, client: Any) -> None:
    """Its page is bounded, and shoppers do not wait while it is rendered."""
    cart = Cart("user-42", client, rules=Rules(max_lines=5000, max_cart_bytes=1 << 30))
    details = {"\u202e": "\x00" * 150}  # which are spelled out, each in an element of its own
    for number in range(3000):
        cart.add(f"sku-{number}", title="t" * 256, details=details)
    client.hset(KEYS.cart("user-42"), ":sku-0", f'1||1|"{"x" * 300_000}|')
    client.hdel(KEYS.cart("user-42"), "b")
    waits: list[float] = []
    with ThreadPoolExecutor(1) as operator, requests.Session() as shopper:
        shopper.get(f"{live.address}/cart")
        page = operator.submit(inside.page, "/cart", id="user-42")
        while not page.done():
            began = time.monotonic()
            shopper.get(f"{live.address}/cart/summary").raise_for_status()
            waits.append(time.monotonic() - began)

    text = page.result().text
    print(f"{len(text):,} characters; the longest of {len(waits)} waits {max(waits) * 1000:.0f} ms")
    assert "3,000 lines" in text
    assert "and 2,500 more" in text
    assert "x" * 1000 + "…" in text
    assert len(text) < 3_000_000
    assert max(waits) < 0.5


def test_a_cart_that_is_not_there(inside: Operator) -> None:
    """404, whatever was looked for."""
    for wanted in ("nobody", "", "x" * 300, "\x00", "..", "<b>"):
        answer = inside.get(f"{inside.address}/admin/cart", params={"id": wanted}, timeout=10)
        assert answer.status_code == 404, wanted
        assert "There is no such cart" in answer.text
        assert "<b>" not in answer.text


# What strangers wrote.


HOSTILE = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "' onmouseover='alert(1)",
    "</title></textarea></style><svg onload=alert(1)>",
    "javascript:alert(1)",
    "{{ 7 * 7 }}{% raw %}",
    "<!--", "]]>", "&lt;script&gt;", "&#x3c;script>",
    "\u202egnp.exe", "\u2066\u2069", "a\u200bb", "\ufeffx",
]  # fmt: skip
SAFE_TAGS = {
    *("html", "head", "meta", "title", "link", "body", "header", "nav", "main", "section", "div"),
    *("a", "h1", "h2", "p", "span", "strong", "code", "bdi", "time", "ul", "li", "dl", "dt", "dd"),
    *("form", "label", "input", "button", "select", "option", "details", "summary"),
    *("table", "caption", "thead", "tbody", "tfoot", "tr", "th", "td"),
    *("figure", "figcaption", "svg", "rect"),
}


def test_hostile_strings_are_text(inside: Operator, client: Any) -> None:
    """As id, SKU, title, option and detail, on each page: seen, and nothing more."""
    ids = {text: f"{text}\x1b[31m\n" for text in HOSTILE}
    for text, cart_id in ids.items():
        cart = Cart(cart_id, client)
        cart.add(text, 1, unit_price="1", title=text, options={text: text}, details={text: text})
        cart.begin_checkout()

    for page in (inside.surveyed(), inside.page("/carts")):
        assert_harmless(page)
    for text, cart_id in ids.items():
        shown = inside.page("/cart", id=cart_id)
        purge = inside.page("/cart/purge", id=cart_id)
        for page in (shown, purge, inside.page("/cart/release", id=cart_id)):
            assert_harmless(page)
        plain = "".join(character for character in text if character.isprintable())
        assert all(part in shown.text for part in plain.split())
        answer = inside.send_form("/cart/purge", token=purge.value("token"), id=_id_of(purge))
        assert answer.status_code == 303
    assert client.keys("*:cart:*") == []


def assert_harmless(page: Page) -> None:
    """Only our own elements, attributes and links; what is not seen is spelled out."""
    assert page.tags <= SAFE_TAGS, page.tags - SAFE_TAGS
    named = {name for _, attributes in page.elements for name in attributes}
    assert not {name for name in named if name.startswith("on") or name == "srcdoc"}
    assert not [link for link in page.links() if not link.startswith(("/admin", "#main"))]
    assert not set("\u202e\u2066\u2069\u200b\ufeff\x1b") & set(page.text)
    assert r"\x1b[31m\n" in page.text


def _id_of(page: Page) -> str:
    hidden = [a for _, a in page.elements if a.get("type") == "hidden" and a.get("name") == "id"]
    return hidden[0]["value"] or ""


# The engine, and what pages cost.


def test_the_engine_and_its_doctor(inside: Operator) -> None:
    """What it says of itself, and the findings with their remedies."""
    page = inside.page("/engine")

    assert page.tables["Engine"][1][0].startswith("valkey 9.")
    assert "nothing_on_disk" in page.text
    assert "Remedy: CONFIG SET appendonly yes" in page.text
    overview = inside.surveyed()
    assert "look at it" in figures(overview)


def test_an_engine_that_is_away(serve: Callable[..., Service], own_engine: Engine) -> None:
    """A calm page within seconds, no stack trace, and all is well again when it is back."""
    service = serve("--redis-url", own_engine.url, env={"ECART_ADMIN_KEY": KEY}).ready()
    with Operator(service.address) as operator:
        operator.log_in()
        operator.page()
        own_engine.kill()
        began = time.monotonic()
        away = {
            path: raw(operator, service.address, "GET", f"/admin{path}")
            for path in ("", "/carts", "/cart?id=x", "/engine")
        }
        took = time.monotonic() - began
        login = raw(operator, service.address, "GET", "/admin/login")
        own_engine.start()

        assert [answer.status_code for answer in away.values()] == [503] * 4
        assert all("The engine does not answer" in answer.text for answer in away.values())
        assert took < 6
        assert login.status_code == 303
        assert operator.page("/carts")
    assert "Traceback" not in service.said


def test_nothing_of_a_cart_is_logged(live: Service, inside: Operator, client: Any) -> None:
    """Neither its id nor what is in it, whatever is asked for."""
    Cart("user-4711", client).add("secret-sku", title="A secret title")
    before = live.said

    inside.page("/cart", id="user-4711")
    inside.page("/carts")
    raw(inside, inside.address, "GET", "/admin/cart?id=user-4712")
    inside.surveyed()

    assert live.said == before


def fill(client: Any, count: int) -> None:
    """Sound carts by the thousand, as if changed in the last days."""
    now = time.time_ns() // 1_000_000
    for begin in range(0, count, 500):
        with client.pipeline(transaction=False) as pipe:
            for n in range(begin, min(begin + 500, count)):
                then = now - n * 3 * 86_400_000 // count
                lines, key = 1 + n % 7, KEYS.cart(f"user-{n}")
                fields = {
                    f":sku-{i}": f'{i}|{n % 90 + 1}.5|{i}|"Product {i}|'
                    for i in range(1, lines + 1)
                }
                units = lines * (lines + 1) // 2
                nanos = units * ((n % 90 + 1) * 10 + 5) * 10**8
                fields["v"] = f"{lines}|abcdefgh|{then}|0|0|{then}"
                fields["c"] = f"{lines}|{units}|{nanos // 10**9}|{nanos % 10**9}|{lines}"
                fields["m"] = f"1|abcdefghijk|USD|{then}|604800000"
                pipe.hset(key, mapping=fields)
                pipe.pexpireat(key, then + 604_800_000)
                for command in note(key, then):
                    pipe.execute_command(*command)
            pipe.execute()


def memory_of(pid: int) -> int:
    """Bytes of memory that a process has."""
    status = Path(f"/proc/{pid}/statm").read_text().split()
    return int(status[1]) * os.sysconf("SC_PAGESIZE")


MANY = 100_000 if os.environ.get("ECART_SOAK") == "1" else 2000


def test_many_carts(serve: Callable[..., Service], engines: Engines) -> None:
    """The overview takes under 300 ms, walks through no keys, and memory does not grow."""
    engine = engines.acquire_own("valkey9")
    with engine.connected() as client:
        service = serve(
            "--redis-url", engine.url, "--sweep-every", "0", env={"ECART_ADMIN_KEY": KEY}
        ).ready()
        with Operator(service.address) as operator:
            operator.log_in()
            operator.surveyed()
            few = memory_of(service.process.pid)
            fill(client, MANY)
            client.delete("ecart:survey", "ecart:survey:turn")
            client.config_resetstat()

            began = time.monotonic()
            page = operator.page()
            first = time.monotonic() - began
            assert f"Carts, about {MANY:,}" in page.text
            assert f"{MANY:,} 0 more without lines" in figures(operator.surveyed(60))
            surveyed = time.monotonic() - began
            looks = []
            for path in ["", "/carts?idle=3600", "/cart?id=user-7", "/engine"] * 20:
                began = time.monotonic()
                operator.page(path)
                looks.append((time.monotonic() - began, path))
            commands = set(client.info("commandstats"))
            many = memory_of(service.process.pid)

    overview = sorted(seconds for seconds, path in looks if path == "")
    print(
        f"{MANY:,} carts: first look {first * 1000:.0f} ms, survey after {surveyed:.1f} s, "
        f"overview median {overview[10] * 1000:.0f} ms, slowest {overview[-1] * 1000:.0f} ms, "
        f"any page {max(looks)[0] * 1000:.0f} ms; memory {few >> 20} to {many >> 20} MiB"
    )
    assert first < 0.3
    assert overview[10] < 0.3
    assert "cmdstat_scan" not in commands
    assert "cmdstat_keys" not in commands
    assert many - few < 16 << 20
