"""The cart in a Django site: `"ecart.integrations.django"` in INSTALLED_APPS, and `ECART = {...}`.

The session is Django's, of any backend: it holds the cart id under `ecart_cart_id`, and nothing
else of the cart. There are no models and no migrations.
"""

from ecart.integrations.django.visitors import (
    CartRequest,
    acart_from,
    asign_in,
    asign_out,
    cart_from,
    sign_in,
    sign_out,
)
from ecart.integrations.mapped_session import SESSION_KEY

__all__ = [
    "SESSION_KEY",
    "CartRequest",
    "acart_from",
    "asign_in",
    "asign_out",
    "cart_from",
    "sign_in",
    "sign_out",
]
