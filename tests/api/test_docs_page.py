"""The API's page draws in a real browser, under its own policy, and asks nobody else."""

import pytest

pytestmark = pytest.mark.browser


def test_the_docs_list_every_operation_and_break_no_rule(live_server, page):
    spoken, asked = [], []
    page.on("console", lambda message: spoken.append(message.text))
    page.on("pageerror", lambda error: spoken.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{live_server.url}/api/docs")
    page.get_by_text("/api/workflow/execute").first.wait_for()
    assert page.locator(".opblock").count() == 16
    assert [text for text in spoken if "Content Security Policy" in text or "Error" in text] == []
    assert [url for url in asked if not url.startswith((live_server.url, "data:"))] == []
