"""What the log says of a request: its method and path. Queries may hold what opens something, so they stay out."""

from django.http import HttpRequest
from django_structlog import middlewares


class RequestMiddleware(middlewares.RequestMiddleware):
    """django-structlog's, without the query."""

    @staticmethod
    def format_request(request: HttpRequest) -> str:
        """Such as `GET /api/models`."""
        return f"{request.method} {request.path}"
