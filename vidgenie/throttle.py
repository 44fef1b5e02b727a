"""How many requests a caller may make: counted in one statement, for all processes and machines together.

The counts are in an unlogged table: nothing waits for the disk, and a crash of the database forgets them, which is
all right. See docs/decisions/0001-count-requests-in-one-statement.md.
"""

import time

from django.db import connection
from rest_framework.request import Request
from rest_framework.settings import api_settings
from rest_framework.throttling import BaseThrottle

from vidgenie.models import RequestCount

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_COUNT = """
    INSERT INTO vidgenie_requestcount AS known (caller, since, count) VALUES (%s, %s, 1)
    ON CONFLICT (caller) DO UPDATE SET
        count = CASE WHEN known.since = EXCLUDED.since THEN known.count + 1 ELSE 1 END,
        since = EXCLUDED.since
    RETURNING count
"""


class Throttle(BaseThrottle):
    """So many requests a minute (or what the rate says) for each user, and for each address without one."""

    def allow_request(self, request: Request, view: object) -> bool:
        """Count this request; whether it is within the rate."""
        caller, most, seconds = self._limit(request)
        now = int(time.time())
        since = now - now % seconds
        self.seconds_left = since + seconds - now
        with connection.cursor() as cursor:
            cursor.execute(_COUNT, [caller, since])
            return bool(cursor.fetchone()[0] <= most)

    def wait(self) -> float:
        """Seconds until requests are counted from zero again."""
        return self.seconds_left

    def _limit(self, request: Request) -> tuple[str, int, int]:
        """Who asks, how many requests they have, in how many seconds."""
        kind, caller = ("user", request.user.pk) if request.user.is_authenticated else ("anon", self.get_ident(request))
        most, period = str(api_settings.DEFAULT_THROTTLE_RATES[kind]).split("/")
        return f"{kind}:{caller}"[:80], int(most), _SECONDS[period[0]]


def forget_old() -> None:
    """Drop what was counted two days ago and more."""
    RequestCount.objects.filter(since__lt=int(time.time()) - 2 * _SECONDS["d"]).delete()
