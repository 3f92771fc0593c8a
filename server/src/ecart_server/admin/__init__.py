"""The operators' pages at `/admin`: all carts in numbers and lists, and each cart in full.

Pages are made on the server and need no script. Text in carts was written by strangers: templates
escape it, and the filter `visible` spells out characters that would not be seen.
"""

from ecart_server.admin.app import Admin, is_admin_path

__all__ = ["Admin", "is_admin_path"]
