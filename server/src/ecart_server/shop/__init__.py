"""The shop page: HTML made on the server, its forms, and live updates of the cart.

It uses the HTTP API as any client does, with the same sessions, prices and refusals.
"""
