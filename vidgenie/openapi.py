"""What the OpenAPI document says of all operations: how to sign in, and the one shape of an error."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension

from vidgenie.models import Scope
from vidgenie.scopes import needed

PROBLEM_SHAPE: dict[str, Any] = {
    "type": "object",
    "description": "An error (RFC 9457). `code` is stable; `errors` has a sentence for each wrong field.",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "errors": {"type": "object", "additionalProperties": {"type": "string"}},
        "request_id": {"type": "string"},
        "needed": {"type": "integer", "description": "credits, with insufficient_credits"},
        "available": {"type": "integer", "description": "credits, with insufficient_credits"},
        "held": {"type": "integer", "description": "credits, with insufficient_credits"},
        "limit": {
            "type": "integer",
            "description": "workflows, with too_many_in_flight and too_many_today; bytes, with no_room",
        },
        "scope": {"enum": Scope.values, "description": "what the token lacks, with insufficient_scope"},
    },
    "additionalProperties": False,
}


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Describes BearerAuthentication."""

    target_class = "vidgenie.api.BearerAuthentication"
    name = "bearer"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        """How the header is written."""
        scopes = "\n".join(f"- `{scope}`: {scope.label}" for scope in Scope)
        text = f"A token of yours. What it may do was chosen when it was made:\n\n{scopes}"
        return {"type": "http", "scheme": "bearer", "bearerFormat": "vg_…", "description": text}

    def get_security_requirement(self, auto_schema: Any) -> dict[str, list[Any]]:
        """The scope that a token needs for this operation."""
        scope = needed(auto_schema.view, auto_schema.method)
        return {str(self.name): [scope.value] if scope else []}


def add_scopes(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """Say in words too which scope an operation needs: readers of the page see no list of scopes."""
    for operations in result["paths"].values():
        for operation in operations.values():
            scope = next(way["bearer"][0] for way in operation["security"] if "bearer" in way)
            operation["description"] = f"{operation['description']}\n\nA token needs the scope `{scope}`."
    return result


def add_problems(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """Every operation may answer with a problem; said here once instead of at each of them."""
    result.setdefault("components", {}).setdefault("schemas", {})["Problem"] = PROBLEM_SHAPE
    answer = {
        "description": "An error.",
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    for operations in result["paths"].values():
        for operation in operations.values():
            operation["responses"]["default"] = answer
    return result
