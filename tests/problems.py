"""The one shape of an error, asserted on every path by one helper."""

from typing import Any

FIELDS = {
    "type",
    "title",
    "status",
    "detail",
    "code",
    "errors",
    "request_id",
    "needed",
    "available",
    "held",
    "limit",
    "scope",
}


def assert_problem(response: Any, status: int, code: str, field: str | None = None) -> dict[str, Any]:
    """The response is an RFC 9457 problem with this status and code, and a sentence for the field; its document."""
    assert response.headers["Content-Type"] == "application/problem+json"
    document: dict[str, Any] = response.json()
    assert (response.status_code, document["code"]) == (status, code), document
    assert document["status"] == status
    assert document["type"] == f"urn:vidgenie:problem:{code}"
    assert document["title"]
    assert document["detail"].endswith(".")
    assert document["request_id"]
    assert set(document) <= FIELDS
    assert list(document.get("errors", {})) == ([] if field is None else [field])
    if field is not None:
        assert document["errors"][field].endswith(".")
    return document
