"""`{% load ecart %}`."""

from __future__ import annotations

from typing import Any

from django import template
from django.template import Context

from ecart.integrations.django.badge import Badge

register = template.Library()


@register.inclusion_tag("ecart/badge.html", takes_context=True)
def cart_badge(context: Context) -> dict[str, Badge]:
    """`{% cart_badge %}`: the number of units and their sum. The template can be replaced."""
    # A context that `render` makes has the request also without its context processor.
    request: Any = getattr(context, "request", None) or context["request"]
    return {"cart": Badge(request)}
