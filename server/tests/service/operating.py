"""An operator at work: a session with the view of a running service."""

from __future__ import annotations

import re
import time
from html.parser import HTMLParser
from typing import Any

import requests

KEY = "an operator's key of the tests"


_APART = {"div", "dt", "dd", "th", "td", "tr", "p", "h1", "h2", "text", "title", "caption"}


class Page(HTMLParser):
    """The elements of a page, its text, and the rows of its tables by their captions."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.tables: dict[str, list[list[str]]] = {}
        self._rows: list[list[str]] = []
        self._is_caption = False
        self._caption = ""
        self.feed(text)
        self.text = re.sub(r"\s+", " ", self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag in _APART:
            self.handle_data(" ")
        if tag == "table":
            self._rows, self._caption = [], ""
        elif tag == "tr":
            self._rows.append([])
        elif tag in ("td", "th") and self._rows:
            self._rows[-1].append("")
        self._is_caption = tag == "caption"

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag == "table":
            cells = [[re.sub(r"\s+", " ", cell).strip() for cell in row] for row in self._rows]
            self.tables[self._caption.strip()] = cells
            self._rows = []
        self._is_caption = False

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._is_caption:
            self._caption += data
        elif self._rows and self._rows[-1]:
            self._rows[-1][-1] += data

    @property
    def tags(self) -> set[str]:
        return {tag for tag, _ in self.elements}

    def value(self, name: str) -> str:
        """What the first field of this name holds."""
        return next(a["value"] or "" for _, a in self.elements if a.get("name") == name)

    def links(self) -> list[str]:
        return [attributes["href"] or "" for tag, attributes in self.elements if tag == "a"]


class Operator(requests.Session):
    """Comes from an address of its own, so that tests do not use up each other's attempts."""

    def __init__(self, address: str, comes_from: str = "192.0.2.1") -> None:
        super().__init__()
        self.address = address
        self.headers["X-Forwarded-For"] = comes_from

    def page(self, path: str = "", **query: str) -> Page:
        """A page that is there."""
        answer = self.get(f"{self.address}/admin{path}", params=query, timeout=10)
        assert answer.status_code == 200, (path, answer.status_code, answer.text)
        return Page(answer.text)

    def log_in(self, key: str = KEY) -> requests.Response:
        token = self.page("/login").value("token")
        return self.send_form("/login", token=token, key=key)

    def send_form(self, path: str, **fields: str) -> requests.Response:
        """Without following where it leads."""
        return self.post(
            f"{self.address}/admin{path}", data=fields, allow_redirects=False, timeout=10
        )

    def surveyed(self, seconds: float = 10) -> Page:
        """The overview, when the survey is there."""
        end = time.monotonic() + seconds
        while "Carts open now" not in (page := self.page()).text:
            assert time.monotonic() < end, page.text
            time.sleep(0.02)
        return page


def rested(client: Any) -> bool:
    """Whether no survey is under way that would be kept in the next test's engine."""
    return client.exists("ecart:survey") or not client.exists("ecart:survey:turn")


def raw(session: requests.Session, address: str, method: str, path: str, **options: Any) -> Any:
    """One request, not led on."""
    options = {"allow_redirects": False, "timeout": 10, **options}
    return session.request(method, f"{address}{path}", **options)
