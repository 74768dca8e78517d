"""The built site as a visitor meets it: `make site-test`, in a headless Chromium without a network."""

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from browser import DESK, PHONE, browser, complaints, found
from names import public
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

SITE = Path(__file__).parents[2] / "build/site"
PAGES = sorted(str(path.relative_to(SITE)) for path in SITE.rglob("*.html") if path.name != "404.html")

pytestmark = pytest.mark.skipif(found() is None, reason="no Chromium with its driver: apt install chromium-driver")


@pytest.fixture(scope="module")
def desk():
    with browser(DESK) as driver:
        yield driver


@pytest.fixture(scope="module")
def phone():
    with browser(PHONE) as driver:
        yield driver


class Parts(HTMLParser):
    """The identities and the targets of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.identities: set[str] = set()
        self.targets: set[str] = set()
        self.feed((SITE / page).read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.identities |= {value for name in ("id", "name") if (value := values.get(name))}
        self.targets |= {value for name in ("href", "src") if (value := values.get(name))}


def test_there_are_pages_of_every_kind():
    assert {"index.html", "guide.html", "glossary.html", "api/stats.html", "tutorials/first_map.html"} <= set(PAGES)


def test_every_link_of_the_site_leads_somewhere():
    parts = {page: Parts(page) for page in PAGES}
    broken = []
    for page, content in parts.items():
        for target in content.targets:
            link = urlsplit(target)
            if link.scheme or link.netloc:
                continue
            there = (SITE / page).parent.joinpath(unquote(link.path)).resolve() if link.path else SITE / page
            name = str(there.relative_to(SITE)) if there.is_relative_to(SITE) else ""
            anchor = unquote(link.fragment)
            missing = anchor and name in parts and anchor not in parts[name].identities and anchor != "__skip"
            if not there.exists() or missing:
                broken.append((page, target))
    assert broken == []


def test_the_reference_has_every_public_name():
    for module, names in public().items():
        parts = Parts(f"api/{module.removeprefix('chaosjax.')}.html")
        assert {f"{module}.{name}" for name in names} <= parts.identities


@pytest.mark.parametrize("page", PAGES)
def test_a_page_loads_whole_and_from_the_folder_alone(desk, page):
    desk.get((SITE / page).as_uri())
    assert desk.find_element(By.TAG_NAME, "h1").text.strip("¶ ")
    assert complaints(desk) == []
    loaded = desk.execute_script("return performance.getEntriesByType('resource').map(entry => entry.name)")
    assert [name for name in loaded if not name.startswith(("file:", "data:"))] == []
    pictures = desk.execute_script(
        "return [...document.images].filter(i => !i.complete || !i.naturalWidth).map(i => i.src)"
    )
    assert pictures == []
    text = desk.find_element(By.TAG_NAME, "article").get_attribute("innerText")
    assert not any(raw in text for raw in (":math:", ".. math", r"\frac", r"\lambda", "$$"))


@pytest.mark.parametrize("page", PAGES)
def test_a_page_fits_a_phone(phone, page):
    phone.get((SITE / page).as_uri())
    wide, seen = phone.execute_script("return [document.documentElement.scrollWidth, window.innerWidth]")
    assert wide <= seen == PHONE[0]
    size = phone.execute_script("return parseFloat(getComputedStyle(document.querySelector('article')).fontSize)")
    assert size >= 14


def test_the_tabs_lead_through_the_site(desk):
    desk.get((SITE / "index.html").as_uri())
    tabs = [link.get_attribute("href") for link in desk.find_elements(By.CSS_SELECTOR, ".md-tabs__link")]
    assert len(tabs) >= 7
    for tab in tabs:
        desk.get(tab)
        assert desk.find_element(By.CSS_SELECTOR, ".md-tabs__item--active")


def test_search_finds_the_lyapunov_probe(desk):
    desk.get((SITE / "index.html").as_uri())
    desk.find_element(By.CSS_SELECTOR, ".md-search__input").send_keys("lyapunov")
    results = WebDriverWait(desk, 20).until(lambda d: d.find_elements(By.CSS_SELECTOR, ".md-search-result__link"))
    pages = [result.get_attribute("href") for result in results]
    assert any("api/probes.html" in page for page in pages)
    desk.get(next(page for page in pages if "api/probes.html" in page))
    assert "lyapunov" in desk.find_element(By.TAG_NAME, "article").text
    assert complaints(desk) == []
