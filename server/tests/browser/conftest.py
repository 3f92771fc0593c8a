"""A real browser in front of a real service, and what no page may do in any test.

Playwright keeps an event loop in this thread for as long as it runs, so that it may run only as
long as a module's tests: asyncio tests of other modules have loops of their own.
"""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from engines import missing
from serving import Service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, BrowserContext, Page

    from engines import Engine, Engines

SECRET = "a secret of the tests that is long enough"
PATIENCE = 15_000
"""Milliseconds that something on a page may take: an engine that is away takes 5 seconds."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, without a window."""
    chromium = shutil.which("chromium")
    if chromium is None:
        missing("no browser: apt-get install chromium")
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENCE)

    with sync_playwright() as playwright:
        as_root = ["--no-sandbox"] if os.geteuid() == 0 else []
        hosts = "--host-resolver-rules=MAP *.example.test 127.0.0.1"
        running = playwright.chromium.launch(executable_path=chromium, args=[hosts, *as_root])
        yield running
        running.close()


@pytest.fixture(scope="session")
def run_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Service]]:
    """Runs `ecart serve` on an engine, with more arguments, until the end of all tests."""
    started: list[Service] = []

    def run(engine: Engine, *arguments: str) -> Service:
        folder = tmp_path_factory.mktemp("service") / "data"
        env = {"ECART_SECRET": SECRET}
        service = Service("--redis-url", engine.url, *arguments, data_dir=folder, env=env)
        started.append(service)
        return service.ready()

    yield run
    for service in started:
        service.end_all()


@pytest.fixture(scope="session")
def shared_service(run_service: Callable[..., Service], engines: Engines) -> Service:
    """One service for all tests that do nothing to it."""
    return run_service(engines.acquire_for_services())


@pytest.fixture
def engine(engines: Engines) -> Engine:
    """The engine of the service that outlives a test, empty."""
    return engines.acquire_for_services()


@pytest.fixture
def address(shared_service: Service, engine: Engine) -> str:
    """Where it is; there is no cart yet."""
    return shared_service.address


class Devices:
    """Browsers of visitors, each with cookies of its own."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._contexts: list[BrowserContext] = []
        self.wrong: list[str] = []

    def new(self, **options: Any) -> BrowserContext:
        """A device that has never been here."""
        wanted = {"viewport": {"width": 1280, "height": 860}, "reduced_motion": "reduce"}
        context = self._browser.new_context(**{**wanted, **options})
        context.set_default_timeout(PATIENCE)
        context.on("weberror", lambda error: self.wrong.append(str(error.error)))
        context.on("console", self._hear)
        context.on("dialog", lambda dialog: self.wrong.append(f"a dialog: {dialog.message}"))
        self._contexts.append(context)
        return context

    def _hear(self, message: Any) -> None:
        # A browser says so of every answer that is an error; the page has to live with those.
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            self.wrong.append(message.text)

    def close(self) -> None:
        for context in self._contexts:
            context.close()


@pytest.fixture
def devices(browser: Browser) -> Iterator[Devices]:
    """After each test, no page has thrown, complained, or broken its own policy."""
    devices = Devices(browser)
    yield devices
    devices.close()
    assert devices.wrong == []


@pytest.fixture
def page(devices: Devices, address: str) -> Page:
    """The shop, just opened by a new visitor."""
    return opened(devices.new(), address)


def opened(context: BrowserContext, address: str, path: str = "/") -> Page:
    """A tab with the shop."""
    page = context.new_page()
    page.goto(address + path)
    return page
