"""The two settings that users' scripts import. Both come from the environment, else they are `None`."""

import os

SUPERADMIN_EMAIL = os.environ.get("RAFIKI_SUPERADMIN_EMAIL") or os.environ.get("SUPERADMIN_EMAIL")
SUPERADMIN_PASSWORD = os.environ.get("RAFIKI_SUPERADMIN_PASSWORD") or os.environ.get("SUPERADMIN_PASSWORD")
