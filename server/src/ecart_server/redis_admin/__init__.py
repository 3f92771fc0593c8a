"""Administering engines: connections to every primary behind a URL, and the deployment record."""
