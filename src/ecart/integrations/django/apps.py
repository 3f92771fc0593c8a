"""The Django app `ecart`: it registers the checks, and handlers of the log-in signals."""

from __future__ import annotations

import logging
from typing import Any

from django.apps import AppConfig
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.core.checks import Tags, register

from ecart.errors import StoreError
from ecart.integrations.django import checks
from ecart.integrations.django.visitors import forget_session, merge_at_log_in, sign_out

_log = logging.getLogger("ecart.django")


class CartConfig(AppConfig):
    """The app `ecart`."""

    name = "ecart.integrations.django"
    label = "ecart"
    verbose_name = "Shopping carts"

    def ready(self) -> None:
        """Registers the checks and the signal handlers."""
        register(checks.check_setting, "ecart")
        register(checks.check_middleware, "ecart")
        register(checks.check_engine, Tags.database, "ecart")
        user_logged_in.connect(_at_log_in, dispatch_uid="ecart")
        user_logged_out.connect(_at_log_out, dispatch_uid="ecart")


def _at_log_in(request: Any, user: Any, **_: Any) -> None:
    """Merges the carts. If the engine fails, the log-in succeeds, and the next use merges."""
    if not hasattr(request, "session"):
        return  # a log-in without one, by a token, has no cart
    try:
        merge_at_log_in(request, user)
    except StoreError as error:
        _log.warning("a log-in could not merge the cart yet: %s", error)


def _at_log_out(request: Any, **_: Any) -> None:
    """Ends the session of the cart. If the engine fails, the log-out succeeds all the same.

    Where Django keeps its sessions on the server, the cookie opens nothing after it anyway.
    """
    if not hasattr(request, "session"):
        return
    try:
        sign_out(request)
    except StoreError as error:
        _log.warning("a log-out could not end the session of the cart: %s", error)
        forget_session(request)
