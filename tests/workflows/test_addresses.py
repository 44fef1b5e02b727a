"""Addresses that are put together are those that Django would give."""

import uuid

import pytest
from django.urls import get_script_prefix, reverse, set_script_prefix

from workflows.addresses import address


@pytest.fixture
def below():
    before = get_script_prefix()
    set_script_prefix("/films/")
    yield
    set_script_prefix(before)


@pytest.mark.parametrize("name", ["workflows:detail", "api:workflow-status", "api:asset-thumbnail"])
def test_it_is_djangos(name):
    pk = uuid.uuid4()
    assert address(name, pk) == reverse(name, args=[pk])


def test_it_knows_where_the_site_lives(below):
    pk = uuid.uuid4()
    assert address("workflows:detail", pk) == f"/films/workflows/{pk}/"
