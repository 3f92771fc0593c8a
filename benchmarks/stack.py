"""The bare web stack: the service's framework and server, routes that answer a constant.

`python -m benchmarks.stack PORT WORKERS` serves it, told by the environment what to answer.
"""

from __future__ import annotations

import os
import sys

import redis.asyncio
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from .rivals import ARGUMENTS, ONE_LINE, bare_script

CART, SUMMARY, URL = "BENCH_CART", "BENCH_SUMMARY", "BENCH_REDIS_URL"


def create_app() -> Starlette:
    """Reads the body where there is one, makes one pooled call where told, answers a constant."""
    cart, summary = os.environ[CART].encode(), os.environ[SUMMARY].encode()
    client = redis.asyncio.Redis.from_url(os.environ[URL])
    call = bare_script(client, *ARGUMENTS)

    async def add(request: Request) -> Response:
        await request.json()
        return Response(cart, media_type="application/json")

    async def pooled_add(request: Request) -> Response:
        await request.json()
        await call()
        return Response(cart, media_type="application/json")

    async def get(request: Request) -> Response:
        return Response(cart, media_type="application/json")

    async def get_summary(request: Request) -> Response:
        return Response(summary, media_type="application/json")

    return Starlette(
        routes=[
            Route("/cart/items", add, methods=["POST"]),
            Route("/pooled/cart/items", pooled_add, methods=["POST"]),
            Route("/cart", get),
            Route("/cart/summary", get_summary),
        ]
    )


def serve(port: int, workers: int) -> None:
    """Serves as `ecart serve` does."""
    with redis.Redis.from_url(os.environ[URL]) as client:
        client.script_load(ONE_LINE)
    uvicorn.run(
        "benchmarks.stack:create_app",
        factory=True,
        port=port,
        workers=workers,
        log_level="warning",
        access_log=False,
        server_header=False,
    )


if __name__ == "__main__":
    serve(int(sys.argv[1]), int(sys.argv[2]))
