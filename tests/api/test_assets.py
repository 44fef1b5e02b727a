"""Pictures come in by one door."""

import pytest

from tests.pictures import picture, sent
from tests.problems import assert_problem
from workflows.models import Asset

ASSETS = "/api/assets"


def test_an_upload_is_answered_with_what_it_is(api, alice):
    response = api.post(ASSETS, {"image": sent(picture())})
    answer, asset = response.json(), Asset.objects.get()
    assert response.status_code == 201
    assert response.headers["Location"] == f"{ASSETS}/{asset.pk}"
    assert answer == {
        "id": str(asset.pk),
        "url": f"{ASSETS}/{asset.pk}/content",
        "thumbnail": f"{ASSETS}/{asset.pk}/thumbnail",
        "content_type": "image/jpeg",
        "width": 64,
        "height": 48,
        "bytes": asset.size,
        "sha256": asset.sha256,
    }
    assert asset.user == alice
    assert api.get(response.headers["Location"]).json() == answer


@pytest.mark.parametrize("body", [{}, {"file": sent(picture())}, {"image": "text"}, {"image": "/etc/passwd"}], ids=repr)
def test_an_upload_without_a_picture_is_refused(api, nothing_happens, body):
    assert_problem(api.post(ASSETS, body), 400, "invalid_input", "image")


def test_an_upload_that_is_no_picture_is_refused(api, nothing_happens):
    assert_problem(api.post(ASSETS, {"image": sent(b"<svg/>")}), 400, "invalid_input", "image")


def test_an_upload_that_is_too_large_is_refused(api, nothing_happens, settings):
    settings.UPLOAD_MAX_BYTES = 1024 * 1024
    content = picture() + b"x" * settings.UPLOAD_MAX_BYTES
    assert_problem(api.post(ASSETS, {"image": sent(content)}), 413, "too_large", "image")


def test_a_body_that_is_far_too_large_is_refused_before_it_is_read(api, nothing_happens, settings):
    settings.UPLOAD_MAX_BYTES = 1024 * 1024
    response = api.generic("POST", ASSETS, b"", "multipart/form-data; boundary=x", CONTENT_LENGTH="2000000")
    assert_problem(response, 413, "too_large", "image")


@pytest.mark.parametrize("content_type", ["image/png", "text/plain", "application/octet-stream"])
def test_an_upload_in_another_form_is_refused(api, nothing_happens, content_type):
    assert_problem(api.post(ASSETS, picture(), content_type=content_type), 415, "unsupported_media_type")


@pytest.mark.parametrize(
    "content_type", ["application/json", "multipart/form-data", "multipart/form-data; boundary=" + "x" * 300]
)
def test_a_form_that_cannot_be_read_is_refused(api, nothing_happens, content_type):
    assert_problem(api.generic("POST", ASSETS, b"nonsense", content_type), 400, "parse_error")
