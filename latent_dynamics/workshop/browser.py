"""A headless Chromium for what must be measured or recorded in a real page; cut off from the network."""

import functools
import http.server
import shutil
import threading
from contextlib import contextmanager

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
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)  # None: the one that playwright installed
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(
                executable_path=program, args=["--no-sandbox", "--disable-background-networking"]
            )
        except Error as error:
            raise NoBrowser(f"no Chromium: {str(error).splitlines()[0]}") from None
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
