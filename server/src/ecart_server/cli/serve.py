"""`ecart serve`."""

from __future__ import annotations

import os
from typing import Any, get_args

import click
import msgspec

from ecart.catalog import as_catalog
from ecart.model import MergePolicy
from ecart.money import check_currency
from ecart.stores.redis.durability import Mode, durability_of
from ecart_server.app.credentials import check_admin_key, find_keys, find_secrets
from ecart_server.app.forwarded import checked_prefix
from ecart_server.app.run import serve
from ecart_server.cli.limits import rate_limit_options
from ecart_server.cli.location_options import location_options
from ecart_server.cli.settings_options import default_of, nested, setting
from ecart_server.settings import LogFormat, LogLevel, ProcessSettings, ServiceSettings

_YEAR = 365 * 24 * 3600


def _checked_prefix(context: click.Context, parameter: click.Parameter, value: str) -> str:
    try:
        return checked_prefix(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def _none_if_empty(context: click.Context, parameter: click.Parameter, value: Any) -> Any:
    return value or None


@click.command("serve")
@setting("--host", "process__host")
@setting("--port", "process__port", type=click.IntRange(1, 65_535))
@setting(
    "--workers",
    "process__workers",
    type=click.IntRange(1, 256),
    help="Processes that serve; all share one engine.",
)
@location_options
@setting(
    "--fsync",
    "process__fsync",
    type=click.Choice(["always", "everysec"]),
    help="When the embedded engine syncs to disk; everysec is faster and can lose a second.",
)
@setting(
    "--catalog",
    "catalog",
    type=click.Path(dir_okay=False),
    help="CSV or JSON file of products, or a database's URL; without it, a sample.",
)
@setting("--currency", "http__rules__currency")
@setting(
    "--ttl",
    "http__rules__ttl_ms",
    type=click.IntRange(1, _YEAR),
    default=default_of("http__rules__ttl_ms") // 1000,
    callback=lambda context, parameter, value: 1000 * value,
    help="Seconds that a cart lives after its last change.",
)
@setting(
    "--first-ttl",
    "http__first_ttl_seconds",
    type=click.IntRange(0, _YEAR),
    default=3600,  # the library's own default is None: its users have sessions of their own
    callback=_none_if_empty,
    help="Seconds that the cart of a first visit lives until the visitor is seen again; 0: as any.",
)
@setting(
    "--user-session",
    "http__user_session_seconds",
    type=click.IntRange(1, _YEAR),
    help="Seconds that a user's session lasts after the log-in, or after its renewal by a change.",
)
@setting(
    "--root-path",
    "proxies__root_path",
    metavar="PATH",
    callback=_checked_prefix,
    help="Path that requests begin with, such as /shop; X-Forwarded-Prefix comes first.",
)
@setting(
    "--cookie-name",
    "http__cookie__name",
    help="Name of the session cookie; two shops on one host need two.",
)
@setting(
    "--cookie-path",
    "http__cookie__path",
    help="Path of the session cookie.",
)
@setting(
    "--cookie-from-http",
    "http__cookie__from_http",
    help="Take the cookie that was set on http on https, too: for a shop that moves to https.",
)
@setting(
    "--trusted-origin",
    "http__trusted_origins",
    envvar="ECART_TRUSTED_ORIGINS",
    default=(),
    multiple=True,
    metavar="ORIGIN",
    help="A site whose pages may change carts, beside the service's own; may be repeated.",
)
@setting(
    "--hold",
    "http__hold_seconds",
    type=click.IntRange(1, 24 * 3600),
    help="Seconds that a check-out holds the cart.",
)
@setting(
    "--keep-additions",
    "http__keep_additions",
    help="Keep what is added during a check-out for the next order, instead of refusing it.",
)
@setting(
    "--merge-policy",
    "http__merge_policy",
    type=click.Choice(get_args(MergePolicy)),
    help="What a log-in does with lines that both carts have.",
)
@setting(
    "--durability",
    "store__durability",
    type=click.Choice(get_args(Mode)),
    help="What has a change before it is answered: the primary, replicas too, or disks.",
)
@setting(
    "--replicas",
    "store__replicas",
    type=click.IntRange(0),
    help="How many replicas that takes.",
)
@rate_limit_options
@setting(
    "--log-format",
    "logs__format",
    type=click.Choice(get_args(LogFormat)),
    help="Lines for people, or JSON for machines.",
)
@setting("--log-level", "logs__level", type=click.Choice(get_args(LogLevel)))
@setting("--access-log", "logs__access", help="Log each request: its route, status and duration.")
@setting(
    "--admin-key",
    "admin__key",
    metavar="KEY",
    callback=_none_if_empty,
    help="What opens the operator's view at /admin, which is not there without. Better set the "
    "variable: others see what a command was started with.",
)
@setting(
    "--admin-write",
    "admin__can_write",
    help="Let the operator's view purge carts and release check-outs.",
)
@setting(
    "--sweep-every",
    "sweep_every",
    type=click.IntRange(0, 7 * 24 * 3600),
    help="Seconds between two sweeps of the index of carts; 0 for none.",
)
def serve_command(rate_limit: str, **options: Any) -> None:
    """Serve the HTTP API.

    ECART_SECRET holds the session secrets, the signing one first; ECART_OFFICE_KEYS the keys of
    the back office, whose routes are not there without one; ECART_METRICS_KEYS those of /metrics,
    without which only this machine can read it. All are lists with commas.
    """
    fields = nested(options)
    process = msgspec.convert(fields.pop("process"), ProcessSettings)
    http, store, catalog = fields["http"], fields["store"], fields["catalog"]
    check_currency(http["rules"]["currency"])
    try:
        durability_of(store["durability"], store["replicas"])
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    as_catalog(catalog, http["rules"]["currency"]).lookup(())
    http["accept_unknown_skus"] = catalog is None
    if rate_limit == "off":
        fields["limits"] = None
    else:
        fields["limits"]["counts_loopback"] = rate_limit == "all"
    secret = os.environ.get("ECART_SECRET")
    fields["secrets"] = find_secrets(secret, process.data_dir, process.host)
    http["office_keys"] = find_keys("ECART_OFFICE_KEYS", os.environ.get("ECART_OFFICE_KEYS"))
    metrics_keys = find_keys("ECART_METRICS_KEYS", os.environ.get("ECART_METRICS_KEYS"))
    fields["metrics"] = {"keys": metrics_keys}
    settings = msgspec.convert(fields, ServiceSettings)
    check_admin_key(settings.admin)
    serve(settings, process)
