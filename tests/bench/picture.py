"""picture.py -- the table of the bench as a picture: how many times as fast netc is as each peer, a bar each, on a scale of powers.
usage: picture.py TABLE.json PICTURE.svg"""
import json, math, sys

LEFT, WIDE, HIGH, BAR = 170, 620, 34, 11
COLOURS = {"ONNX Runtime": "#4477aa", "PyTorch": "#ee7733"}


def at(ratio, most):
    """1/2 stands left, 1 a step further, then each doubling as far again."""
    return LEFT + WIDE * (math.log2(max(ratio, 0.5)) + 1) / (math.log2(most) + 1)


def text(x, y, s, anchor="start"):
    return '<text x="%.0f" y="%.0f" text-anchor="%s">%s</text>' % (x, y, anchor, s)


def draw(rows):
    most = 2 ** math.ceil(math.log2(max(p["ratio"] for r in rows for p in r["peers"].values()) * 1.2))
    bottom = 40 + HIGH * len(rows)
    out = ['<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="12">' % (LEFT + WIDE + 60, bottom + 30),
           '<rect width="100%" height="100%" fill="white"/>', text(LEFT, 16, "times as fast as its peers, one thread")]
    for i, (peer, colour) in enumerate(COLOURS.items()):
        out += ['<rect x="%d" y="7" width="10" height="10" fill="%s"/>' % (LEFT + 280 + 130 * i, colour), text(LEFT + 295 + 130 * i, 16, peer)]
    for k in range(-1, int(math.log2(most)) + 1):
        x = at(2.0 ** k, most)
        out += ['<line x1="%.0f" x2="%.0f" y1="26" y2="%d" stroke="%s"/>' % (x, x, bottom, "black" if k == 0 else "#dddddd"),
                text(x, bottom + 16, "%g" % 2.0 ** k, "middle")]
    for i, r in enumerate(rows):
        y = 32 + HIGH * i
        out.append(text(LEFT - 8, y + 15, r["name"], "end"))
        for k, (peer, colour) in enumerate(COLOURS.items()):
            if peer not in r["peers"]:
                continue
            ratio, x = r["peers"][peer]["ratio"], at(1, most)
            end = at(ratio, most)
            out += ['<rect x="%.0f" y="%d" width="%.0f" height="%d" fill="%s"/>' % (min(x, end), y + k * (BAR + 1), abs(end - x), BAR, colour),
                    text(max(x, end) + 4, y + k * (BAR + 1) + 10, "%.2f" % ratio)]
    return "\n".join(out + ["</svg>"]) + "\n"


if __name__ == "__main__":
    rows = [r for r in json.load(open(sys.argv[1])) if r["threads"] == 1 and r["peers"]]
    if rows:
        open(sys.argv[2], "w").write(draw(rows))
