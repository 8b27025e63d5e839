/** The style sheet of stand-alone pages: light and dark by the reader's system, and fit for paper. */
export const PAGE_STYLES = `
:root {
  color-scheme: light dark;
  --ink: light-dark(#211f1c, #e9e5de); --quiet: light-dark(#5f5a52, #aca69b); --sheet: light-dark(#ffffff, #1c1b19);
  --field: light-dark(#f6f4f0, #262421); --line: light-dark(#dcd7ce, #45423c); --link: light-dark(#1257b8, #82b4ff);
  --keyword: light-dark(#8a2d6f, #e79ac9); --string: light-dark(#7d4a00, #e8b765); --number: light-dark(#14638c, #7cc4ea);
  --title: light-dark(#17604d, #6fd0b0); --alarm: light-dark(#a32a17, #ff9c88);
}
* { box-sizing: border-box; }
html { background: var(--sheet); }
body {
  margin: 0; color: var(--ink); background: var(--sheet);
  font: 16px/1.6 system-ui, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif;
}
main { max-width: 1040px; margin: 0 auto; padding: 32px 24px 64px; }
h1, h2, h3, h4 { line-height: 1.25; text-wrap: balance; margin: 1.6em 0 0.5em; }
h1 { font-size: 30px; letter-spacing: -0.01em; margin-top: 0; }
h2 { font-size: 22px; }
h3 { font-size: 18px; }
p, ul, ol, blockquote { max-width: 72ch; text-wrap: pretty; }
a { color: var(--link); }
img { max-width: 100%; height: auto; }
table { border-collapse: collapse; font-size: 14px; display: block; overflow-x: auto; }
th, td { text-align: left; padding: 4px 16px 4px 0; border-bottom: 1px solid var(--line); vertical-align: top; }
blockquote { margin-inline: 0; padding-inline-start: 16px; border-inline-start: 3px solid var(--line); color: var(--quiet); }
pre, code { font-family: ui-monospace, 'Cascadia Code', Menlo, Consolas, 'DejaVu Sans Mono', monospace; font-size: 13.5px; }
pre { margin: 0; padding: 12px 14px; line-height: 1.55; overflow-x: auto; border-radius: 6px; }
:not(pre) > code { background: var(--field); padding: 1px 5px; border-radius: 4px; }
.text pre { background: var(--field); margin: 1em 0; }
.cell { margin: 20px 0; }
.code { position: relative; }
.code pre { background: var(--field); padding-inline-end: 52px; border-inline-start: 3px solid var(--line); }
.count { position: absolute; top: 12px; inset-inline-end: 14px; color: var(--quiet); font-size: 12px; font-variant-numeric: tabular-nums; }
.output { margin-top: 12px; }
.output pre { padding-block: 4px; white-space: pre-wrap; overflow-wrap: anywhere; }
.output pre.stderr, .output pre.error { color: var(--alarm); }
.lvlm-lens { margin: 20px 0; }
.card { display: block; width: 760px; max-width: 100%; }
footer { margin-top: 56px; padding-top: 12px; border-top: 1px solid var(--line); color: var(--quiet); font-size: 13px; }
:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
.hljs-keyword, .hljs-literal, .hljs-built_in, .hljs-type { color: var(--keyword); }
.hljs-string, .hljs-regexp, .hljs-attr { color: var(--string); }
.hljs-number { color: var(--number); }
.hljs-title, .hljs-function { color: var(--title); }
.hljs-comment, .hljs-meta { color: var(--quiet); font-style: italic; }
@media print {
  :root { color-scheme: light; }
  @page { margin: 16mm; }
  main { max-width: none; padding: 0; }
  pre { white-space: pre-wrap; overflow-wrap: anywhere; }
  table { display: table; }
  h1, h2, h3, h4 { break-after: avoid; }
  .cell.text, .code { break-after: avoid; }
  p, li, .code, .card, img, tr { break-inside: avoid; }
  .output, .lvlm-lens { break-before: avoid; }
}
`;
