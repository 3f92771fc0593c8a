"""The options of `ecart serve` that limit rates: together, one field of `Options`."""

from __future__ import annotations

import functools
import ipaddress
from typing import Any

import click

from ecart_server.rate_limits import Limits, Rate, parse_rate


def _checked_rate(context: click.Context, parameter: click.Parameter, value: str) -> Rate | None:
    try:
        return parse_rate(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def _checked_proxies(context: click.Context, parameter: click.Parameter, value: Any) -> Any:
    """Addresses and networks. A star would believe any client's word for its address."""
    for part in (value or "").split(","):
        try:
            ipaddress.ip_network(part.strip() or "127.0.0.1")
        except ValueError as error:
            raise click.BadParameter(f"addresses or networks, with commas: {error}") from error
    return value or None


def _rate_option(name: str, default: str, text: str) -> Any:
    return click.option(
        f"--{name}",
        envvar=f"ECART_{name.replace('-', '_').upper()}",
        callback=_checked_rate,
        default=default,
        show_default=True,
        metavar="COUNT/SECONDS",
        help=text,
    )


_OPTIONS = (
    click.option(
        "--rate-limit",
        envvar="ECART_RATE_LIMIT",
        type=click.Choice(["remote", "all", "off"]),
        default="remote",
        show_default=True,
        help="Who is limited: remote clients, those of this machine too, or nobody.",
    ),
    _rate_option("session-rate", "120/60", "Changes of one session; 0: any number."),
    _rate_option("address-rate", "600/60", "Changes from one address; 0: any number."),
    _rate_option("new-session-rate", "60/60", "Sessions begun from one address; 0: any number."),
    click.option(
        "--trusted-proxies",
        envvar="ECART_TRUSTED_PROXIES",
        metavar="ADDRESSES",
        callback=_checked_proxies,
        help="Proxies whose X-Forwarded-For and -Proto are believed; without it, 127.0.0.1.",
    ),
)


def rate_limits(command: Any) -> Any:
    """Gives a command these options; it gets `limits` and `trusted_proxies` of them."""

    @functools.wraps(command)
    def limited(
        *, rate_limit: str, session_rate: Any, address_rate: Any, new_session_rate: Any, **rest: Any
    ) -> Any:
        limits = Limits(
            session=session_rate,
            address=address_rate,
            new_sessions=new_session_rate,
            counts_loopback=rate_limit == "all",
        )
        return command(limits=None if rate_limit == "off" else limits, **rest)

    for option in reversed(_OPTIONS):
        limited = option(limited)
    return limited
