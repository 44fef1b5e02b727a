"""Pages for what goes wrong look like the rest and tell nothing that is nobody's business."""

import pytest
from django.http import Http404, HttpRequest, HttpResponse
from django.test import Client
from django.urls import path

from vidgenie.urls import urlpatterns as real


def breaks(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("the secret is 42")


def hides(request: HttpRequest) -> HttpResponse:
    raise Http404("the secret is 42")


urlpatterns = [path("breaks", breaks), path("hides", hides), *real]


@pytest.mark.urls(__name__)
def test_a_fault_of_ours_is_told_without_its_details(db):
    answer = Client(raise_request_exception=False).get("/breaks")
    assert answer.status_code == 500
    assert "Something broke on our side." in answer.content.decode()
    assert "42" not in answer.content.decode()


@pytest.mark.urls(__name__)
def test_an_empty_address_is_told_kindly(client, db):
    answer = client.get("/hides")
    assert answer.status_code == 404
    assert "This frame is empty." in answer.content.decode()
    assert "42" not in answer.content.decode()


def test_a_form_from_elsewhere_is_refused(db):
    answer = Client(enforce_csrf_checks=True).post("/accounts/theme/", {"theme": "dark"})
    assert answer.status_code == 403
    assert "This page was open for too long." in answer.content.decode()


def test_a_host_we_do_not_serve_is_not_answered(client, db):
    answer = client.get("/", HTTP_HOST="evil.example")
    assert answer.status_code == 400
    assert "evil" not in answer.content.decode()
