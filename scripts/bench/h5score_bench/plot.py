"""Draws results as SVG: for each case bars for h5score, the near limit and the best peer, relative to the longest."""
from xml.sax.saxutils import escape

from .tables import rate_text

COLOURS = {"h5score": "#1f77b4", "near": "#7f7f7f", "peer": "#ff7f0e"}
LABEL, LENGTH, RATE, BAR, GAP = 330, 400, 170, 15, 16
FONT = 'font-family="sans-serif" font-size="12"'


def bars_of(case):
    """(kind, label, rate) of h5score's first entry, the near limit and the best peer, where they ran."""
    found = []
    for kind in COLOURS:
        entries = [e for e in case["entries"] if e["kind"] == kind and "rate" in e]
        if entries:
            shown = max(entries, key=lambda e: e["rate"]) if kind == "peer" else entries[0]
            found.append((kind, shown["name"], shown["rate"]))
    return found


def text(x, y, words, anchor="start"):
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}" {FONT}>{escape(words)}</text>'


def legend(y):
    words = {"h5score": "h5score", "near": "near_limit, 2 processes", "peer": "best of today's tools"}
    parts = []
    for i, (kind, colour) in enumerate(COLOURS.items()):
        x = LABEL + i * 165
        parts += [f'<rect x="{x}" y="{y - 10}" width="12" height="12" fill="{colour}"/>', text(x + 17, y, words[kind])]
    return parts


def draw(cases):
    """An SVG document; cases without anything to compare are left out."""
    parts, y = legend(20), 40
    for case in cases:
        bars = bars_of(case)
        if len(bars) < 2:
            continue
        longest = max(rate for _, _, rate in bars)
        parts.append(text(LABEL - 10, y + BAR * len(bars) / 2 + 4, case["title"].split(" (")[0], "end"))
        unit = "B/s" if case["metric"] == "bytes" else "rows/s"
        for kind, name, rate in bars:
            width = max(1.0, LENGTH * rate / longest)
            label = f"{rate_text(rate)} {unit}" + (f" {name}" if kind == "peer" else "")
            parts += [f'<rect x="{LABEL}" y="{y}" width="{width:.1f}" height="{BAR - 2}" fill="{COLOURS[kind]}"/>',
                      text(LABEL + width + 5, y + BAR - 4, label)]
            y += BAR
        y += GAP
    width = LABEL + LENGTH + RATE
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{y}" viewBox="0 0 {width} {y}">',
                      f'<rect width="{width}" height="{y}" fill="white"/>', *parts, "</svg>", ""])
