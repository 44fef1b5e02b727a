"""A real browser walks through the product. The pipeline is driven by the test, so nothing here waits for a clock."""

from itertools import product
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.factories import PASSWORD, UserFactory
from tests.pictures import picture, sent
from tests.pipeline import finish, run, start
from vidgenie import tokens
from workflows import uploads
from workflows.models import Workflow

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

SMALL = {"resolution": "480p", "duration_seconds": 2, "seed": 7}
WEIGHT = 150_000  # bytes, the whole page as it is transferred
PLAY = """video => new Promise(done => {
    video.ontimeupdate = () => video.currentTime > 0.3 && done();
    video.muted = true;
    video.play();
})"""


@pytest.fixture
def user(transactional_db):
    return UserFactory(username="alice")


@pytest.fixture
def signed_in(context, user, live_server, client):
    """The browser's context with alice's session."""
    client.force_login(user)
    session = client.cookies["session"]
    context.add_cookies([{"name": "session", "value": session.value, "url": live_server.url}])
    return context


@pytest.fixture
def complaints(page):
    """What the browser reports: blocked by the content policy, errors of scripts, requests to other hosts."""
    found = []
    page.on("console", lambda message: found.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: found.append(str(error)))
    return found


@pytest.fixture
def addresses(user):
    """Every page there is, with something on each."""
    made = run(user, "complete", "a fox in the snow", **SMALL)
    failed = run(user, "complete", "a whale #sim:fail@video", **SMALL)
    running = start(user, "complete", "an owl", **SMALL)
    still = made.steps.get(stage="image").asset
    uploads.upload(user, sent(picture()))
    return {
        "front": "/",
        "create": "/workflows/create/",
        "create from an image": f"/workflows/create/?image={still.pk}",
        "made": f"/workflows/{made.pk}/",
        "failed": f"/workflows/{failed.pk}/",
        "running": f"/workflows/{running.pk}/",
        "delete": f"/workflows/{made.pk}/delete/",
        "gallery": "/workflows/",
        "pictures": "/workflows/pictures/",
        "credits": "/credits/",
        "rules": "/credits/rules/",
        "tokens": "/accounts/tokens/",
        "provider keys": "/accounts/keys/",
        "e-mail": "/accounts/email/",
        "password": "/accounts/password/change/",
        "two factors": "/accounts/2fa/",
        "sign out": "/accounts/logout/",
        "missing": "/nothing/",
    }


STRANGERS = {
    "front": "/",
    "sign up": "/accounts/signup/",
    "sign in": "/accounts/login/",
    "reset": "/accounts/password/reset/",
    "rules": "/credits/rules/",
}


def test_from_signing_up_to_a_playing_video(page, live_server, transactional_db, complaints):
    page.goto(live_server.url)
    page.get_by_role("link", name="Make your first video").click()
    page.get_by_label("Email").fill("ada@example.org")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign up").click()
    page.get_by_label("What should we see?").fill("a fox in the snow")
    page.get_by_label("2 s", exact=True).check()
    page.get_by_label("480p", exact=True).check()
    page.get_by_role("button", name="Make it · 5 credits").click()
    page.get_by_text("5 credits held").wait_for()
    finish(Workflow.objects.get())
    video = page.locator("video")
    video.wait_for()
    expect(page.locator("#purse")).to_have_text("295 credits")
    video.evaluate(PLAY)
    assert video.evaluate("video => Math.round(video.duration)") == 2
    assert complaints == []


def test_the_page_announces_what_happens_and_then_stops_asking(signed_in, page, live_server, user):
    workflow = start(user, "image-only", "a fox", resolution="480p")
    page.goto(live_server.url + workflow.get_absolute_url())
    assert page.get_by_role("status").inner_text() == "Words: waiting for its turn"
    finish(workflow)
    expect(page.get_by_role("status")).to_have_text("It is made.")
    assert page.locator("[hx-get]").count() == 0


def test_a_poll_without_news_leaves_the_page_alone(signed_in, page, live_server, user):
    workflow = start(user, "image-only", "a fox", resolution="480p")
    page.goto(live_server.url + workflow.get_absolute_url())
    for _ in range(2):
        with page.expect_response("**/live/"):
            pass
    page.evaluate("document.querySelector('#live').marked = true")
    for _ in range(2):
        with page.expect_response("**/live/"):
            pass
    assert page.evaluate("document.querySelector('#live').marked")


def test_a_keyboard_is_enough(signed_in, page, live_server, user):
    page.goto(live_server.url + "/workflows/create/")
    page.keyboard.type("an owl at night")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.value") == "complete"
    page.keyboard.press("ArrowRight")
    page.get_by_role("button", name="Make it · 5 credits").wait_for()
    page.get_by_label("What should we see?").focus()
    page.keyboard.press("Control+Enter")
    page.wait_for_url("**/workflows/*-*/")
    assert Workflow.objects.get().type == "image-only"
    reach(page, "cancel")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Try again · 5 credits").wait_for()
    assert Workflow.objects.get().status == "canceled"


def reach(page, wanted):
    """Press Tab until the element with this id has the focus; it must be visible then."""
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == wanted:
            assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
            return
    raise AssertionError(f"{wanted} is not reached by the keyboard")


def test_the_first_tab_offers_to_skip_the_menu(signed_in, page, live_server):
    page.goto(live_server.url + "/credits/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def test_errors_get_the_focus_and_lead_to_their_field(signed_in, page, live_server):
    page.goto(live_server.url + "/workflows/create/")
    page.get_by_role("button", name="Make it").click()
    alert = page.get_by_role("alert")
    assert alert.evaluate("element => element === document.activeElement")
    alert.get_by_role("link", name="Write what you want to see.").click()
    assert page.url.endswith("#id_prompt")


def test_a_draft_outlives_a_reload(signed_in, page, live_server):
    page.goto(live_server.url + "/workflows/create/")
    page.get_by_label("What should we see?").fill("a half-written")
    page.reload()
    assert page.get_by_label("What should we see?").input_value() == "a half-written"


def test_a_picture_is_seen_before_it_is_sent(signed_in, page, live_server, user, tmp_path):
    uploads.upload(user, sent(picture()))
    (tmp_path / "mine.png").write_bytes(picture())
    (tmp_path / "words.png").write_text("no picture")
    page.goto(f"{live_server.url}/workflows/create/?type=video-from-image")
    seen, upload = page.locator("[data-chosen]"), page.locator("#id_upload")
    expect(seen).to_be_hidden()
    upload.set_input_files(tmp_path / "mine.png")
    expect(seen).to_be_visible()
    upload.set_input_files(tmp_path / "words.png")
    expect(seen).to_be_hidden()
    upload.set_input_files(tmp_path / "mine.png")
    page.locator('.pick [name="image"]').check()
    expect(seen).to_be_hidden()
    assert upload.input_value() == ""


def test_a_long_name_leaves_its_button_alone(signed_in, page, live_server, user):
    tokens.create(user, "the nightly render of a newsletter on the small machine", scopes=["read"])
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{live_server.url}/accounts/tokens/")
    place = page.get_by_role("button", name="Revoke").bounding_box()
    assert place["width"] > place["height"]


@pytest.mark.parametrize("language", ["en", "fr"])
def test_the_menu_of_a_phone_is_one_line(signed_in, page, live_server, language):
    signed_in.add_cookies([{"name": "django_language", "value": language, "url": live_server.url}])
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{live_server.url}/workflows/create/")
    assert page.locator("html").get_attribute("lang") == language
    assert page.locator(".top").bounding_box()["height"] < 80


def test_filters_answer_without_their_button(signed_in, page, live_server, user):
    run(user, "image-only", "a fox", resolution="480p")
    page.goto(f"{live_server.url}/workflows/")
    expect(page.get_by_role("button", name="Show")).to_be_hidden()
    page.get_by_label("state").select_option("failed")
    page.get_by_text("Nothing of this kind.").wait_for()


def test_nothing_stands_in_anybodys_way(browser, signed_in, live_server, addresses):
    stranger = browser.new_context()
    for context, pages in ((signed_in, addresses), (stranger, STRANGERS)):
        page = context.new_page()
        for name, address in pages.items():
            page.goto(live_server.url + address)
            for theme, width in product(("dark", "light"), (360, 1280)):
                page.emulate_media(color_scheme=theme, reduced_motion="reduce")
                page.set_viewport_size({"width": width, "height": 800})
                found = Axe().run(page)
                assert found.violations_count == 0, f"{name}, {theme}, {width}: {found.generate_report()}"
    stranger.close()


def test_every_page_fits_a_narrow_screen(signed_in, page, live_server, addresses):
    page.set_viewport_size({"width": 320, "height": 700})
    for name, address in (addresses | STRANGERS).items():
        page.goto(live_server.url + address)
        assert page.evaluate("document.documentElement.scrollWidth") <= 320, name


def test_no_page_is_heavy_or_asks_another_host(browser, signed_in, live_server, addresses):
    cookies = signed_in.cookies()
    for name, address in (addresses | STRANGERS).items():
        context = browser.new_context()  # nothing in its cache
        if address not in STRANGERS.values():
            context.add_cookies(cookies)
        page, requests = context.new_page(), []
        page.on("requestfinished", lambda request, to=requests: to.append(request))
        page.goto(live_server.url + address, wait_until="load")
        page.wait_for_timeout(300)  # what scripts and fonts bring after that
        hosts = {urlsplit(request.url).netloc for request in requests}
        weight = sum(map(transferred, requests))
        context.close()
        assert hosts == {urlsplit(live_server.url).netloc}, name
        assert weight < WEIGHT, f"{name} weighs {weight} bytes"


def transferred(request):
    sizes = request.sizes()
    return sizes["responseBodySize"] + sizes["responseHeadersSize"]


def test_no_page_trips_over_its_content_policy(signed_in, page, live_server, addresses, complaints):
    for address in (addresses | STRANGERS).values():
        page.goto(live_server.url + address)
    page.wait_for_load_state("networkidle")
    assert [complaint for complaint in complaints if "404" not in complaint] == []


def test_it_works_without_a_script(browser, live_server, user):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(live_server.url + "/accounts/login/")
    page.get_by_label("Login").fill("alice")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_label("What should we see?").fill("a fox in the snow")
    page.get_by_label("2 s", exact=True).check()
    page.get_by_label("480p", exact=True).check()
    page.get_by_role("button", name="Show the price").click()
    page.get_by_role("button", name="Make it · 5 credits").click()
    page.get_by_text("5 credits held").wait_for()
    finish(Workflow.objects.get())
    page.reload()
    assert page.locator("video").get_attribute("src").endswith("/content")
    assert page.get_by_text("5 credits taken.").is_visible()
    context.close()
