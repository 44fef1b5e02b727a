"""The staff's pages in a real browser: they work under the site's strict policy for scripts and styles."""

import pytest
from django.urls import reverse

from credits import ledger
from tests.factories import UserFactory
from tests.pipeline import finish, start

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def staff_page(page, live_server, client, sam):
    """A browser in which sam is signed in; it notes every complaint of the console."""
    client.force_login(sam)
    session = client.cookies["session"].value
    page.context.add_cookies([{"name": "session", "value": session, "url": live_server.url}])
    page.set_viewport_size({"width": 1280, "height": 900})
    page.complaints = []
    page.on("console", lambda said: page.complaints.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    return page


def test_the_pages_work_under_the_strict_policy(staff_page, live_server, alice):
    workflow = finish(start(alice, "image-only", "a fox", resolution="480p"))
    names = ["workflows_workflow", "credits_account", "credits_hold", "credits_entry", "providers_sandboxjob"]
    for address in (
        reverse("admin:index"),
        *(reverse(f"admin:{name}_changelist") for name in names),
        reverse("admin:workflows_workflow_change", args=[workflow.pk]),
        reverse("admin:credits_account_change", args=[alice.account.pk]),
    ):
        staff_page.goto(live_server.url + address)
        width = staff_page.evaluate("document.documentElement.scrollWidth")
        assert (staff_page.complaints, width) == ([], 1280), address


def test_sam_grants_credits_from_the_page_of_an_account(staff_page, live_server):
    user = UserFactory(username="alice")
    staff_page.goto(live_server.url + reverse("admin:credits_account_change", args=[user.account.pk]))
    staff_page.get_by_role("button", name="Grant credits…").click()
    staff_page.get_by_label("Credits:").fill("50")
    staff_page.get_by_label("Reason:").fill("for the demo")
    staff_page.get_by_role("button", name="Grant credits").click()
    assert "+50 credits, 350 now. for the demo" in staff_page.locator(".messagelist").inner_text()
    assert staff_page.complaints == []
    assert ledger.balance(user).balance == 350
