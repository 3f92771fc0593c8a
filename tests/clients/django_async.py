"""The views of the Django site on ASGI."""

from __future__ import annotations

import json

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST

from clients.shop import told
from ecart.integrations.django import acart_from, asign_in, asign_out


@csrf_exempt
@require_GET
async def hello(request: HttpRequest) -> HttpResponse:
    return HttpResponse("hello")


@csrf_exempt
@require_POST
async def gift(request: HttpRequest) -> HttpResponse:
    cart = await acart_from(request)
    await cart.add("gift", unit_price="0.00")
    return HttpResponse(cart.cart_id)


@csrf_exempt
@require_POST
async def login(request: HttpRequest) -> HttpResponse:
    return JsonResponse(told(await asign_in(request, json.loads(request.body)["user"])))


@csrf_exempt
@require_POST
async def logout(request: HttpRequest) -> HttpResponse:
    await asign_out(request)
    return HttpResponse("bye")


urlpatterns = [
    path("hello", hello),
    path("gift", gift),
    path("login", login),
    path("logout", logout),
    path("", include("ecart.integrations.django.urls")),
]
