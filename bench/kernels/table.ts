// The report as lines for the terminal, and as Markdown.
import { classOf, type Verdict } from './gates.ts'
import type { Report, Row } from './index.ts'

type Cell = string | number | null

interface Table {
  readonly title: string
  readonly columns: readonly string[]
  readonly rows: readonly (readonly Cell[])[]
}

const text = (cell: Cell): string =>
  cell === null || (typeof cell === 'number' && !Number.isFinite(cell))
    ? '–'
    : typeof cell === 'number'
      ? Number.isInteger(cell)
        ? String(cell)
        : cell.toFixed(2)
      : cell

function resourcesTable(rows: readonly Row[]): Table {
  return {
    title: 'Resources (ptxas: registers, spilt bytes and static shared memory of sm_80 / sm_90; dynamic as launched)',
    columns: ['kernel', 'registers', 'spilt', 'static', 'dynamic', 'threads', 'blocks/SM'],
    rows: rows.map(
      ({ kernel, resources: { sm_80: a, sm_90: b }, launch, threads, blocksPerMultiprocessor: blocks }) => [
        kernel,
        `${a.registers} / ${b.registers}`,
        `${a.spillLoadBytes + a.spillStoreBytes} / ${b.spillLoadBytes + b.spillStoreBytes}`,
        `${a.staticShared} / ${b.staticShared}`,
        launch?.dynamicShared ?? null,
        threads,
        blocks,
      ],
    ),
  }
}

function machineCodeTable(rows: readonly Row[]): Table {
  return {
    title: 'Machine code of sm_80: one turn of the hot loop, interior path',
    columns: [
      'kernel',
      'HMMA',
      'instr/HMMA',
      'stall/HMMA',
      'LDSM/HMMA',
      'MUFU',
      'LDS+STS',
      'LDGSTS',
      'local',
      'tensor use',
    ],
    rows: rows.flatMap(({ kernel, loops }) =>
      loops.map(({ variant, counts: c, utilisation }) => [
        variant ? `${kernel}, ${variant}` : kernel,
        c.hmma,
        c.instructions / c.hmma,
        c.stall / c.hmma,
        c.ldsm / c.hmma,
        c.mufu,
        c.shared,
        c.copies,
        c.local,
        utilisation,
      ]),
    ),
  }
}

function simulatedTable(rows: readonly Row[]): Table {
  return {
    title:
      'Simulated driver: one launch (bank conflicts of 100 requests; bytes: asked over distinct, touched over operands of the op)',
    columns: ['kernel', 'work', 'conflicts', 'sectors/request', 'fewest', '16 B', 'asked', 'touched', 'in loop'],
    rows: rows.map(({ kernel, work, simulated: s, launch }) => [
      kernel,
      work,
      s && launch?.sharedRequests ? s.bankConflicts : null,
      s?.sectorsPerRequest ?? null,
      s?.idealSectorsPerRequest ?? null,
      s?.wideShare ?? null,
      s?.askedOverTouched ?? null,
      s?.touchedOverOperands ?? null,
      launch?.tensor ? (s?.hotShare ?? null) : null,
    ]),
  }
}

function missedTable(verdicts: readonly Verdict[]): Table {
  return {
    title: 'Gates that are missed',
    columns: ['kernel', 'class', 'gate', 'value', 'limit'],
    rows: verdicts
      .filter((v) => !v.meets)
      .map(({ kernel, gate, value, limit }) => [kernel, classOf(kernel), gate, value, limit]),
  }
}

/** How many kernels meet each gate. */
function summaryTable(verdicts: readonly Verdict[]): Table {
  const groups = new Map<string, Verdict[]>()
  for (const verdict of verdicts) {
    const key = `${classOf(verdict.kernel)}|${verdict.gate}`
    groups.set(key, [...(groups.get(key) ?? []), verdict])
  }
  return {
    title: 'Gates',
    columns: ['class', 'gate', 'limit', 'meet', 'of', 'worst', 'verdict'],
    rows: [...groups].map(([key, all]) => {
      const [kind, gate] = key.split('|') as [string, string]
      const limits = [...new Set(all.map((v) => v.limit))].sort().join(' or ')
      const values = all.map((v) => v.value)
      const worst = all[0]!.limit.startsWith('≤') ? Math.max(...values) : Math.min(...values)
      const meet = all.filter((v) => v.meets).length
      return [kind, gate, limits, meet, all.length, worst, meet === all.length ? 'meets' : 'misses']
    }),
  }
}

const tablesOf = ({ rows, verdicts }: Report): Table[] => [
  resourcesTable(rows),
  machineCodeTable(rows),
  simulatedTable(rows),
  missedTable(verdicts),
  summaryTable(verdicts),
]

export function printReport(report: Report): void {
  for (const { title, columns, rows } of tablesOf(report)) {
    if (rows.length === 0) continue
    const cells = [columns, ...rows.map((row) => row.map(text))]
    const widths = columns.map((_, c) => Math.max(...cells.map((row) => row[c]!.length)))
    const isText = columns.map((_, c) => rows.every((row) => typeof row[c] === 'string'))
    console.log(`\n${title}`)
    for (const row of cells) {
      console.log(
        row
          .map((cell, c) => (isText[c] ? cell.padEnd(widths[c]!) : cell.padStart(widths[c]!)))
          .join('  ')
          .trimEnd(),
      )
    }
  }
  if (report.unreached.length > 0) console.log(`\nno shape reaches: ${report.unreached.join(', ')}`)
}

export function markdownOf(report: Report, commit: string): string {
  const table = ({ title, columns, rows }: Table) =>
    `## ${title}\n\n| ${columns.join(' | ')} |\n|${columns.map(() => ' --- |').join('')}\n${rows
      .map((row) => `| ${row.map(text).join(' | ')} |`)
      .join('\n')}\n`
  const unreached = report.unreached.length > 0 ? report.unreached.join(', ') : 'none'
  return [
    '# CUDA kernels, without a GPU',
    `Written by \`npm run bench -- kernels\` at ${commit}: ${report.compiler}. Machine code: ${report.machineCode}. Counts are no measurements of time.`,
    `Kernels that no shape reaches: ${unreached}.`,
    ...tablesOf(report)
      .reverse()
      .filter(({ rows }) => rows.length > 0)
      .map(table),
  ].join('\n\n')
}
