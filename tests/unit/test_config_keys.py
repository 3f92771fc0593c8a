"""The keys of a framework's configuration: one for each field of the settings, by its name."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ecart import Rules
from ecart.errors import InvalidPolicyError, InvalidTtlError
from ecart.http import HttpSettings
from ecart.integrations.config_keys import KEYS, settings_from


def test_every_field_has_a_key() -> None:
    """A new field of the settings, or of the rules, is a new key without a word of ours."""
    fields = [key.field for key in KEYS.values()]

    assert fields == [
        *Rules.__struct_fields__,
        *(name for name in HttpSettings.__struct_fields__ if name not in ("rules", "cookie")),
    ]
    assert [name for name, key in KEYS.items() if name != key.field.upper()] == [
        "TTL", "HOLD", "FIRST_TTL", "USER_SESSION",
    ]  # fmt: skip


def test_no_key_is_the_defaults() -> None:
    """Those of the fields; whether unknown SKUs make a line depends on the catalog."""
    assert settings_from({}, accept_unknown_skus=True) == HttpSettings()
    assert settings_from({}, accept_unknown_skus=False) == HttpSettings(accept_unknown_skus=False)


def test_values_become_those_of_the_fields() -> None:
    """Lists are frozen, a time to live is seconds or a timedelta, and what is given wins."""
    given = {
        "TTL": timedelta(minutes=1),
        "CURRENCY": "EUR",
        "ACCEPT_UNKNOWN_SKUS": True,
        "TRUSTED_ORIGINS": ["https://shop.example"],
        "OFFICE_KEYS": ["a key of the back office"],
        "HOLD": 60,
        "SOMETHING_ELSE": 1,
    }

    assert settings_from(given, accept_unknown_skus=False) == HttpSettings(
        rules=Rules(ttl_ms=60_000, currency="EUR"),
        trusted_origins=frozenset(["https://shop.example"]),
        office_keys=("a key of the back office",),
        hold_seconds=60,
    )
    assert settings_from({"TTL": None}, accept_unknown_skus=True).rules.ttl_ms == 0


@pytest.mark.parametrize(
    ("key", "value", "error"),
    [
        ("TTL", 0, InvalidTtlError),
        ("HOLD", 0, ValueError),
        ("OFFICE_KEYS", "a key of the back office", ValueError),
        ("MERGE_POLICY", "most", InvalidPolicyError),
        ("MAX_LINES", 0, ValueError),
        ("MAX_LINES", "7", TypeError),
        ("TRUSTED_ORIGINS", None, TypeError),
    ],
)
def test_a_value_that_cannot_work(key: str, value: object, error: type[Exception]) -> None:
    """Refused when the settings are made."""
    with pytest.raises(error):
        settings_from({key: value}, accept_unknown_skus=True)
