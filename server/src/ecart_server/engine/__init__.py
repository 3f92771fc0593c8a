"""The embedded engine: a real Valkey or Redis process that belongs to one data folder.

One folder has one engine, however many processes open it. `locks` explains how they agree.
"""

from __future__ import annotations

from ecart_server.engine.binary import Binary, find_binary
from ecart_server.engine.handle import EngineHandle, Fsync, open_engine
from ecart_server.engine.launch import engine_environ

__all__ = ["Binary", "EngineHandle", "Fsync", "engine_environ", "find_binary", "open_engine"]
