"""`ecart.integrations.django.context_processors.cart`, for TEMPLATES."""

from __future__ import annotations

from django.http import HttpRequest

from ecart.integrations.django.badge import Badge


def cart(request: HttpRequest) -> dict[str, Badge]:
    """`cart` in every template: `{{ cart.total_quantity }}`, `{{ cart.subtotal }}`."""
    return {"cart": Badge(request)}
