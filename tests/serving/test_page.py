"""The page for people, in a real browser where there is one."""

import dataclasses
import re
from collections.abc import Iterator
from importlib.resources import files as resource_files
from pathlib import Path
from xml.etree import ElementTree

import pyarrow as pa
import pytest

from interestrec.serving.serve_settings import ServeSettings
from tests.serving.browser import EXECUTABLE, Browser
from tests.serving.services import RunningService, outline

PAGE = resource_files("interestrec.serving").joinpath("page")
HOSTILE = "<img src=x onerror=document.title=1>"
LONG = "w" * 300
TITLES = {"i1": "Red pan", "i2": "Pan lid", "i3": HOSTILE, LONG: "v" * 300}
in_browser = pytest.mark.skipif(EXECUTABLE is None, reason="Chromium is not installed")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    items = pa.table({"item_id": list(TITLES), "title": list(TITLES.values())})
    with RunningService(tmp_path_factory.mktemp("feedback")) as running:
        assert running.use(dataclasses.replace(outline("titles"), items=items))
        yield running


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    running = Browser(tmp_path_factory.mktemp("profile"))
    yield running
    running.close()


def address(service: RunningService, path: str = "/") -> str:
    return f"http://127.0.0.1:{service.port}{path}"


def find(browser: Browser, text: str) -> None:
    """Type into the history and wait for what is found."""
    browser.evaluate("byId('title').focus()")
    browser.type(text)
    browser.wait("!byId('found').hidden")


def options(browser: Browser) -> list[str]:
    shown = "[...byId('found').children].map((row) => row.textContent)"
    return browser.evaluate(f"byId('found').hidden ? [] : {shown}")


def test_the_files_of_the_page_are_served_and_run_nothing_else(service: RunningService) -> None:
    for path, kind in {"/": "html", "/page.css": "css", "/page.js": "javascript", "/docs": "html"}.items():
        answer = service.ask("GET", path)
        assert (answer.status, answer.headers["content-type"]) == (200, f"text/{kind}; charset=utf-8")
        assert answer.headers["content-security-policy"] == "default-src 'self'; frame-ancestors 'none'"
        assert not re.search(rb'<script(?! src="/)| on\w+=| style=|//(?!\s)\S+\.\w+/', answer.content)


def test_all_that_pages_refer_to_is_served_with_an_icon(service: RunningService) -> None:
    for page in ("/", "/docs"):
        html = service.ask("GET", page).content.decode()
        targets = set(re.findall(r'(?:href|src)="([^"#]+)"', html))
        assert "/icon.svg" in targets
        assert {service.ask("GET", target).status for target in targets} == {200}
    for path in ("/icon.svg", "/favicon.ico"):
        icon = service.ask("GET", path)
        assert icon.headers["content-type"] == "image/svg+xml; charset=utf-8"
        assert icon.headers["content-security-policy"] == "default-src 'self'; frame-ancestors 'none'"
        assert ElementTree.fromstring(icon.content).get("viewBox") == "0 0 16 16"
        assert b"style" not in icon.content  # which the policy would not apply


def test_the_script_asks_for_elements_that_are_there() -> None:
    script, page = PAGE.joinpath("page.js").read_text(), PAGE.joinpath("index.html").read_text()
    ids = set(re.findall(r' id="([^"]+)"', page))
    assert set(re.findall(r'byId\("([^"]+)"\)', script)) <= ids
    assert set(re.findall(r' (?:for|list|aria-\w+)="([a-z-]+)"', page)) - {"true", "false"} <= ids


@in_browser
def test_a_history_is_chosen_by_keyboard_and_its_list_is_shown(service: RunningService, browser: Browser) -> None:
    browser.open(address(service))
    find(browser, "pan")
    assert options(browser) == ["Pan lid (i2)", "Red pan (i1)"]  # the first one begins with it
    assert browser.evaluate("byId('title').getAttribute('aria-expanded')") == "true"
    browser.press("ArrowDown", "ArrowDown")
    assert browser.evaluate("byId(byId('title').getAttribute('aria-activedescendant')).textContent") == "Red pan (i1)"
    browser.press("ArrowDown", "ArrowUp", "Enter")  # to the first one, and back
    assert (browser.text("#history li"), options(browser)) == ("Red pan remove", [])
    find(browser, "lid")
    browser.press("Enter")  # the first one that was found
    browser.press("Enter")  # an empty field sends the request
    browser.wait("!byId('answer').hidden")
    assert browser.text("#answer-title") == "For a new person with this history"
    assert browser.text("#list").split() == "1 T intensity 0.50 because of i1, i2".split()
    assert browser.text("#status") == "One item."
    assert browser.problems == []


@in_browser
def test_escape_closes_what_was_found_and_enter_opens_it_again(service: RunningService, browser: Browser) -> None:
    browser.open(address(service))
    find(browser, "pan")
    browser.press("Escape")
    assert (options(browser), browser.text("#history")) == ([], "")
    browser.press("Enter")
    browser.wait("!byId('found').hidden")
    browser.press("Escape", "Tab", "Tab", "Enter")  # the button; the text is still no item
    browser.wait("byId('status').className === 'error'")
    assert "no item yet" in browser.text("#status")
    assert browser.evaluate("document.activeElement.id") == "title"
    assert browser.evaluate("byId('answer').hidden")


@in_browser
def test_enter_never_chooses_what_an_earlier_text_found(service: RunningService, browser: Browser) -> None:
    browser.open(address(service))
    find(browser, "pan")
    browser.evaluate("void (window.fetch = () => new Promise(() => 0))")
    browser.type(" lid")  # what this finds does not come
    browser.press("Enter")
    assert browser.text("#history") == ""


@in_browser
def test_a_user_and_a_new_person_get_their_lists(service: RunningService, browser: Browser) -> None:
    browser.open(address(service))
    browser.evaluate("byId('user').focus()")
    browser.type("u")
    browser.wait("byId('users').options.length === 2")
    browser.type("2")
    browser.press("Enter")
    browser.wait("byId('answer-title').textContent === 'For user u2'")
    assert browser.text("#about") == "As of 2001-09-09 01:46 UTC; decision titles."
    browser.evaluate("byId('user').value = ''")
    browser.press("Enter")
    browser.wait("byId('answer-title').textContent === 'For a new person'")
    assert browser.problems == []


@in_browser
def test_errors_are_said_and_take_the_old_list_away(service: RunningService, browser: Browser) -> None:
    browser.open(address(service))
    browser.evaluate("byId('user').focus()")
    browser.press("Enter")
    browser.wait("!byId('answer').hidden")
    browser.type("unheard")
    browser.press("Enter")
    browser.wait("byId('status').className === 'error'")
    assert browser.text("#status") == "no event of the log is of kind 'x'"
    assert browser.evaluate("byId('answer').hidden")
    find(browser, "pan")
    browser.evaluate("byId('title').select()")
    browser.type("nothing like it")
    browser.wait("byId('found').hidden")
    assert browser.text("#status") == "No item has “nothing like it” in its title or id."
    browser.page("Network.enable")
    conditions = {"offline": True, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    browser.page("Network.emulateNetworkConditions", **conditions)
    browser.evaluate("byId('title').value = ''")
    browser.press("Enter")
    browser.wait("byId('status').textContent.startsWith('The service does not answer')")
    assert browser.problems == []


@in_browser
def test_titles_are_shown_as_they_are_and_run_nothing(service: RunningService, browser: Browser) -> None:
    browser.open(address(service))
    find(browser, "<img")
    browser.press("Enter")
    assert browser.text("#history li") == f"{HOSTILE} remove"
    assert browser.problems == []
    browser.evaluate(f"void document.body.insertAdjacentHTML('beforeend', '{HOSTILE}')")  # were it shown as HTML
    browser.wait("document.images[0].complete")
    assert browser.evaluate("document.title") == "interestrec: lists"
    assert "Content Security Policy" in browser.problems[0]


@in_browser
def test_the_keyboard_reaches_everything_in_order(service: RunningService, browser: Browser) -> None:
    browser.open(address(service))
    reached = []
    for _ in range(6):
        browser.press("Tab")
        reached.append(browser.evaluate("document.activeElement.id || document.activeElement.textContent"))
    assert reached == ["For programs", "user", "title", "k", "Show the list", "explain"]
    accessible = "[...document.querySelectorAll('input')].every((input) => input.labels.length === 1)"
    assert browser.evaluate(accessible)


@in_browser
@pytest.mark.parametrize("width", [390, 320])
def test_nothing_is_wider_than_a_phone(service: RunningService, browser: Browser, width: int) -> None:
    widest = "Math.max(...[...document.querySelectorAll('html, ul')].map((element) => element.scrollWidth))"
    browser.open(address(service), width)
    find(browser, "vvv")
    assert browser.evaluate(widest) == width
    browser.press("Enter", "Enter")
    browser.wait("!byId('answer').hidden")
    assert LONG in browser.text("#list .why")
    assert browser.evaluate(widest) == width
    browser.evaluate(f"say('{LONG}', true)")
    assert browser.evaluate(widest) == width
    browser.open(address(service, "/docs"), width)
    assert browser.evaluate(widest) == width


@in_browser
def test_a_token_is_asked_for_and_kept(tmp_path: Path, browser: Browser) -> None:
    token = "t" * 32
    (tmp_path / "tokens").write_text(f"{token}\n")
    with RunningService(tmp_path / "feedback", ServeSettings(token_file=tmp_path / "tokens")) as service:
        browser.open(address(service))
        browser.evaluate("byId('user').focus()")
        browser.press("Enter")
        browser.wait("document.activeElement.id === 'token'")
        assert browser.text("#status").startswith("This service asks for a token")
        browser.type(token)
        browser.press("Enter")
        browser.wait("!byId('answer').hidden")
        find(browser, "lid")
        assert options(browser) == ["Pan lid (i2)"]
