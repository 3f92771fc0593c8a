"""What the tests of both distributions share is a plugin: tests/common_fixtures.py."""

pytest_plugins = ("common_fixtures",)
