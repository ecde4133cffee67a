"""Reads the HTML pages of the reports, and opens them in a real browser."""

import html
import json
import re
import subprocess
from html.parser import HTMLParser

import numpy as np

VOID = {"meta", "link", "br"}

MEASURE = """<script>addEventListener("load", () => {
  const box = element => { const b = element.getBoundingClientRect();
    return [b.left, b.top, b.right, b.bottom]; };
  const pictures = [...document.querySelectorAll("svg")].filter(each => each.checkVisibility());
  const outside = [];
  for (const picture of pictures) {
    const [left, top, right, bottom] = box(picture);
    for (const text of picture.querySelectorAll("text")) {
      const [l, t, r, b] = box(text);
      if (l < left - 1 || t < top - 1 || r > right + 1 || b > bottom + 1)
        outside.push(text.textContent);
    }
  }
  const overlapping = [];
  for (const picture of pictures) {
    const texts = [...picture.querySelectorAll("text")];
    texts.forEach((text, at) => { for (const other of texts.slice(at + 1)) {
      const [a, b] = [box(text), box(other)];
      const across = Math.min(a[2], b[2]) - Math.max(a[0], b[0]);
      const down = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
      if (across > 2 && down > 4) overlapping.push([text.textContent, other.textContent]);
    } });
  }
  /* What a chart shows where the pointer is: the middle of its first. */
  const showValues = () => {
    const over = document.querySelector(".u-over");
    if (!over) return null;
    const [left, top, right, bottom] = box(over);
    over.matches = () => true;
    for (const type of ["mouseenter", "mousemove"])
      over.dispatchEvent(new MouseEvent(type, {
        clientX: (left + right) / 2, clientY: (top + bottom) / 2 }));
    return over.querySelector(".tip").textContent;
  };
  const style = getComputedStyle(document.body);
  const measured = document.createElement("pre");
  measured.id = "measured";
  measured.textContent = JSON.stringify({
    window: innerWidth, page: document.documentElement.scrollWidth,
    sizes: pictures.map(picture => { const b = box(picture); return [b[2] - b[0], b[3] - b[1]]; }),
    outside, overlapping, plots: document.querySelectorAll(".uplot canvas").length,
    values: showValues(), ink: style.color, paper: style.backgroundColor,
    runs: [1, 2, 3, 4, 5, 6, 7, 8].map(number => { const probe = document.createElement("i");
      probe.className = "run" + number; document.body.append(probe);
      return getComputedStyle(probe).color; }),
  });
  document.body.append(measured);
});</script></body>"""


class Page(HTMLParser):
    """Reads a page: its elements, the text in them, and whether all of them are closed."""

    def __init__(self, path):
        super().__init__()
        self.elements, self.texts, self._open = [], [], []
        self.source = path.read_text("utf-8")
        self.feed(self.source)
        assert not self._open
        self.text = " ".join(self.texts)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, text):
        if self._open[-1:] not in (["style"], ["script"]):
            self.texts.append(text)

    def all(self, tag, **attributes):
        return [
            found
            for name, found in self.elements
            if name == tag and all(found.get(key) == value for key, value in attributes.items())
        ]

    @property
    def sections(self):
        return [found["id"] for found in self.all("section")]


def opened(browser, path, width=1280, dark=False):
    """The browser's messages about a page, and the page's elements in the browser."""
    result = subprocess.run(
        [
            browser,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--enable-logging=stderr",
            f"--user-data-dir={path.parent / 'profile'}",
            f"--window-size={width},900",
            f"--blink-settings=preferredColorScheme={0 if dark else 1}",
            "--dump-dom",
            path.as_uri(),
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return [text for text in result.stderr.splitlines() if "CONSOLE" in text], result.stdout


def measured(browser, path, scripts=True, **how):
    """The measures that a script takes of a copy of the page, with or without its own scripts."""
    source = path.read_text("utf-8")
    if not scripts:
        source = re.sub("<script>.*?</script>", "", source, flags=re.DOTALL)
    return probed(browser, path, source, MEASURE, "measured", **how)


def answer(browser, path, script, **how):
    """What JavaScript in a copy of the page returns: the body of an asynchronous function."""
    asked = f"""<script>addEventListener("load", async () => {{
      const answer = document.createElement("pre");
      answer.id = "answer";
      try {{ answer.textContent = JSON.stringify(await (async () => {{ {script} }})()); }}
      catch (error) {{ answer.textContent = JSON.stringify(String(error)); }}
      document.body.append(answer);
    }});</script></body>"""
    return probed(browser, path, path.read_text("utf-8"), asked, "answer", **how)


def probed(browser, path, source, script, name, **how):
    """The JSON that a script leaves in the element of a name, at the end of a copy of the page."""
    probe = path.with_name("probe.html")
    source = source.replace("Content-Security-Policy", "x-not-enforced")
    probe.write_text(source.replace("</body>", script), "utf-8")
    _, dom = opened(browser, probe, **how)
    text = re.search(rf'<pre id="{name}">(.*?)</pre>', dom, re.DOTALL)[1]
    return json.loads(html.unescape(text))


def contrast(colour, other):
    """The contrast ratio of WCAG 2 between two colours as CSS computes them."""

    def luminance(colour):
        parts = np.array([int(part) for part in re.findall(r"\d+", colour)[:3]]) / 255
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return linear @ [0.2126, 0.7152, 0.0722]

    darker, lighter = sorted((luminance(colour), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def charts_of(source):
    """The numbers beside the drawings of a page or a chart."""
    return [json.loads(html.unescape(text)) for text in re.findall('data-chart="(.*?)"', source)]
