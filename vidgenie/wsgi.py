"""The door that gunicorn opens."""

import os

from django.core.wsgi import get_wsgi_application
from django.db import connections

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "vidgenie.settings")

application = get_wsgi_application()

from providers.checks import require_openable_keys  # noqa: E402 (it needs the settings)
from vidgenie import memory  # noqa: E402

require_openable_keys()
connections.close_all()
memory.keep_telling("web")
