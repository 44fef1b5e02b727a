"""Sessions as Django keeps them in the database; every page asks for one, in a statement that is put together once."""

from django.contrib.sessions.backends import db
from django.contrib.sessions.models import Session
from django.utils import timezone

import sql


class SessionStore(db.SessionStore):
    """Django's, which reads its row by hand."""

    def _get_session_from_db(self) -> Session | None:
        """The row of this session while it lasts; without one the session begins anew, under another key."""
        alive = sql.found(Session, "session_key = %s AND expire_date > %s", [self.session_key, timezone.now()])
        if alive:
            return alive[0]
        self._session_key = None
        return None
