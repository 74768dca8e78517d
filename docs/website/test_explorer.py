"""The explorer as one clicks through it, in a headless Chromium without a network."""

import numpy as np
import pytest
import xarray as xr
from browser import PHONE, browser, complaints, found
from selenium.webdriver import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select, WebDriverWait

from chaosjax import plotting

pytestmark = pytest.mark.skipif(found() is None, reason="no Chromium with its driver: apt install chromium-driver")


def sweep(rates: int, seeds: int, times: int) -> xr.Dataset:
    """A planted sweep whose every number tells its cell: the loss is rate + 100 · seed + 0.001 · t."""
    eta, seed, time = np.geomspace(0.1, 10, rates), np.arange(seeds), np.arange(times)
    dims, shape = ("learning_rate", "seed", "time"), (rates, seeds, times)
    loss = eta[:, None, None] + 100 * seed[:, None] + 0.001 * time
    growth = np.broadcast_to(np.log(eta)[:, None, None], shape).copy()
    growth[..., 0] = 0
    distance = 1e-8 * np.exp(np.clip(growth.cumsum(-1), -5, 12))[..., None] * np.ones(3)
    nats = {"long_name": "tangent growth since the last record", "units": "nats"}
    return xr.Dataset(
        {
            "loss": (dims, loss, {"long_name": "loss", "units": "nats"}),
            "growth": ((*dims, "exponent"), growth[..., None], nats),
            "distance": ((*dims, "copy"), distance, {"long_name": "l1 distance", "units": "1"}),
            "test_accuracy": (dims, np.minimum(0.02 * time, 1) * np.ones(shape), {"long_name": "test accuracy"}),
            "alive": (dims, np.ones(shape, bool)),
        },
        {"learning_rate": eta, "seed": seed, "time": time},
    )


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    return plotting.explore(sweep(28, 5, 160), "a planted sweep").save(tmp_path_factory.mktemp("explorer") / "a.html")


@pytest.fixture
def desk():
    with browser() as driver:
        yield driver


def opened(driver, path) -> float:
    """Open a page and return the seconds of processor time until all of it is drawn."""
    driver.execute_cdp_cmd("Performance.enable", {"timeDomain": "threadTicks"})
    driver.get(path.as_uri())
    WebDriverWait(driver, 60).until(lambda d: d.find_element(By.TAG_NAME, "body").get_attribute("data-drawn"))
    metrics = driver.execute_cdp_cmd("Performance.getMetrics", {})["metrics"]
    return next(metric["value"] for metric in metrics if metric["name"] == "TaskDuration")


def drawn_loss(driver) -> list[float]:
    """The first drawn loss of each seed."""
    script = """
    const traces = document.getElementById("curves").data;
    return traces.filter(t => t.hovertemplate.includes("<br>loss:")).map(t => t.y[0]);
    """
    return driver.execute_script(script)


def test_it_opens_in_three_seconds_without_a_complaint_or_a_network(desk, page):
    assert 0.05 < opened(desk, page) < 3
    assert complaints(desk) == []
    assert desk.execute_script("return performance.getEntriesByType('resource').length") == 0
    assert "Save data" in desk.find_element(By.ID, "curves-controls").text


def test_a_click_on_a_rate_shows_the_curves_of_its_seeds(desk, page):
    opened(desk, page)
    before = drawn_loss(desk)
    desk.execute_script("document.getElementById('overview').scrollIntoView()")
    point = desk.execute_script("""
    const figure = document.getElementById("overview"), axis = figure._fullLayout.xaxis, y = figure._fullLayout.yaxis;
    const trace = figure.data.find(t => t.mode === "lines+markers"), box = figure.getBoundingClientRect();
    const x = trace.x[3], left = box.left + axis._offset, top = box.top + y._offset;
    return [left + axis.d2p(x), top + y.d2p(trace.y[3]), x];
    """)
    ActionChains(desk).move_by_offset(point[0], point[1]).pause(0.5).click().perform()
    WebDriverWait(desk, 10).until(lambda d: drawn_loss(d) != before)
    np.testing.assert_allclose(drawn_loss(desk), point[2] + 100 * np.arange(5), rtol=1e-5)
    assert f"{point[2]:.4g}" in desk.find_element(By.ID, "cell").text
    assert complaints(desk) == []


def test_numbers_are_those_of_the_statistics(desk, page):
    opened(desk, page)
    rows = desk.execute_script("return window.explorer.overviewRows()")
    column = rows[0].index("growth_whole_run")
    np.testing.assert_allclose([row[column] for row in rows[1:]], np.log(np.geomspace(0.1, 10, 28)), atol=1e-6)
    times = rows[0].index("test_accuracy_training_time")
    assert [row[times] for row in rows[1:]] == [45] * 28


def test_a_map_goes_over_any_two_axes(desk, page):
    opened(desk, page)
    *_, y_axis = map(Select, desk.find_elements(By.CSS_SELECTOR, "#map-controls select"))
    y_axis.select_by_visible_text("seed")
    quantity = Select(desk.find_elements(By.CSS_SELECTOR, "#map-controls select")[0])
    quantity.select_by_visible_text("loss")
    z = desk.execute_script("return document.getElementById('map').data[0].text.map(row => Number(row[0]))")
    middle = np.geomspace(0.1, 10, 28)[14]
    np.testing.assert_allclose(z, middle + 100 * np.arange(5), rtol=1e-3)
    assert complaints(desk) == []


def test_a_hundred_thousand_cells_are_thinned_and_the_page_says_so(desk, tmp_path):
    page = plotting.explore(sweep(1000, 100, 12))
    assert page.thinned.startswith("Curves of ")
    assert "of 100,000 cells" in page.thinned
    assert len(page.html) < 30e6
    opened(desk, page.save(tmp_path / "large.html"))
    assert desk.find_element(By.ID, "note").text == page.thinned
    assert len(desk.execute_script("return document.getElementById('overview').data.at(-1).x")) == 1000


def test_it_fits_a_phone(page):
    with browser(PHONE) as phone:
        opened(phone, page)
        wide = phone.execute_script("return document.documentElement.scrollWidth")
        assert wide <= PHONE[0]
