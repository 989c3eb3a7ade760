"""The page of the sandbox in a real browser."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

from tests.page.conftest import started

if TYPE_CHECKING:
    from collections.abc import Callable

    from selenium.webdriver import Chrome

    from tests.page.conftest import Sandbox

pytestmark = pytest.mark.page

CRM_EXAMPLE = Path(__file__).parents[2] / "config" / "crm.yaml"
SCRIPT = "<img src=x onerror=document.title='owned'><script>document.title='owned'</script>"


def order(key: str, note: str | None = None, amount: object = 1.5) -> dict[str, object]:
    return {"id": key, "customer_id": "1", "status": "new", "amount": amount, "note": note,
            "modified_at": "2025-01-06T08:00:00.000Z"}  # fmt: skip


def texts(browser: Chrome, selector: str) -> list[str]:
    """Return the texts at a selector, in one step: the page may change in between."""
    found: list[str] = browser.execute_script(
        "return [...document.querySelectorAll(arguments[0])].map((each) => each.textContent)",
        selector,
    )
    return found


def problems_seen(browser: Chrome) -> list[object]:
    """Return the warnings and errors of the browser since the last call."""
    log: list[dict[str, object]] = browser.get_log("browser")  # type: ignore[no-untyped-call]  # selenium's own gap
    return [line for line in log if line["level"] in {"SEVERE", "WARNING"}]


def until(browser: Chrome, holds: Callable[[], object]) -> None:
    WebDriverWait(browser, 10, poll_frequency=0.05).until(lambda _: holds())


def keys(browser: Chrome) -> list[str]:
    return texts(browser, "#rows-table tbody th")


@pytest.fixture
def page(browser: Chrome, sandbox: Sandbox) -> Chrome:
    problems_seen(browser)
    browser.get(sandbox.origin)
    until(
        browser, lambda: browser.find_element(By.ID, "state").get_attribute("data-state") == "live"
    )
    return browser


def choose(page: Chrome, name: str) -> None:
    page.find_element(By.CSS_SELECTOR, f"[data-object={name}]").click()
    until(page, lambda: texts(page, "#rows-title") == [f"Rows of {name}"])


def test_the_shops_objects_are_listed(page: Chrome) -> None:
    """With their row counts, and a text in the empty table."""
    assert ["customers0", "orders0", "page_views0"] == texts(page, "#objects .top")
    assert ["No rows yet. Rows appear a moment after their 202."] == texts(
        page, "#rows-table tbody td"
    )


def test_rows_appear_by_themselves(page: Chrome, sandbox: Sandbox) -> None:
    """Within a moment of their acceptance, without a reload."""
    choose(page, "orders")
    sandbox.upsert("orders", order("1"), order("2"))
    until(page, lambda: keys(page) == ["1", "2"])
    assert "orders2" in texts(page, "#objects .top")


def test_values_stay_text(page: Chrome, sandbox: Sandbox) -> None:
    """Markup in a row, a key or a problem record is shown as text, never run (C20)."""
    choose(page, "orders")
    sandbox.upsert("orders", order(SCRIPT, SCRIPT), order("3", SCRIPT, amount="much"))
    until(page, lambda: texts(page, "#problems .row"))
    until(page, lambda: keys(page) == [SCRIPT])
    assert SCRIPT in texts(page, "#rows-table tbody td")
    assert page.title == "Data 360 sandbox"
    assert [] == page.find_elements(By.CSS_SELECTOR, "main img, main script")


def test_numbers_keep_their_digits(page: Chrome, sandbox: Sandbox) -> None:
    """More digits than a browser's number holds."""
    choose(page, "orders")
    sandbox.upsert("orders", order("1", amount=123456789012345678901234567890))
    until(page, lambda: "123456789012345678901234567890" in texts(page, "#rows-table tbody td"))


def test_search_narrows_the_rows(page: Chrome, sandbox: Sandbox) -> None:
    """By any text in a row; the range below counts the matches."""
    choose(page, "orders")
    sandbox.upsert("orders", order("1", "lamp"), order("2", "shoe"))
    page.find_element(By.ID, "search").send_keys("shoe")
    until(page, lambda: keys(page) == ["2"])
    assert ["1 to 1 of 1"] == texts(page, "#rows-range")


def test_rows_come_in_pages(page: Chrome, sandbox: Sandbox) -> None:
    """Fifty at a time, forwards and backwards."""
    choose(page, "orders")
    sandbox.upsert("orders", *(order(f"{n:03d}") for n in range(120)))
    until(page, lambda: texts(page, "#rows-range") == ["1 to 50 of 120"])
    page.find_element(By.ID, "next").click()
    until(page, lambda: texts(page, "#rows-range") == ["51 to 100 of 120"])
    page.find_element(By.ID, "next").click()
    until(page, lambda: texts(page, "#rows-range") == ["101 to 120 of 120"])
    assert not page.find_element(By.ID, "next").is_enabled()
    page.find_element(By.ID, "previous").click()
    until(page, lambda: keys(page)[:1] == ["050"])


def test_requests_are_listed_with_status_and_size(page: Chrome, sandbox: Sandbox) -> None:
    """The newest first."""
    sandbox.upsert("orders", order("1"))
    until(page, lambda: "orders" in texts(page, "#requests tbody tr:first-child td"))
    cells = texts(page, "#requests tbody tr:first-child td")
    assert ["upsert", "orders", "202", "1"] == cells[1:5]
    assert int(cells[5]) > 100


def test_problem_records_name_their_field(page: Chrome, sandbox: Sandbox) -> None:
    """With the object that they belong to."""
    sandbox.upsert("orders", order("1", amount="much"))
    choose(page, "orders")
    until(page, lambda: texts(page, "#problems p:nth-child(2)"))
    assert ["amount: expected type: Number, found: String"] == texts(
        page, "#problems p:nth-child(2)"
    )


def test_active_fault_rules_are_shown(page: Chrome, sandbox: Sandbox) -> None:
    """With the text that was set through the control endpoint."""
    assert not page.find_element(By.ID, "faults-section").is_displayed()
    sandbox.call("/sandbox/faults", b'{"rules":["delete status=503"]}', "application/json")
    until(page, lambda: texts(page, "#faults code") == ["delete status=503"])


def test_bulk_jobs_are_listed_with_their_row_counts(page: Chrome, sandbox: Sandbox) -> None:
    """Destination, object, operation, state and counts, once there is a job."""
    assert not page.find_element(By.ID, "jobs-section").is_displayed()
    sandbox.load_contacts(b"LastName,Email\nAda,ada@example.com\n,missing@example.com\n")
    until(page, lambda: "JobComplete" in texts(page, "#jobs td"))
    assert page.find_element(By.ID, "jobs-section").is_displayed()
    assert ["crm_bulk", "Contact", "insert", "JobComplete", "2", "1", "1", "0"] == texts(
        page, "#jobs td"
    )[1:9]


def test_a_sandbox_of_the_crm_only_is_live(browser: Chrome, tmp_path: Path) -> None:
    """Without an object of Data 360 the page shows requests and jobs, and no rows."""
    with started(tmp_path, "-c", str(CRM_EXAMPLE)) as sandbox:
        browser.get(sandbox.origin)
        until(browser, lambda: texts(browser, "#state-text") == ["Live"])
        sandbox.load_contacts(b"LastName\nAda\n")
        until(browser, lambda: "JobComplete" in texts(browser, "#jobs td"))
        assert not browser.find_element(By.ID, "rows").is_displayed()


def test_the_keyboard_reaches_everything(page: Chrome) -> None:
    """Skip link, objects, search and table, in reading order, each with a visible focus."""
    page.execute_script("document.activeElement.blur()")
    stops = []
    for _ in range(7):
        page.switch_to.active_element.send_keys(Keys.TAB)
        stops.append(
            page.execute_script(
                "const at = document.activeElement; return at.dataset.object || at.id ||"
                " at.className"
            )
        )
    assert ["skip", "customers", "orders", "page_views", "search", "scroll"] == stops[:6]
    outline = page.execute_script("return getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"


def test_the_chosen_object_keeps_the_focus(page: Chrome) -> None:
    """Choosing by keyboard does not send the user back to the top."""
    page.find_element(By.CSS_SELECTOR, "[data-object=page_views]").send_keys(Keys.ENTER)
    until(page, lambda: texts(page, "#rows-title") == ["Rows of page_views"])
    until(page, lambda: page.switch_to.active_element.get_attribute("data-object") == "page_views")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_enough_contrast(page: Chrome, sandbox: Sandbox, scheme: str) -> None:
    """At least 4.5 to 1 for every text on the page, in the light and the dark scheme."""
    page.execute_cdp_cmd(
        "Emulation.setEmulatedMedia",
        {"features": [{"name": "prefers-color-scheme", "value": scheme}]},
    )
    sandbox.upsert("orders", order("1"), order("2", amount="much"))
    sandbox.load_contacts(b"LastName\nAda\n")
    choose(page, "orders")
    until(page, lambda: texts(page, "#problems .tag") and "JobComplete" in texts(page, "#jobs td"))
    until(page, lambda: keys(page))
    assert [] == page.execute_script(CONTRAST)
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_a_missing_sandbox_is_shown(page: Chrome, sandbox: Sandbox) -> None:
    """The state at the top changes when the sandbox stops answering."""
    page.execute_script("window.fetch = () => Promise.reject(new Error('gone'))")
    until(page, lambda: texts(page, "#state-text") == ["The sandbox does not answer"])
    assert sandbox.origin in page.current_url


def test_the_browser_reports_no_problem(page: Chrome, sandbox: Sandbox) -> None:
    """No error, no blocked content, no missing file."""
    sandbox.upsert("orders", order("1"))
    choose(page, "orders")
    until(page, lambda: keys(page) == ["1"])
    assert [] == problems_seen(page)


CONTRAST = """
const channel = (value) =>
  (value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
const ground = (element) => {
  for (let at = element; at; at = at.parentElement) {
    const colour = numbers(getComputedStyle(at).backgroundColor);
    if (colour.length === 3 || colour[3] === 1) return colour;
  }
  return [255, 255, 255];
};
const weak = [];
for (const element of document.body.querySelectorAll("*")) {
  const own = [...element.childNodes].some(
    (node) => node.nodeType === 3 && node.textContent.trim());
  if (!own || element.disabled || !element.checkVisibility()) continue;
  const [one, other] = [light(numbers(getComputedStyle(element).color)), light(ground(element))];
  const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
  if (ratio < 4.5) weak.push(`${element.tagName}.${element.className}: ${ratio.toFixed(2)}`);
}
return weak;
"""
