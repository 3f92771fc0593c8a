"""The app that gunicorn serves in test_flask_served.py: a shop on the engine of the test."""

import os

import flask

from ecart.integrations.flask import ECart, current_cart

app = flask.Flask("shop")
app.secret_key = "a secret of the tests"
ECart(app, store=os.environ["SHOP_REDIS_URL"])
with app.test_request_context():
    current_cart.summary()  # with --preload, each worker inherits an open connection
