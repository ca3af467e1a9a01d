# SPDX-License-Identifier: GPL-2.0-only
"""nmiprof flamegraph: call stacks as one SVG file that needs nothing else.

The idea is Brendan Gregg's: a box for each frame, as wide as its share of the samples, on
top of who called it. Frames whose samples all had interrupts off have a colour of
their own.
"""

import hashlib
import html
from pathlib import Path

from .errors import Failure
from .stacks import load

WIDTH, FRAME_HEIGHT, FONT = 1200, 17, 12
SIDE, TOP, BOTTOM = 10, 62, 42
CHARACTER = 0.62 * FONT         # a monospaced one is so wide
NARROWEST = 0.2                 # of a frame that is drawn, pixels
SCRIPT = Path(__file__).with_name("flamegraph.js")


class Node:
    def __init__(self, name, irqs_off=False):
        self.name, self.irqs_off = name, irqs_off
        self.samples = self.off = 0
        self.children = {}

    def child(self, name, irqs_off):
        key = name, irqs_off
        if key not in self.children:
            self.children[key] = Node(name, irqs_off)
        return self.children[key]


def tree(stacks):
    """Only a last frame is split by interrupts off or on: what calls it does both."""
    root = Node("all")
    for stack, samples in stacks.samples.items():
        node = root
        for depth, name in enumerate(stack.frames):
            node.samples += samples
            node.off += samples * stack.irqs_off
            node = node.child(name, stack.irqs_off and depth == len(stack.frames) - 1)
        node.samples += samples
        node.off += samples * stack.irqs_off
    return root


def boxes(root, scale):
    """(node, x, width, depth), what is too narrow to be seen left out."""
    waiting = [(root, SIDE, 0)]
    while waiting:
        node, x, depth = waiting.pop()
        if node.samples * scale < NARROWEST:
            continue
        yield node, x, node.samples * scale, depth
        for _, child in sorted(node.children.items()):
            waiting.append((child, x, depth + 1))
            x += child.samples * scale


def colour(node):
    seed = int.from_bytes(hashlib.sha256(node.name.encode()).digest()[:3], "big")
    a, b = seed % 256 / 255, seed // 256 % 256 / 255
    if node.off == node.samples:
        return f"rgb({70 + 40 * a:.0f},{130 + 35 * b:.0f},{215 + 35 * a:.0f})"
    return f"rgb({225 + 25 * a:.0f},{120 + 90 * b:.0f},{60 + 30 * a:.0f})"


def _text(value):
    """As XML may hold it."""
    return html.escape("".join(c if c.isprintable() else "?" for c in value))


def render(stacks, title):
    root = tree(stacks)
    scale = (WIDTH - 2 * SIDE) / root.samples
    drawn = list(boxes(root, scale))
    depth = max(box[3] for box in drawn) + 1
    height = TOP + depth * FRAME_HEIGHT + BOTTOM
    parts = [f'''<?xml version="1.0" encoding="UTF-8"?>
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"
 font-family="monospace" font-size="{FONT}" data-side="{SIDE}" data-character="{CHARACTER}">
<style>
 .frame rect {{ stroke: #fff; stroke-width: .5 }} .frame {{ cursor: pointer }}
 .frame:hover rect {{ stroke: #000; stroke-width: 1 }} .faded {{ opacity: .55 }}
 .frame text {{ pointer-events: none }} .found rect {{ fill: #d63ad6 !important }}
 .button {{ cursor: pointer; fill: #555 }} .button:hover {{ fill: #000; text-decoration: underline }}
</style>
<rect width="100%" height="100%" fill="#fdfdf6"/>
<text x="{WIDTH / 2}" y="24" text-anchor="middle" font-size="17">{_text(title)}</text>
<text id="reset" class="button" x="{SIDE}" y="24" visibility="hidden">Reset zoom</text>
<text id="search" class="button" x="{WIDTH - SIDE}" y="24" text-anchor="end">Search (Ctrl-F)</text>
<rect x="{SIDE}" y="38" width="12" height="12" fill="rgb(90,147,232)"/>
<text x="{SIDE + 17}" y="48">interrupts off: {root.off} of {root.samples} samples\
 ({100 * root.off / root.samples:.1f} %)</text>
<text id="matched" x="{WIDTH - SIDE}" y="48" text-anchor="end"></text>
<text id="details" x="{SIDE}" y="{height - 16}"> </text>
<g id="frames">''']
    for node, x, width, level in drawn:
        y = TOP + (depth - 1 - level) * FRAME_HEIGHT
        share = 100 * node.samples / root.samples
        told = f"{node.name} ({node.samples} samples, {share:.2f} %"
        if node.off:
            told += f"; interrupts off: {node.off}"
        room = int((width - 6) / CHARACTER)
        shown = node.name if len(node.name) <= room else node.name[:room - 2] + ".." if room > 3 else ""
        parts.append(
            f'<g class="frame" data-name="{_text(node.name)}" data-x="{x:.2f}" data-w="{width:.3f}" '
            f'data-n="{node.samples}"><title>{_text(told)})</title><rect x="{x:.2f}" y="{y}" '
            f'width="{width:.3f}" height="{FRAME_HEIGHT - 1}" rx="1" fill="{colour(node)}"/>'
            f'<text x="{x + 3:.2f}" y="{y + 12.5}">{_text(shown)}</text></g>')
    parts.append(f"</g>\n<script><![CDATA[\n{SCRIPT.read_text()}]]></script>\n</svg>\n")
    return "\n".join(parts)


def run(args):
    stacks = load(args.input, args.event)
    if not stacks.samples:
        raise Failure(f"{args.input}: no samples")
    title = args.title or (f"{stacks.event}, {args.input}" if stacks.event else args.input)
    text = render(stacks, title)
    if args.output == "-":
        print(text, end="")
        return 0
    try:
        Path(args.output).write_text(text, encoding="utf-8")
    except OSError as error:
        raise Failure(f"cannot write {args.output}: {error.strerror}") from None
    return 0
