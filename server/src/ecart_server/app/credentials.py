"""The secrets and keys of the service: those in its environment, or the data folder's."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from ecart.http.settings import SHORTEST_KEY
from ecart_server.app.address import is_loopback
from ecart_server.settings import AdminSettings, ConfigurationError


def find_keys(variable: str, given: str | None) -> tuple[str, ...]:
    """The keys in a variable, separated by commas; without any, what they open does not exist.

    Raises:
        ConfigurationError: one is short enough to be guessed.
    """
    keys = _split(given)
    if any(len(key) < SHORTEST_KEY for key in keys):
        raise ConfigurationError(f"{variable}: each key has 16 characters or more")
    return keys


def check_admin_key(admin: AdminSettings) -> None:
    """Refuses a key that is not safe, and a view that could write and has no key.

    Raises:
        ConfigurationError: the key is short enough to be guessed, or there is none to write with.
    """
    if admin.key is not None and len(admin.key) < SHORTEST_KEY:
        raise ConfigurationError("ECART_ADMIN_KEY: the key has 16 characters or more")
    if admin.can_write and admin.key is None:
        raise ConfigurationError("--admin-write wants a key: set ECART_ADMIN_KEY")


def find_secrets(given: str | None, data_dir: Path, host: str) -> tuple[str, ...]:
    """The session secrets given (separated by commas), else the one stored in the data folder.

    Raises:
        ConfigurationError: none is given though others can reach the service, or one is short.
    """
    if given:
        found = _split(given)
        if not found or any(len(secret) < 16 for secret in found):
            raise ConfigurationError("ECART_SECRET: each secret has 16 characters or more")
        return found
    if not is_loopback(host):
        raise ConfigurationError(
            f"others can reach {host}: set ECART_SECRET (16 characters or more, the same for "
            "every process that serves these carts)"
        )
    return (_stored_secret(data_dir / "secret"),)


def _split(given: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in (given or "").split(",") if part.strip())


def _stored_secret(path: Path) -> str:
    """The secret in the file, made at the first start; readable by its owner alone."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f".secret.{os.getpid()}")
    draft.touch(mode=0o600)
    try:
        draft.write_text(secrets.token_urlsafe(32))
        # A link is made whole or not at all, and never over the secret of another process.
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()
    secret = path.read_text().strip()
    if len(secret) < 16:
        raise ConfigurationError(f"{path} holds no secret; delete it to have a new one made")
    return secret
