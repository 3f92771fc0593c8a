"""How commands reach an engine: connections, the wire, batches, clusters, and one transport each.

From the bottom up: `connections` acquires and releases connections of a client's pool, `wire`
sends commands over one connection, `batching` collects the commands of one event loop iteration,
`cluster` finds the node of a key. `sync` and `asynchronous` put them together: one transport per
kind of client, behind one method.
"""
