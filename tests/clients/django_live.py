"""The Django site as servers load it: `clients.django_live:wsgi` and `clients.django_live:asgi`."""

from clients.django import ASGIHandler, WSGIHandler

wsgi = WSGIHandler()
asgi = ASGIHandler()
