"""`{% load ecart %}`."""

from __future__ import annotations

from typing import Any

from django import template

from ecart.integrations.django.badge import Badge

register = template.Library()


@register.inclusion_tag("ecart/badge.html", takes_context=True)
def cart_badge(context: dict[str, Any]) -> dict[str, Badge]:
    """`{% cart_badge %}`: how many units and their sum. The template can be replaced."""
    return {"cart": Badge(context["request"])}
