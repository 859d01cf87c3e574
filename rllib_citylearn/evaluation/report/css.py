"""How the page looks: the reader's own fonts, light, narrow screens and paper included."""

from __future__ import annotations

from rllib_citylearn.evaluation.report.style import FONTS, GRID, INK, MUTED, PAPER

_ACCENT, _TINT, _NOTE = "#005a8d", "#f5f7fa", "#fff6e5"

CSS = f"""
:root {{ color-scheme: light; }}
* {{ box-sizing: border-box; }}
html {{ scroll-behavior: smooth; -webkit-text-size-adjust: 100%; }}
body {{ margin: 0 auto; max-width: 1240px; padding: 2.5rem 2rem 4rem; background: {PAPER}; color: {INK};
  font: 16px/1.6 {FONTS};
  display: grid; grid-template-columns: 200px minmax(0, 960px); gap: 0 3.5rem; overflow-wrap: break-word; }}
header {{ grid-column: 1 / -1; border-bottom: 1px solid {GRID}; padding-bottom: 1.5rem; margin-bottom: 1.5rem; }}
main {{ min-width: 0; }}
h1, h2, h3 {{ line-height: 1.25; font-weight: 650; letter-spacing: -0.01em; }}
h1 {{ font-size: 2rem; margin: 0 0 0.6rem; }}
h2 {{ font-size: 1.4rem; margin: 0 0 0.8rem; }}
h3 {{ font-size: 1.12rem; margin: 0 0 0.6rem; }}
p, ul {{ margin: 0 0 1rem; max-width: 46rem; }}
ul {{ padding-left: 1.2rem; }}
li {{ margin: 0.2rem 0; }}
section {{ margin: 0 0 3rem; scroll-margin-top: 1rem; }}
section section {{ margin: 2.2rem 0 0; }}
.lead {{ font-size: 1.2rem; line-height: 1.5; max-width: 54rem; }}
.note {{ background: {_NOTE}; border-left: 4px solid #e69f00; padding: 0.8rem 1rem; border-radius: 0 6px 6px 0;
  max-width: 54rem; }}
.tiles {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(170px, 1fr)); gap: 0.8rem; margin: 0 0 1rem; }}
.tiles div {{ background: {_TINT}; border-radius: 8px; padding: 0.8rem 1rem; }}
.tiles dt {{ color: {MUTED}; font-size: 0.85rem; }}
.tiles dd {{ margin: 0; color: {MUTED}; font-size: 0.85rem; line-height: 1.4; }}
.tiles .value {{ font-size: 1.7rem; font-weight: 650; line-height: 1.3; color: {INK};
  font-variant-numeric: tabular-nums; }}
nav {{ font-size: 0.9rem; position: sticky; top: 1.5rem; align-self: start; max-height: calc(100vh - 3rem);
  overflow-y: auto; }}
nav h2 {{ font-size: 0.8rem; text-transform: uppercase; letter-spacing: 0.06em; color: {MUTED}; margin: 0 0 0.5rem; }}
nav ol {{ list-style: none; margin: 0; padding: 0; }}
nav ol ol {{ padding-left: 0.9rem; }}
nav a {{ display: block; padding: 0.16rem 0; color: {INK}; text-decoration: none; }}
nav a:hover, nav a:focus {{ color: {_ACCENT}; text-decoration: underline; }}
code, pre {{ font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; font-size: 0.88em; }}
code {{ overflow-wrap: anywhere; }}
pre {{ background: {_TINT}; border-radius: 8px; padding: 0.9rem 1rem; overflow-x: auto; margin: 0 0 1rem; }}
.scroll {{ overflow-x: auto; margin: 0 0 1.4rem; /* a shadow on the right where there is more to see */
  background: linear-gradient(to left, {PAPER} 60%, transparent) right / 2rem 100% no-repeat local,
  linear-gradient(to left, #dfe4ea, transparent) right / 0.7rem 100% no-repeat scroll; }}
table {{ border-collapse: collapse; font-size: 0.88rem; line-height: 1.35; font-variant-numeric: tabular-nums;
  min-width: 60%; }}
caption {{ text-align: left; font-weight: 600; padding: 0 0 0.4rem; }}
caption span {{ display: block; max-width: calc(100vw - 2.2rem); }}
th, td {{ padding: 0.42rem 0.48rem; text-align: right; vertical-align: top; border-bottom: 1px solid {GRID};
  white-space: nowrap; }}
thead th {{ color: {MUTED}; font-weight: 500; vertical-align: bottom; white-space: normal; min-width: 3.4rem;
  border-bottom: 2px solid {GRID}; }}
th:first-child {{ text-align: left; padding-left: 0.3rem; position: sticky; left: 0; background: {PAPER};
  white-space: normal; overflow-wrap: anywhere; min-width: 9rem; max-width: 15rem; }}
tbody th {{ font-weight: 500; }}
tr.strong th, tr.strong td {{ font-weight: 650; }}
td small {{ display: block; color: {MUTED}; font-weight: 400; font-size: 0.92em; }}
.few td small {{ display: inline-block; min-width: 4.2rem; }}
figure {{ margin: 0 0 2.2rem; }}
figure .title {{ font-weight: 600; margin: 0 0 0.5rem; }}
picture, img {{ display: block; width: 100%; height: auto; }}
figcaption {{ color: {MUTED}; font-size: 0.92rem; line-height: 1.5; margin-top: 0.5rem; max-width: 52rem; }}
@media (max-width: 1060px) {{
  body {{ display: block; max-width: 960px; }}
  nav {{ position: static; max-height: none; border-bottom: 1px solid {GRID}; padding-bottom: 1rem; margin-bottom: 2rem; }}
  nav > ol {{ columns: 2; column-gap: 2rem; }}
  nav li {{ break-inside: avoid; }}
}}
@media (max-width: 640px) {{
  body {{ padding: 1.2rem 1rem 3rem; }}
  h1 {{ font-size: 1.6rem; }}
  .lead {{ font-size: 1.06rem; }}
  .tiles {{ grid-template-columns: repeat(2, minmax(0, 1fr)); }}
  .tiles .value {{ font-size: 1.35rem; }}
  th:first-child {{ max-width: 8.5rem; min-width: 6.4rem; }}
  .few td small {{ display: block; min-width: 0; }}
  picture {{ max-width: 520px; }}
}}
@media print {{
  body {{ display: block; max-width: none; padding: 0; font-size: 10.5pt; }}
  nav {{ display: none; }}
  figure, tr, .tiles div, .scroll, p, li {{ break-inside: avoid; }}
  .long {{ break-inside: auto; }}
  h2, h3, caption, thead, .lead, p:has(+ .scroll), p:has(+ figure) {{ break-after: avoid; }}
  tbody tr:first-child, tbody tr:last-child {{ break-before: avoid; }}
  .note, .tiles div, pre {{ print-color-adjust: exact; -webkit-print-color-adjust: exact; }}
  .scroll {{ overflow: visible; background: none; }}
  pre {{ white-space: pre-wrap; }}
  th, td {{ padding: 0.25rem 0.4rem; white-space: normal; }}
  td small {{ white-space: nowrap; }}
  a {{ color: inherit; }}
  img {{ width: auto; max-width: 100%; max-height: 20cm; margin: 0 auto; }}
}}
"""
