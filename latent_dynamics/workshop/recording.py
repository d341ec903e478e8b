"""README's moving picture: the live dream, recorded from the built book's first page."""

import io

from PIL import Image

from .browser import chromium

CALM = """.ld-dream-controls, .ld-title { display: none !important; }
    .ld { margin: 0 !important; border: 0 !important; }
    article, .ld-widget { overflow: visible !important; }"""
DRIVE = """() => {
    const choose = (name, line) => {
        const list = document.querySelector(`.ld-dream [aria-label="${name}"]`);
        list.selectedIndex = line;
        list.dispatchEvent(new Event("change"));
    };
    choose("Driver", 1); // an expert
    document.querySelector('.ld-dream [aria-label="Restart from the same state"]').click();
}"""
ONWARD = """async () => {
    const sentence = document.querySelector(".ld-dream .ld-say");
    const before = sentence.textContent;
    document.querySelector('.ld-dream [aria-label="One step forward"]').click();
    for (let n = 0; n < 100 && sentence.textContent === before; n++) await new Promise(requestAnimationFrame);
    return sentence.textContent;
}"""


def record_dream(page, path, steps=60, milliseconds=110, width=760):
    """Play the first live dream of a built page with an expert until its pole is gone; write it as a GIF.

    page: the HTML file; path: where the picture goes. Returns what the widget says of the last step.
    """
    with chromium() as browser:
        tab = browser.new_page(viewport={"width": width, "height": 900}, color_scheme="light")
        tab.goto(page.as_uri())
        tab.wait_for_selector(".ld-dream")
        tab.add_style_tag(content=CALM)
        tab.evaluate(DRIVE)
        frames, said = [], ""
        for _ in range(steps):
            said = tab.evaluate(ONWARD)
            frames.append(Image.open(io.BytesIO(tab.locator(".ld-dream").first.screenshot(animations="disabled"))))
            if "no pole" in said or "ended" in said:
                break
    size = (min(frame.width for frame in frames), min(frame.height for frame in frames))
    colours = frames[-1].convert("RGB").quantize(64, dither=Image.Dither.NONE)  # one palette: frames differ in little
    small = [
        frame.crop((0, 0, *size)).convert("RGB").quantize(palette=colours, dither=Image.Dither.NONE) for frame in frames
    ]
    times = [milliseconds] * (len(small) - 1) + [2500]
    small[0].save(path, save_all=True, append_images=small[1:], duration=times, loop=0, optimize=True)
    return said
