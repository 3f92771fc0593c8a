"""The options of `ecart serve` that limit rates."""

from __future__ import annotations

import ipaddress
from typing import Any

import click

from ecart_server.cli.settings_options import F, default_of, setting
from ecart_server.rate_limits import Rate, parse_rate


def _checked_rate(context: click.Context, parameter: click.Parameter, value: str) -> Rate | None:
    try:
        return parse_rate(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def _checked_proxies(context: click.Context, parameter: click.Parameter, value: Any) -> Any:
    """Addresses and networks. A star would let any client choose the address it is counted by."""
    for part in (value or "").split(","):
        try:
            ipaddress.ip_network(part.strip() or "127.0.0.1")
        except ValueError as error:
            raise click.BadParameter(f"addresses or networks, with commas: {error}") from error
    return value or None


def _rate(option: str, path: str, text: str) -> Any:
    default: Rate = default_of(path)
    return setting(
        option,
        path,
        callback=_checked_rate,
        default=f"{default.count}/{default.seconds}",
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
        help="Who is limited: remote clients, those of this machine too, or none.",
    ),
    _rate("--session-rate", "limits__session", "Changes of one session; 0: any number."),
    _rate("--address-rate", "limits__address", "Changes from one address; 0: any number."),
    _rate(
        "--new-session-rate",
        "limits__new_sessions",
        "Sessions begun from one address; 0: any number.",
    ),
    _rate("--session-read-rate", "limits__session_reads", "Reads of one session; 0: any number."),
    _rate("--address-read-rate", "limits__address_reads", "Reads from one address; 0: any number."),
    setting(
        "--streams-per-address",
        "limits__streams",
        type=click.IntRange(0),
        show_default=True,
        help="Streams of events open at once from one address; 0: any number.",
    ),
    setting(
        "--trusted-proxies",
        "proxies__trusted",
        metavar="ADDRESSES",
        callback=_checked_proxies,
        help="Proxies whose Forwarded and X-Forwarded-* are believed; without it, 127.0.0.1.",
    ),
)


def rate_limit_options(command: F) -> F:
    """Adds these options; `rate_limit` says whether the limits hold, and for whom."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
