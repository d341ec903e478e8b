"""Every control of every widget on every built page, opened from the disk: it is moved, answers, and breaks nothing."""

SHOWN = """async (root) => {  // all but the number beside a slider and what a button is called
    for (let i = 0; i < 2; i++) await new Promise(requestAnimationFrame);
    const copy = root.cloneNode(true);
    copy.querySelectorAll('.ld-slider-value, button').forEach((node) => node.remove());
    return copy.innerHTML + [...root.querySelectorAll('canvas')].map((canvas) => canvas.toDataURL()).join();
}"""
BUTTONS = ", ".join(f"{kind}:enabled:visible" for kind in ("button", "input[type=checkbox]", "input[type=radio]"))
SILENT = ("Speed", "Driver")  # what they change is seen when the world moves on


def answers(root, act, patience=60):
    """Do something to a widget; returns whether what it shows changes within some three seconds."""
    before = root.evaluate(SHOWN)
    act()
    while root.evaluate(SHOWN) == before and patience:
        root.page.wait_for_timeout(50)
        patience -= 1
    return patience > 0


def answers_at_an_end(root, slider):
    """Move a slider to its first value and to its last; returns whether the widget answers to either."""
    slider.focus()
    return any([answers(root, lambda key=key: slider.press(key), 20) for key in ("Home", "End")])


def test_every_control_of_a_page_is_moved_and_answers(visit, widget_page):
    page, dead = visit(widget_page), []
    for root in page.locator(".ld").all():
        for slider in root.locator("input[type=range]:enabled:visible").all():
            if not answers_at_an_end(root, slider):
                dead.append(slider.get_attribute("aria-label"))
        for chooser in root.locator("select:enabled:visible").all():
            name, lines = chooser.get_attribute("aria-label"), chooser.locator("option")
            for line in [*range(1, lines.count()), 0]:
                if lines.nth(line).is_disabled() or line == chooser.evaluate("(chooser) => chooser.selectedIndex"):
                    continue  # disabled is what stands beside it already
                patience = 1 if name in SILENT else 60
                if not answers(root, lambda c=chooser, n=line: c.select_option(index=n), patience) and patience > 1:
                    dead.append(f"{name}, line {line}")
        buttons = root.locator(BUTTONS).all()
        answered = [answers(root, button.click, 10) for button in buttons if button.is_enabled()]
        if answered and not any(answered):
            dead.append(f"all buttons of {root.get_attribute('class')}")
    assert (dead, page.troubles) == ([], [])
