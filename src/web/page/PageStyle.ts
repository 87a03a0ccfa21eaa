// PageStyle: how the status page looks: system fonts, two colour schemes, one column on a phone. Served as a file of its own, because the
// page's Content-Security-Policy allows no inline style. Edge: no meaning is in a colour alone.

export const pageStyle = `
:root {
  color-scheme: light dark;
  --ground: #fbfaf8; --ink: #1d1f21; --soft: #5b6168; --line: #dcd9d3; --raised: #f2f0ec;
  --accent: #0b5cad; --good: #1c6b3c; --warn: #9a3412;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #15171a; --ink: #e6e4df; --soft: #a3a8ae; --line: #33373c; --raised: #1e2125;
    --accent: #7db4f0; --good: #7cc79a; --warn: #f0a37a;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; max-width: 72rem; padding: 1.5rem 1.25rem 3rem; background: var(--ground); color: var(--ink);
  font: 0.9375rem/1.5 system-ui, sans-serif; font-variant-numeric: tabular-nums; overflow-wrap: anywhere;
}
h1 { font-size: 1.25rem; margin: 0; letter-spacing: -0.01em; }
h2 { font-size: 1.0625rem; margin: 0 0 0.5rem; }
h3 { font-size: 0.9375rem; margin: 0; font-family: ui-monospace, monospace; font-weight: 600; }
p { margin: 0.25rem 0; }
header { display: flex; flex-wrap: wrap; gap: 0.125rem 1rem; align-items: baseline; }
header p, footer p, .more, figcaption, caption { color: var(--soft); font-size: 0.8125rem; }
section:empty { display: none; }
section { border-top: 1px solid var(--line); margin-top: 1.25rem; padding-top: 1rem; }
footer { border-top: 1px solid var(--line); margin-top: 1.5rem; padding-top: 0.75rem; }
.headline strong { font-size: 2.25rem; line-height: 1.1; font-weight: 650; letter-spacing: -0.02em; margin-right: 0.25rem; }
figure { margin: 0.75rem 0; }
svg { display: block; width: 100%; height: 5rem; }
svg line { stroke: var(--line); stroke-width: 1; vector-effect: non-scaling-stroke; }
svg polyline { fill: none; stroke: var(--accent); stroke-width: 2; stroke-linejoin: round; vector-effect: non-scaling-stroke; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
caption { text-align: left; padding-bottom: 0.25rem; }
th, td { text-align: left; vertical-align: top; padding: 0.3125rem 1rem 0.3125rem 0; border-bottom: 1px solid var(--line); }
thead th { color: var(--soft); font-weight: 500; font-size: 0.8125rem; white-space: nowrap; }
tbody th { font-weight: 500; }
td, tbody th { min-width: 5rem; max-width: 26rem; }
.number, .kind { white-space: nowrap; }
td:has(> .kind), td:has(> time:only-child) { width: 1%; }
.sign { display: inline-block; width: 1.25em; }
.running, .whole { color: var(--good); }
.at-risk, .warn { color: var(--warn); font-weight: 600; }
code, .name { font: 0.8125rem/1.5 ui-monospace, monospace; }
code { background: var(--raised); padding: 0.0625rem 0.3125rem; border-radius: 0.25rem; }
article { border-left: 3px solid var(--warn); padding: 0.125rem 0 0.125rem 0.75rem; margin: 0.75rem 0; }
.commands { margin: 0.25rem 0; padding: 0; list-style: none; }
.commands li { margin: 0.25rem 0; }
progress { width: 8rem; height: 0.625rem; accent-color: var(--accent); }
a { color: var(--accent); }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
main:focus { outline: none; }
.skip { position: absolute; left: -100vw; }
.skip:focus { left: 1rem; top: 0.5rem; background: var(--ground); padding: 0.25rem 0.5rem; }
@media (max-width: 40rem) {
  body { padding: 1rem 0.875rem 2rem; }
  svg { height: 4rem; }
  td, tbody th { min-width: 9rem; }
  td:has(> .number:only-child), td:has(> time:only-child) { min-width: 4.5rem; }
  td:has(> .kind) { min-width: 0; }
}
`
