"""A headless Chromium for what must be measured or recorded in a real page; cut off from the network."""

import functools
import http.server
import shutil
import threading
from contextlib import contextmanager

ARGUMENTS = ["--no-sandbox", "--disable-background-networking"]
PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


class NoBrowser(RuntimeError):
    """There is no browser on this machine, or nothing to drive it with."""


@contextmanager
def chromium():
    """Yield a Playwright browser. Raises NoBrowser, which says what is missing."""
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        raise NoBrowser("playwright is not installed; it comes with the extra [test]") from None
    found, tried = dict.fromkeys(filter(None, map(shutil.which, PROGRAMS))), []
    with sync_playwright() as playwright:
        for program in (*found, None):  # None: the one that playwright installed; some that are found are only stubs
            try:
                browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
                break
            except Error as error:
                tried.append(f"{program or 'the one of playwright'} ({str(error).splitlines()[0]})")
        else:
            raise NoBrowser(f"no Chromium starts here; tried {', '.join(tried)}")
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def served(folder):
    """Serve a folder on this machine alone; yields its address."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
