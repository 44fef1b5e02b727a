"""fal's file storage: a token and a plain upload, or an address to PUT to; what was put there is served again."""

import re
import secrets
from typing import Any

from starlette.responses import Response

from .answers import Refused, as_json
from .calls import Call, Door
from .clock import iso
from .fal import authorize, complain

UPLOADS_KEPT = 200  # files
_TOKEN = "upload-"


async def token(call: Call) -> Response:
    """POST /storage/auth/token."""
    authorize(call)
    _kind(call)
    expires = iso(call.sim.clock.now() + 3600)
    made = f"{_TOKEN}{secrets.token_urlsafe(16)}"
    return as_json({"token": made, "token_type": "Bearer", "base_url": f"{call.base}/fal-media", "expires_at": expires})


def _kind(call: Call) -> None:
    if call.request.query_params.get("storage_type", "fal-cdn-v3") not in ("fal-cdn-v3", "gcs"):
        raise Refused(422, {"detail": "Unknown storage type"})


async def upload(call: Call) -> Response:
    """POST {base_url}/files/upload with the token: raw bytes."""
    if not re.fullmatch(rf"Bearer {_TOKEN}[\w\-]+", call.header("authorization")):
        raise Refused(401, {"detail": "Invalid token"})
    return as_json({"access_url": _keep(call, call.header("x-fal-file-name") or "file")})


async def initiate(call: Call) -> Response:
    """POST /storage/upload/initiate: an address to PUT to, and the one where the file will be."""
    authorize(call)
    _kind(call)
    try:
        body: Any = call.json()
    except ValueError:
        body = None
    if not isinstance(body, dict) or not all(isinstance(body.get(name), str) for name in ("file_name", "content_type")):
        missing = [{"loc": ["body", "file_name"], "msg": "Field required", "type": "missing"}]
        raise Refused(422, {"detail": missing})
    name = _name(body["file_name"])
    home = f"{call.base}/fal-media"
    return as_json({"upload_url": f"{home}/put/{name}", "file_url": f"{home}/uploads/{name}"})


async def put(call: Call) -> Response:
    """PUT upload_url: the address itself is the permission, a key has no business here."""
    if call.header("authorization"):
        raise Refused(400, {"detail": "Only one auth mechanism allowed"})
    _keep(call, call.path("name"), named=True)
    return Response(status_code=200)


async def uploaded(call: Call) -> Response:
    """GET of an uploaded file, without any key."""
    if call.header("authorization"):
        raise Refused(400, {"detail": "Only one auth mechanism allowed"})
    held = call.sim.uploads.get(call.path("name"))
    if held is None:
        raise Refused(404, {"detail": "File not found"})
    return Response(held[0], media_type=held[1])


async def jwks(call: Call) -> Response:
    """GET /.well-known/jwks.json: what webhooks are verified with."""
    return as_json(call.sim.webhooks.jwks())


def _keep(call: Call, name: str, *, named: bool = False) -> str:
    name = name if named else _name(name)
    if not call.body:
        raise Refused(422, {"detail": "Empty file"})
    call.sim.uploads[name] = (call.body, call.header("content-type") or "application/octet-stream")
    if len(call.sim.uploads) > UPLOADS_KEPT:
        call.sim.uploads.pop(next(iter(call.sim.uploads)))
    return f"{call.base}/fal-media/uploads/{name}"


def _name(wish: str) -> str:
    plain = re.sub(r"[^\w.]", "_", wish)
    return f"{secrets.token_hex(8)}_{plain[-60:]}"


DOORS = [
    Door("GET", "/fal-rest/.well-known/jwks.json", "fal.jwks", jwks, complain),
    Door("POST", "/fal-rest/storage/auth/token", "fal.token", token, complain),
    Door("POST", "/fal-rest/storage/upload/initiate", "fal.initiate", initiate, complain),
    Door("POST", "/fal-media/files/upload", "fal.upload", upload, complain),
    Door("PUT", "/fal-media/put/{name}", "fal.put", put, complain),
    Door("GET", "/fal-media/uploads/{name}", "fal.uploaded", uploaded, complain),
]
