from tests.fake_admin import admin

__all__ = ["admin"]
