"""The embedded engine: a real Valkey or Redis process that belongs to one data folder.

Its rule: one folder, one engine, however many processes open it. The kernel's file locks decide,
never a guess about process ids, so a crash at any instant leaves nothing to clean up by hand.
"""

from __future__ import annotations

from ecart_server.engine.binary import Binary, find_binary
from ecart_server.engine.handle import Engine, Fsync, open_engine
from ecart_server.engine.launch import engine_environ

__all__ = ["Binary", "Engine", "Fsync", "engine_environ", "find_binary", "open_engine"]
