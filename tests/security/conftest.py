"""An installation as it should be, for tests of the audit: what is wrong with it afterwards, the test has planted."""

import secrets
from typing import Any

import pytest

from providers import crypto

AS_IT_SHOULD_BE: dict[str, Any] = {
    "ENVIRONMENT": "production",
    "PRODUCTION": True,
    "DEBUG": False,
    "ALLOWED_HOSTS": ["video.example.org"],
    "SECURE_SSL_REDIRECT": True,
    "SECURE_HSTS_SECONDS": 31_536_000,
    "SECURE_HSTS_INCLUDE_SUBDOMAINS": True,
    "SECURE_HSTS_PRELOAD": True,
    "SESSION_COOKIE_SECURE": True,
    "CSRF_COOKIE_SECURE": True,
    "SESSION_COOKIE_NAME": "__Host-session",
    "CSRF_COOKIE_NAME": "__Host-csrf",
    "PROVIDER_MODE": "real",
    "PROVIDER_KEYS": {},
    "METRICS_ALLOW": [],
}


@pytest.fixture
def production(settings: Any, tmp_path: Any, monkeypatch: Any) -> Any:
    """The settings of a site, with secrets of its own, in a directory of its own."""
    for name, value in AS_IT_SHOULD_BE.items():
        setattr(settings, name, value)
    settings.SECRET_KEY = secrets.token_urlsafe(60)
    settings.ENCRYPTION_KEYS = crypto.new_key()
    settings.PROVIDER_URLS = {"openai": "https://api.openai.com/v1"}
    settings.MEDIA_ROOT = tmp_path / "media"
    monkeypatch.chdir(tmp_path)
    return settings
