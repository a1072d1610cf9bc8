import { randomUUID } from 'node:crypto'
import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { writing } from '../logs/file.ts'
import { Html, html } from './html.ts'

const style = `
:root { color-scheme: light dark; --ink: #1c2330; --soft: #667085; --line: #d9dee7; --page: #fff; --block: #f5f7fa;
  --c0: #2563eb; --c1: #d9480f; --c2: #2b8a3e; --c3: #9c36b5; --c4: #b08900; --c5: #0c8599 }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ef; --soft: #98a2b3; --line: #38404d; --page: #14181f;
  --block: #1d232d; --c0: #74a7ff; --c1: #ff922b; --c2: #69db7c; --c3: #da77f2; --c4: #ffd43b; --c5: #66d9e8 } }
body { font: 16px/1.55 system-ui, sans-serif; color: var(--ink); background: var(--page); max-width: 46rem;
  margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.7rem } h2 { font-size: 1.25rem; margin-top: 2.2rem }
table { border-collapse: collapse; width: 100%; margin: 1rem 0 } th { text-align: left; font-weight: 600 }
th, td { border-bottom: 1px solid var(--line); padding: .35rem .6rem } td.number { text-align: right; font-variant-numeric: tabular-nums }
figure { margin: 1.2rem 0 } figcaption { font-weight: 600 } svg { width: 100%; height: auto }
.grid { stroke: var(--line) } .tick { fill: var(--soft); font-size: 11px } polyline { fill: none; stroke-width: 1.8 }
.legend { color: var(--soft); font-size: .9rem; margin: 0 } .key::before { content: '● '; }
.s0 { stroke: var(--c0) } .s1 { stroke: var(--c1) } .s2 { stroke: var(--c2) } .s3 { stroke: var(--c3) } .s4 { stroke: var(--c4) } .s5 { stroke: var(--c5) }
.key.s0::before { color: var(--c0) } .key.s1::before { color: var(--c1) } .key.s2::before { color: var(--c2) }
.key.s3::before { color: var(--c3) } .key.s4::before { color: var(--c4) } .key.s5::before { color: var(--c5) }
pre, blockquote { background: var(--block); padding: .8rem 1rem; border-radius: 6px; white-space: pre-wrap; margin: 1rem 0 }
mark { background: #ffd43b; color: #1c2330; padding: 0 .15em; border-radius: 3px }
.soft { color: var(--soft) }`

/** A page of its own: no scripts, and nothing that is loaded from elsewhere. */
export function page(title: string, body: readonly Html[]): string {
  return html`<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${title}</title><style>${new Html(style)}</style></head>
<body>
<h1>${title}</h1>
${body}
</body>
</html>
`.text
}

/** A table; numbers stand to the right. */
export function table(head: readonly string[], rows: readonly (readonly (string | number | Html)[])[]): Html {
  const cell = (value: string | number | Html) =>
    isNumber(value) ? html`<td class="number">${value}</td>` : html`<td>${value}</td>`
  return html`<table><thead><tr>${head.map((name) => html`<th scope="col">${name}</th>`)}</tr></thead>
<tbody>${rows.map((row) => html`<tr>${row.map(cell)}</tr>\n`)}</tbody></table>`
}

function isNumber(value: string | number | Html): boolean {
  return typeof value === 'number' || (typeof value === 'string' && /^[−+-]?[\d.,]+\s?%?$/.test(value))
}

/** Writes a page; whoever reads the file meanwhile sees the old one or the new one. @throws {DataError} if that fails. */
export async function writePage(path: string, text: string): Promise<void> {
  await writing(path, async () => {
    await mkdir(dirname(path), { recursive: true })
    const made = `${path}.${randomUUID()}`
    try {
      await writeFile(made, text)
      await rename(made, path)
    } finally {
      await rm(made, { force: true })
    }
  })
}
