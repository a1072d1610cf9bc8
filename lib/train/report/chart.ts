import type { Point } from '../logs/curve.ts'
import { type Html, html } from './html.ts'

/** A curve of a chart. */
export interface Series {
  readonly name: string
  readonly points: readonly Point[]
}

export interface ChartOptions {
  readonly title: string
  /** What is along the bottom. @default 'step' */
  readonly xLabel?: string
}

const size = { width: 640, height: 260, left: 58, right: 12, top: 12, bottom: 34 }
const wantedTicks = 5

/** A line chart as inline SVG: it needs nothing beside it, and takes its colours from the page. */
export function chart(series: readonly Series[], { title, xLabel = 'step' }: ChartOptions): Html {
  const shown = series.map(({ name, points }) => ({ name, points: points.filter(isFinitePoint) }))
  const all = shown.flatMap(({ points }) => points)
  if (all.length === 0) return html`<figure><figcaption>${title}</figcaption><p>No values yet.</p></figure>`
  const x = axis(all.map((point) => point.x))
  const y = axis(all.map((point) => point.y))
  const { width, height, left, right, top, bottom } = size
  const px = (value: number) => round(left + ((value - x.from) / (x.to - x.from)) * (width - left - right))
  const py = (value: number) => round(height - bottom - ((value - y.from) / (y.to - y.from)) * (height - top - bottom))
  const grid = y.ticks.map(
    (tick) => html`<line class="grid" x1="${left}" x2="${width - right}" y1="${py(tick)}" y2="${py(tick)}"/>
<text class="tick" x="${left - 6}" y="${py(tick) + 4}" text-anchor="end">${label(tick)}</text>`,
  )
  const marks = x.ticks.map(
    (tick) =>
      html`<text class="tick" x="${px(tick)}" y="${height - bottom + 16}" text-anchor="middle">${label(tick)}</text>`,
  )
  const curves = shown.map(({ name, points }, i) => {
    const path = points.map((point) => `${px(point.x)},${py(point.y)}`).join(' ')
    const last = points.at(-1)
    const dots =
      points.length === 1 ? html`<circle class="s${i % 6}" cx="${px(last!.x)}" cy="${py(last!.y)}" r="3"/>` : ''
    return html`<polyline class="s${i % 6}" points="${path}"><title>${name}</title></polyline>${dots}`
  })
  const legend = shown.map(({ name, points }, i) => {
    const last = points.at(-1)
    return html`<span class="key s${i % 6}">${name}${last ? `: ${label(last.y)}` : ''}</span> `
  })
  return html`<figure><figcaption>${title}</figcaption>
<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${title}">
${grid}${marks}
<text class="tick" x="${width - right}" y="${height - 4}" text-anchor="end">${xLabel}</text>
${curves}
</svg><p class="legend">${legend}</p></figure>`
}

function isFinitePoint({ x, y }: Point): boolean {
  return Number.isFinite(x) && Number.isFinite(y)
}

/** An axis that holds all values, with marks at round numbers. */
function axis(values: readonly number[]): { from: number; to: number; ticks: number[] } {
  const least = values.reduce((a, b) => Math.min(a, b))
  const most = values.reduce((a, b) => Math.max(a, b))
  const range = most > least ? most - least : Math.abs(most) || 1
  const power = 10 ** Math.floor(Math.log10(range / wantedTicks))
  const step = power * ([1, 2, 5, 10].find((factor) => factor * power * wantedTicks >= range) as number)
  const first = Math.floor(least / step)
  const last = Math.max(first + 1, Math.ceil(most / step))
  const ticks = Array.from({ length: last - first + 1 }, (_, i) => (first + i) * step)
  return { from: first * step, to: last * step, ticks }
}

function label(value: number): string {
  if (value !== 0 && (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e6)) return value.toExponential(1)
  return Number(value.toPrecision(4)).toLocaleString('en')
}

function round(pixels: number): number {
  return Math.round(pixels * 10) / 10
}
