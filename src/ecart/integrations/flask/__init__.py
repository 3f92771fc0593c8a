"""The cart in a Flask app: `ECart(app)`, and `current_cart` in your own views and templates.

The session is Flask's: it holds the cart id under `ecart_cart_id`, and nothing else of the cart.
"""

from ecart.integrations.flask.extension import ECart
from ecart.integrations.flask.visitors import (
    SESSION_KEY,
    cart_from,
    current_cart,
    sign_in,
    sign_out,
)

__all__ = ["SESSION_KEY", "ECart", "cart_from", "current_cart", "sign_in", "sign_out"]
