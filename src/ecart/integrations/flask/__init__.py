"""The cart in a Flask app: `ECart(app)`, and `current_cart` in your own views and templates.

The session is Flask's: it holds the cart id under `ecart_cart_id`, that of a log-in under
`ecart_session_id`, and nothing else of the cart.
"""

from ecart.integrations.flask.extension import ECart
from ecart.integrations.flask.visitors import (
    cart_from,
    current_cart,
    sign_in,
    sign_out,
)
from ecart.integrations.mapped_session import SESSION_KEY

__all__ = ["SESSION_KEY", "ECart", "cart_from", "current_cart", "sign_in", "sign_out"]
