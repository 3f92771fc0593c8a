"""The operator's view at `/admin`: carts seen from above, and one by one.

Pages are made on the server and need no script. What they show of a cart was written by strangers:
templates escape it, and `shown.visible` spells out what would not be seen.
"""

from ecart_server.admin.app import Admin, is_of_admin

__all__ = ["Admin", "is_of_admin"]
