"""The views of the Django site on ASGI."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST

from ecart.integrations.django import acart_from


@csrf_exempt
@require_GET
async def hello(request: HttpRequest) -> HttpResponse:
    return HttpResponse("hello")


@csrf_exempt
@require_POST
async def gift(request: HttpRequest) -> HttpResponse:
    cart = await acart_from(request)
    await cart.add("gift", "0.00")
    return HttpResponse(cart.cart_id)


urlpatterns = [
    path("hello", hello),
    path("gift", gift),
    path("", include("ecart.integrations.django.urls")),
]
