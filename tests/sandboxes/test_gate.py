"""No page reaches a server that is none of its site, by whatever way it tries.

Every way is tried twice: with the canary among the sites, where it must arrive (so the way works),
and without it. Ways that no site can allow have their positive control outside of the gate.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from pages import ORIGIN, Canary, Pages, canary

from agentgym.browser import Answer, Gesture
from agentgym.errors import DeadlineError, SandboxError, UsageError
from agentgym.sandboxes.browser import Chromium, Deadlines
from agentgym.sandboxes.chromium import ARGUMENTS, find_chromium

pytestmark = pytest.mark.browser

QUICK = Deadlines(open_s=6, call_s=6, settle_s=0.3)
WAYS = {
    "fetch": "fetch('{there}').catch(() => 0)",
    "blind fetch": "fetch('{there}', {{mode: 'no-cors', method: 'POST'}}).catch(() => 0)",
    "beacon": "navigator.sendBeacon('{there}', 'x')",
    "XMLHttpRequest": "{{const ask = new XMLHttpRequest(); ask.open('GET', '{there}');"
    " ask.send()}}",
    "WebSocket": "new WebSocket('{there}'.replace('http', 'ws'))",
    "EventSource": "new EventSource('{there}')",
    "image": "new Image().src = '{there}'",
    "script": "{{const tag = document.createElement('script'); tag.src = '{there}';"
    " document.head.append(tag)}}",
    "style": "document.body.innerHTML = `<style>@import '{there}x'</style>`",
    "background": "document.body.style.background = 'url({there})'",
    "font": "new FontFace('f', 'url({there})').load().catch(() => 0)",
    "frame": "document.body.innerHTML = '<iframe src={there}></iframe>'",
    "object": "document.body.innerHTML = '<object data={there}></object>'",
    "video": "document.body.innerHTML = '<video src={there} preload=auto></video>'",
    "form": "{{document.body.innerHTML = '<form method=post action={there}>';"
    " document.forms[0].submit()}}",
    "ping": "{{document.body.innerHTML = '<a ping={there} href=#x>x</a>';"
    " document.querySelector('a').click()}}",
    "location": "location = '{there}'",
    "window": "window.open('{there}')",
    "refresh": "document.head.innerHTML = '<meta http-equiv=refresh content=\"0;url={there}\">'",
    "prefetch": "document.head.innerHTML = '<link rel=prefetch href={there}>'",
    "preload": "document.head.innerHTML = '<link rel=preload as=image href={there}>'",
    "worker": "new Worker(URL.createObjectURL(new Blob([`fetch('{there}')`])))",
    "redirect": "location = '/redirect'",
    "redirected fetch": "fetch('/redirect').catch(() => 0)",
    "user and password": "location = '{there}'.replace('://', '://own.test@')",
    "mapped address": "location = '{there}'.replace('127.0.0.1', '[::ffff:127.0.0.1]')",
    "decimal address": "location = '{there}'.replace('127.0.0.1', '2130706433')",
    "octal address": "location = '{there}'.replace('127.0.0.1', '0177.0.0.1')",
    "hexadecimal address": "location = '{there}'.replace('127.0.0.1', '0x7f.1')",
    "localhost": "location = '{there}'.replace('127.0.0.1', 'localhost')",
}
"""What a page of the site does to reach `there`."""
OTHER_NAMES = {"localhost": "localhost", "mapped address": "[::ffff:7f00:1]"}
"""Under which name the canary is a site, where the way changes it."""
HIDDEN = ("mapped address",)
"""The canary does not listen on IPv6, so this way has no control."""


@pytest.fixture(autouse=True, scope="module")
def needs_chromium() -> None:
    try:
        find_chromium()
    except UsageError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def watch() -> Iterator[Canary]:
    with canary() as found:
        yield found


def attempt(tab: Chromium, way: str, there: str) -> str:
    """Try one way from a fresh page of the site; the path by which it is known."""
    path = "redirected" if "redirect" in way else f"way{list(WAYS).index(way):02}"
    tab.open(f"{ORIGIN}/")
    try:
        tab.call(f"() => {{{WAYS[way].format(there=there + path)}}}")
        tab.act(Gesture(kind="press", text="a"))
    except (SandboxError, DeadlineError):
        pass  # the page may have been left for an error page
    return path


def arrives(watch: Canary, path: str, *, wait_s: float) -> bool:
    """Whether a request with that path comes."""
    end = time.monotonic() + wait_s
    while time.monotonic() < end:
        if any(path.encode() in hit for hit in watch.hits):
            return True
        time.sleep(0.01)
    return False


def pages(there: str) -> Pages:
    """The site: a page, and one that leads elsewhere."""
    return Pages(
        {"/": "<p>own</p>", "/redirect": Answer(status=302, location=there + "redirected")}
    )


def test_no_way_leads_off_the_site(watch: Canary) -> None:
    there = f"http://127.0.0.1:{watch.port}/"
    site = pages(there)
    watch.hits.clear()
    with Chromium(sites={ORIGIN: site}, deadlines=QUICK) as tab:
        for way in WAYS:
            attempt(tab, way, there)
        time.sleep(0.5)
        assert watch.hits == []
        assert len(tab.gate.refused) >= 25
    assert "GET /redirect" in site.asked


def test_every_way_works_where_it_is_allowed(watch: Canary) -> None:
    there = f"http://127.0.0.1:{watch.port}/"
    names = ("127.0.0.1", *OTHER_NAMES.values())
    sites = {f"http://{name}:{watch.port}": None for name in names}
    sites |= {f"https://127.0.0.1:{watch.port}": None}  # WebSockets come by tunnels
    arrived = {}
    with Chromium(sites={ORIGIN: pages(there), **sites}, deadlines=QUICK) as tab:
        for way in WAYS:
            if way not in HIDDEN:
                watch.hits.clear()
                arrived[way] = arrives(watch, attempt(tab, way, there), wait_s=8)
    assert [way for way, came in arrived.items() if not came] == []
    assert len(arrived) >= 15


RTC = """port => new Promise(done => {
    const peer = new RTCPeerConnection({iceServers: [{urls: `stun:127.0.0.1:${port}`}]});
    peer.createDataChannel('x');
    peer.onicegatheringstatechange = () => peer.iceGatheringState === 'complete' && done(1);
    setTimeout(done, 1500, 0);
    peer.createOffer().then(offer => peer.setLocalDescription(offer));
})"""


def test_no_datagram_leaves(watch: Canary) -> None:
    """Its control is Playwright's own browser, without our switches."""
    from playwright.sync_api import sync_playwright

    port = watch.udp.server_address[1]
    watch.hits.clear()
    with Chromium(sites={ORIGIN: pages("/")}, deadlines=QUICK) as tab:
        tab.open(f"{ORIGIN}/")
        tab.call(RTC, port)
    assert not arrives(watch, "datagram", wait_s=0.3)
    assert any("webrtc" in argument for argument in ARGUMENTS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=find_chromium(), args=["--no-sandbox"], timeout=60_000
        )
        page = browser.new_page()
        page.goto("data:text/html,<p>")
        page.evaluate(RTC, port)
        browser.close()
    assert arrives(watch, "datagram", wait_s=2)


@pytest.mark.parametrize("address", ["file:///etc/passwd", "view-source:http://own.test/"])
def test_a_page_shows_no_file_of_this_machine(address: str) -> None:
    with Chromium(sites={ORIGIN: pages("/")}, deadlines=QUICK) as tab:
        tab.open(f"{ORIGIN}/")
        tab.call(
            "address => {document.body.innerHTML = `<iframe src=${address}></iframe>`;"
            "location = address}",
            address,
        )
        tab.act()
        assert tab.call("() => location.origin") == ORIGIN
        seen = tab.call("() => {try {return frames[0].document.body.innerText} catch {return ''}}")
        assert "root:" not in seen


@pytest.mark.parametrize("address", ["169.254.169.254", "[fd00:ec2::254]", "[fe80::1]", "0.0.0.0"])
def test_metadata_is_never_reached_though_a_site_is_there(address: str) -> None:
    origin = f"http://{address}"
    with (
        Chromium(sites={ORIGIN: pages("/"), origin: None}, deadlines=QUICK) as tab,
        pytest.raises(SandboxError, match=r"status 502|ERR_"),
    ):
        tab.open(f"{origin}/latest/")
