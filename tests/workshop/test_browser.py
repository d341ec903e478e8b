"""A headless browser is found, even where what is called chromium is only a stub that fails."""

import shutil
import sys

import pytest

from latent_dynamics.workshop import browser

STUB = "#!/bin/sh\necho 'requires the chromium snap to be installed' >&2\nexit 1\n"  # as on Ubuntu
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the stub is a script of a shell")


def put(folder, name, text):
    path = folder / name
    path.write_text(text)
    path.chmod(0o755)


def test_a_stub_is_passed_over(tmp_path, monkeypatch):
    real = next(filter(None, map(shutil.which, browser.PROGRAMS)), None)
    if real is None:
        pytest.skip("no browser of the system's own is here")
    put(tmp_path, "chromium", STUB)
    put(tmp_path, "google-chrome", f'#!/bin/sh\nexec "{real}" "$@"\n')
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(browser, "PROGRAMS", ("chromium", "google-chrome"))
    with browser.chromium() as found:
        assert found.version


def test_where_none_starts_all_that_were_tried_are_named(tmp_path, monkeypatch):
    put(tmp_path, "chromium", STUB)
    put(tmp_path, "google-chrome", STUB)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(browser, "PROGRAMS", ("chromium", "google-chrome"))
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path / "none"))
    with pytest.raises(browser.NoBrowser) as reason, browser.chromium():
        pass
    for name in (f"{tmp_path}/chromium", f"{tmp_path}/google-chrome", "playwright"):
        assert name in str(reason.value)
