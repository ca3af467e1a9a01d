# SPDX-License-Identifier: GPL-2.0-only
"""Pictures of what the bench found, by gnuplot: docs/plots/NAME.svg and .png."""

import subprocess

from .running import ROOT, Failure

FOLDER = ROOT / "docs/plots"
TERMINALS = {
    "svg": "svg size {},{} font 'sans,13' background 'white'",
    "png": "pngcairo size {},{} font 'sans,10' background 'white'",
}
# Told apart by those who see fewer colours, too (Okabe and Ito; the last one Tol).
COLORS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#999999", "#000000", "#882255")


def text(value):
    """A string in gnuplot's quotes."""
    return "'" + str(value).replace("'", "''") + "'"


def block(name, rows):
    """Rows as one of gnuplot's data blocks."""
    lines = (" ".join(f'"{cell}"' if isinstance(cell, str) else f"{cell:g}" for cell in row)
             for row in rows)
    return f"${name} << END_OF_DATA\n" + "\n".join(lines) + "\nEND_OF_DATA\n"


def draw(name, script, size=(860, 420), folder=FOLDER):
    """Run gnuplot; Markdown that shows the picture."""
    folder.mkdir(parents=True, exist_ok=True)
    for suffix, terminal in TERMINALS.items():
        head = f"set terminal {terminal.format(*size)}\nset output '{folder / name}.{suffix}'\n"
        head += "set encoding utf8\nset termoption noenhanced\nset border 3\nset tics nomirror\nset grid ytics lc '#dddddd'\n"
        done = subprocess.run(["gnuplot", "-"], input=head + script, text=True,
                              stderr=subprocess.PIPE)
        if done.returncode:
            raise Failure(f"gnuplot: {done.stderr.strip()}")
    return f"[![{name}](plots/{name}.png)](plots/{name}.svg)"


def stacked_bars(name, title, ylabel, bars, parts):
    """bars: [(label, [value of each part])]."""
    script = block("bars", [(label, *values) for label, values in bars])
    script += (f"set title {text(title)}\nset ylabel {text(ylabel)}\nset yrange [0:*]\n"
               "set style data histograms\nset style histogram rowstacked\nset boxwidth 0.7\n"
               "set style fill solid 0.9 border -1\nset key outside right top reverse Left invert\n"
               "set xtics scale 0\nplot ")
    script += ", ".join(f"$bars using {at + 2}{':xtic(1)' if not at else ''} "
                        f"title {text(part)} lc rgb '{COLORS[at]}'" for at, part in enumerate(parts))
    return draw(name, script + "\n", (980, 440))
