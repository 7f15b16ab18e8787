"""The look of the page and the little script that sorts its tables; nothing is fetched from anywhere."""

CSS = """
:root { color-scheme: light dark; --fg: #1b1b1b; --bg: #ffffff; --soft: #f3f3f0; --line: #d4d4d0;
  --muted: #595959; --link: #0b5394; --good: #00573c; --bad: #a13400; --open: #595959; }
@media (prefers-color-scheme: dark) { :root { --fg: #e8e8e4; --bg: #161616; --soft: #222222;
  --line: #444444; --muted: #b4b4b0; --link: #8ec7ff; --good: #5ad1a5; --bad: #ff9a6b; --open: #c4c4c4; }
  figure svg { filter: invert(0.91) hue-rotate(180deg); } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 76rem; padding: 1rem; color: var(--fg); background: var(--bg);
  font: 16px/1.5 system-ui, "DejaVu Sans", sans-serif; overflow-wrap: break-word; }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.2rem; margin: 2.5rem 0 .5rem;
  border-bottom: 1px solid var(--line); } h3 { font-size: 1rem; margin: 1.5rem 0 .3rem; }
p { margin: .4rem 0; } .muted, .notes { color: var(--muted); font-size: .86rem; }
a { color: var(--link); } :focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
.skip { position: absolute; left: -99rem; } .skip:focus { position: static; }
.verdict { border: 2px solid currentColor; border-left-width: .7rem; border-radius: .3rem;
  padding: .7rem 1rem; margin: 1rem 0; background: var(--soft); } .verdict p { color: var(--fg); }
.verdict strong { font-size: 1.25rem; }
.good { color: var(--good); } .bad { color: var(--bad); } .open { color: var(--open); }
nav ul { columns: 16rem; padding-left: 1.2rem; margin: .3rem 0; }
.scroll { overflow-x: auto; max-width: 100%; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; margin: .4rem 0; }
th, td { padding: .15rem .6rem; text-align: right; white-space: nowrap;
  border-bottom: 1px solid var(--line); }
th:first-child, td:first-child { text-align: left; }
.facts td { white-space: normal; overflow-wrap: anywhere; text-align: left; }
thead th { background: var(--soft); padding: 0; } td.bad, td.open { font-weight: 600; }
summary { cursor: pointer; margin: 1rem 0; }
tbody tr:hover { background: var(--soft); }
th button { all: unset; cursor: pointer; padding: .25rem .6rem; font-weight: 600; width: 100%;
  box-sizing: border-box; } th button:focus-visible { outline: 3px solid var(--link); }
th[aria-sort] button::after { content: " \\2195"; color: var(--muted); }
th[aria-sort=ascending] button::after { content: " \\2191"; }
th[aria-sort=descending] button::after { content: " \\2193"; }
.charts { display: flex; flex-wrap: wrap; gap: .5rem; align-items: flex-start; }
figure { margin: .4rem 0; max-width: 100%; } .charts figure { flex: 0 1 24rem; }
figure svg { display: block; width: 100%; height: auto; }
figure.wide svg { min-width: 34rem; max-width: 56rem; }
@media (max-width: 30rem) { table { font-size: .72rem; } th, td, th button { padding: .15rem .2rem; }
  tbody th:first-child { white-space: normal; } th[aria-sort=none] button::after { content: ""; } }
pre { background: var(--soft); padding: .6rem; white-space: pre-wrap; overflow-wrap: anywhere; }
@media print { :root { color-scheme: light; --fg: #000000; --bg: #ffffff; --soft: #ffffff; --line: #999999;
  --muted: #333333; --link: #000000; --good: #00573c; --bad: #a13400; --open: #333333; }
  body { max-width: none; padding: 0; font-size: 10.5pt; } nav, .skip, .hint { display: none; }
  details::details-content { content-visibility: visible; height: auto; } summary { list-style: none; }
  figure svg { filter: none; } figure, table, .verdict, tr { break-inside: avoid; }
  h2, h3 { break-after: avoid; } .scroll { overflow: visible; } th button::after { content: "" !important; }
  figure.wide svg { min-width: 0; } }
"""

# Sorts by the number a cell begins with (4K before 2M), else by its text; what has none comes last.
SCRIPT = """
"use strict";
const key = (row, column) => {
  const text = row.cells[column].textContent.trim();
  const found = /^[<>]?\\s*([-+]?[\\d.]+)\\s*([KM])?(?![\\w.])/.exec(text);
  if (text === "-" || text === "") return [2, 0, text];
  return found ? [0, parseFloat(found[1]) * (found[2] === "M" ? 1024 : 1), text] : [1, 0, text];
};
const compare = (a, b) => a[0] - b[0] || a[1] - b[1] || a[2].localeCompare(b[2]);
for (const head of document.querySelectorAll("th[aria-sort]")) {
  head.querySelector("button").addEventListener("click", () => {
    const down = head.getAttribute("aria-sort") === "ascending";
    const body = head.closest("table").tBodies[0], column = head.cellIndex;
    const rows = [...body.rows].sort((a, b) => {
      const x = key(a, column), y = key(b, column);
      return x[0] !== y[0] ? x[0] - y[0] : (down ? -1 : 1) * compare(x, y);
    });
    for (const other of head.parentElement.cells) other.setAttribute("aria-sort", "none");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    body.append(...rows);
  });
}
"""
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; form-action 'none'"
)
