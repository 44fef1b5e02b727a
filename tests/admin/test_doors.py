"""Who may come in, and what nobody may do there."""

import pytest
from django.contrib import admin
from django.urls import reverse

from credits import ledger
from credits.models import Account, Entry, Hold
from providers.models import SandboxJob
from tests.factories import UserFactory
from tests.pipeline import start

SHOWN = ["workflows_workflow", "credits_account", "credits_hold", "credits_entry", "providers_sandboxjob"]


@pytest.fixture
def rows(alice):
    """One row of each model, by the name of its pages."""
    workflow = start(alice, "image-only", "a fox")
    return {
        "workflows_workflow": workflow,
        "credits_account": Account.objects.get(user=alice),
        "credits_hold": Hold.objects.get(),
        "credits_entry": Entry.objects.get(account__user=alice),
        "providers_sandboxjob": SandboxJob.objects.create(reference="r", kind="image", prompt="a fox", image=b"png"),
    }


def addresses(rows):
    yield reverse("admin:index")
    for name, row in rows.items():
        yield reverse(f"admin:{name}_changelist")
        yield reverse(f"admin:{name}_add")
        for page in ("change", "delete", "history"):
            yield reverse(f"admin:{name}_{page}", args=[row.pk])


def test_strangers_are_sent_to_the_sign_in_of_the_site(client, rows):
    for address in addresses(rows):
        response = client.get(address)
        assert (response.status_code, response.url.split("?")[0]) == (302, reverse("admin:login")), address
    response = client.get(reverse("admin:login") + "?next=/admin/")
    assert (response.status_code, response.url) == (302, "/accounts/login/?next=%2Fadmin%2F")


def test_alice_is_turned_away_everywhere(client, alice, rows):
    client.force_login(alice)
    for address in addresses(rows):
        response = client.get(address, follow=True)
        assert (response.status_code, response.redirect_chain[0][0].split("?")[0]) == (403, "/admin/login/"), address


def test_alice_cannot_grant_herself_anything(client, alice):
    client.force_login(alice)
    client.post(
        reverse("admin:credits_account_changelist"),
        {"action": "grant", "_selected_action": alice.account.pk, "confirmed": "yes", "amount": 1000, "reason": "me"},
    )
    assert ledger.balance(alice).balance == 300


@pytest.mark.parametrize("name", SHOWN)
def test_sam_sees_every_list_and_every_row(client, sam, rows, name):
    client.force_login(sam)
    assert client.get(reverse(f"admin:{name}_changelist")).status_code == 200
    page = client.get(reverse(f"admin:{name}_change", args=[rows[name].pk]))
    assert page.status_code == 200
    assert 'name="_save"' not in page.content.decode()


@pytest.mark.parametrize("name", SHOWN)
def test_nothing_is_added_changed_or_deleted_by_anybody(client, sam, rows, name):
    client.force_login(sam)
    before = type(rows[name]).objects.values().get(pk=rows[name].pk)
    assert client.get(reverse(f"admin:{name}_add")).status_code == 403
    assert client.post(reverse(f"admin:{name}_add"), {}).status_code == 403
    change, delete = (reverse(f"admin:{name}_{page}", args=[rows[name].pk]) for page in ("change", "delete"))
    assert client.post(change, {"amount": 1, "balance": 1_000_000, "status": "succeeded"}).status_code == 403
    assert client.get(delete).status_code == 403
    assert client.post(delete, {"post": "yes"}).status_code == 403
    assert type(rows[name]).objects.values().get(pk=rows[name].pk) == before


@pytest.mark.parametrize("name", SHOWN)
def test_the_action_that_deletes_is_not_there(client, sam, rows, name):
    client.force_login(sam)
    chosen = {"action": "delete_selected", "_selected_action": rows[name].pk, "post": "yes"}
    client.post(reverse(f"admin:{name}_changelist"), chosen)
    assert type(rows[name]).objects.filter(pk=rows[name].pk).exists()


def test_a_user_with_an_account_cannot_be_deleted(client, sam, alice):
    client.force_login(sam)
    client.post(reverse("admin:auth_user_delete", args=[alice.pk]), {"post": "yes"})
    assert ledger.balance(alice).balance == 300


def test_a_user_who_is_added_has_an_account(client, sam):
    client.force_login(sam)
    words = "correct-horse-battery"
    form = {"username": "zoe", "password1": words, "password2": words, "usable_password": "true"}
    client.post(reverse("admin:auth_user_add"), form)
    account = Account.objects.get(user__username="zoe")
    assert (account.balance, account.entries.count()) == (300, 1)


def test_models_that_would_show_secrets_or_pickles_have_no_page():
    shown = {model._meta.label for model in admin.site._registry}
    assert not {label for label in shown if label.startswith(("django_q.", "knox."))}
    authenticator = next(entry for model, entry in admin.site._registry.items() if model.__name__ == "Authenticator")
    assert "data" not in authenticator.fields
    token = next(entry for model, entry in admin.site._registry.items() if model.__name__ == "ApiToken")
    assert not {"digest", "token_key"} & set(token.fields)


@pytest.mark.parametrize("name", ["auth_user", "mfa_authenticator", "vidgenie_apitoken", "account_emailaddress"])
def test_the_other_lists_open_too(client, sam, name):
    client.force_login(sam)
    assert client.get(reverse(f"admin:{name}_changelist")).status_code == 200


@pytest.mark.parametrize(
    ("name", "queries"),
    [("workflows_workflow", 4), ("credits_account", 4), ("credits_hold", 4), ("credits_entry", 4),
     ("providers_sandboxjob", 4)],
)  # fmt: skip
def test_a_list_asks_the_database_as_often_for_ten_rows_as_for_one(
    client, sam, django_assert_num_queries, name, queries
):
    for number in range(10):
        user = UserFactory()
        start(user, "image-only", "a fox")
        ledger.grant(user, 5, key=str(number), reason="a gift", actor=user)
        SandboxJob.objects.create(reference=str(number), kind="image", prompt="a fox")
    client.force_login(sam)
    with django_assert_num_queries(queries):
        client.get(reverse(f"admin:{name}_changelist"))
