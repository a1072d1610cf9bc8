// What the quickstart found, as lines for the terminal and as a page.
import { metrics, type runtimeInfo, train } from '../../lib/index.ts'
import type { Detection } from './electra.ts'
import type { Filled } from './t5.ts'

interface Compared {
  readonly pretrained: number
  readonly scratch: number
}

export interface Findings {
  /** Shares of held-out passages. */
  readonly accuracy: readonly {
    readonly label: 'era' | 'party'
    readonly majority: number
    readonly electra: Compared
    readonly t5: Compared
  }[]
  readonly filled: readonly Filled[]
  readonly detected: readonly Detection[]
  readonly curves: { readonly electra: train.RunCurves; readonly t5: train.RunCurves }
  /** For training, and held out. */
  readonly counts: { readonly addresses: readonly number[]; readonly passages: readonly number[] }
  readonly seconds: number
  readonly runtime: ReturnType<typeof runtimeInfo>
}

const { html } = train
const percent = (share: number) => `${(100 * share).toFixed(1)} %`
const shownDetections = 6

export function reportOf(findings: Findings): { page: string; lines: string[] } {
  const { accuracy, filled, detected, curves, counts, seconds, runtime } = findings
  const head = ['', 'majority class', 'ELECTRA', 'without pre-training', 'T5', 'without pre-training']
  const rows = accuracy.map(({ label, majority, electra, t5 }) => [
    label,
    ...[majority, electra.pretrained, electra.scratch, t5.pretrained, t5.scratch].map(percent),
  ])
  const auc = detectionAuc(detected)
  const fills = filled.map(({ before, was, after, filled: text }) => ({ before, was, after, text: text || '…' }))
  const body = [
    html`<p class="soft">State of the Union addresses, 1790 to 2021: ${counts.addresses[0] as number} addresses to train on, ${counts.addresses[1] as number} held out, whole ones; ${counts.passages[0] as number} labelled passages to fine-tune on, ${counts.passages[1] as number} to score. ${runtime.threads} threads, ${runtime.isa}; everything here took ${train.duration(seconds)} minutes and was measured in this run.</p>`,
    html`<h2>When was it said, and by which party?</h2>`,
    train.table(head, rows),
    html`<p>${verdict(accuracy)}</p>`,
    html`<h2>T5 fills masked spans</h2>`,
    ...fills.map(
      ({ before, was, after, text }) =>
        html`<blockquote>${before} <mark>${text}</mark> ${after}<br><span class="soft">it was: ${was}</span></blockquote>`,
    ),
    html`<h2>The discriminator points at replaced words</h2>`,
    html`<p>Two words of each held-out sentence were replaced by frequent ones. Area under the ROC curve over ${detected.length} sentences: ${auc.toFixed(3)}. Marked: the two words that it finds most suspicious.</p>`,
    ...detected.slice(0, shownDetections).map(
      ({ words }) =>
        html`<blockquote>${suspects(words).map(({ word, isSuspect }) => (isSuspect ? html`<mark>${word}</mark> ` : html`${word} `))}<br><span class="soft">replaced: ${words
          .filter(({ replaced }) => replaced)
          .map(({ word }) => word)
          .join(', ')}</span></blockquote>`,
    ),
    html`<h2>Pre-training of ELECTRA</h2>`,
    ...curves.electra.sections(),
    html`<h2>Pre-training of T5</h2>`,
    ...curves.t5.sections(),
  ]
  const lines = [
    '',
    `Held-out accuracy (${counts.passages[1]} passages of ${counts.addresses[1]} addresses that no model has seen)`,
    columns([head, ...rows]),
    verdict(accuracy),
    '',
    'T5 fills masked spans:',
    ...fills.map(({ before, was, after, text }) => `  ${before} [${text}] ${after}   (it was: ${was})`),
    '',
    `The discriminator points at replaced words (area under the ROC curve ${auc.toFixed(3)} over ${detected.length} sentences):`,
    ...detected.slice(0, shownDetections).map(
      ({ words }) =>
        `  ${suspects(words)
          .map(({ word, isSuspect }) => (isSuspect ? `[${word}]` : word))
          .join(' ')}`,
    ),
    '',
    `Done in ${train.duration(seconds)} minutes.`,
  ]
  return { page: train.page('duoformer quickstart', body), lines }
}

/** Minutes of pre-training are few: what they brought is said, whatever it is. */
function verdict(accuracy: Findings['accuracy']): string {
  const gains = accuracy.flatMap(({ label, electra, t5 }) => [
    `ELECTRA ${label} ${signed(electra)}`,
    `T5 ${label} ${signed(t5)}`,
  ])
  return `Pre-training brought, in points of accuracy: ${gains.join(', ')}. It took about a minute for each model; published models took days.`
}

function signed({ pretrained, scratch }: Compared): string {
  const points = 100 * (pretrained - scratch)
  return `${points < 0 ? '−' : '+'}${Math.abs(points).toFixed(1)}`
}

function detectionAuc(detections: readonly Detection[]): number {
  const words = detections.flatMap((detection) => detection.words)
  return metrics.auc(
    words.map(({ score }) => score),
    words.map(({ replaced }) => Number(replaced)),
  )
}

/** Words with the two most suspicious ones marked. */
function suspects(words: Detection['words']): { word: string; isSuspect: boolean }[] {
  const [, second] = words.map(({ score }) => score).sort((a, b) => b - a)
  return words.map(({ word, score }) => ({ word, isSuspect: score >= (second ?? 0) }))
}

function columns(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] as readonly string[]).map((_, i) => Math.max(...rows.map((row) => (row[i] as string).length)))
  return rows.map((row) => `  ${row.map((cell, i) => cell.padEnd(widths[i] as number)).join('  ')}`).join('\n')
}
