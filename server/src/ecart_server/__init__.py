"""The service of ecart: HTTP server, pages, operators' tools and the `ecart` command."""
