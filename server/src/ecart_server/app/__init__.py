"""The runnable service: the HTTP contract on Starlette and uvicorn, with an engine of its own."""
