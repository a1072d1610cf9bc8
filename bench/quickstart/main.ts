// npm run quickstart: the main job on real text, from tokenizers to fine-tuned models and a report, in a few minutes.
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Console } from '../../lib/cli/console.ts'
import { runtimeInfo, train } from '../../lib/index.ts'
import { type Classified, classifyWithElectra, detectReplaced, pretrainElectra } from './electra.ts'
import { type Findings, reportOf } from './report.ts'
import { type Address, addresses, type Passage, passagesOf } from './sotu.ts'
import { answerWithT5, fillSpans, pretrainT5 } from './t5.ts'
import { Interrupted } from './training.ts'

const out = join('runs', 'quickstart')
/** Labels are dear: fine-tuning sees few passages, and what pre-training taught has to help. */
const labelled = { train: 1200, heldOut: 600 }

async function run(console: Console): Promise<void> {
  const start = performance.now()
  await rm(out, { recursive: true, force: true })
  await mkdir(out, { recursive: true })
  const corpus = await addresses()
  const passages = { train: spread(corpus.train, labelled.train), heldOut: spread(corpus.heldOut, labelled.heldOut) }
  const electra = await pretrainElectra(corpus.train, join(out, 'electra'), console)
  const t5 = await pretrainT5(corpus.train, join(out, 't5'), console)

  const byElectra = async (label: 'era' | 'party', pretrained: boolean): Promise<Classified> =>
    classifyWithElectra(
      { train: labelledBy(label, passages.train), heldOut: labelledBy(label, passages.heldOut) },
      {
        ...{ label, pretrained, from: electra.discriminator, tokenizer: electra.tokenizer },
        ...(pretrained ? { saveTo: join(out, `electra-${label}`) } : {}),
      },
      console,
    )
  const electraEra = { pretrained: await byElectra('era', true), scratch: await byElectra('era', false) }
  const electraParty = { pretrained: await byElectra('party', true), scratch: await byElectra('party', false) }
  const t5Pretrained = await answerWithT5(
    passages,
    { from: join(out, 't5'), tokenizer: t5.tokenizer, saveTo: join(out, 't5-answers') },
    console,
  )
  const t5Scratch = await answerWithT5(passages, { from: null, tokenizer: t5.tokenizer }, console)

  const sentences = heldOutSentences(corpus.heldOut)
  const findings: Findings = {
    accuracy: (['era', 'party'] as const).map((label) => ({
      label,
      majority: majorityOf(labelledBy(label, passages.heldOut), labelledBy(label, passages.train), label),
      electra: {
        pretrained: (label === 'era' ? electraEra : electraParty).pretrained.accuracy,
        scratch: (label === 'era' ? electraEra : electraParty).scratch.accuracy,
      },
      t5: { pretrained: t5Pretrained.accuracy[label], scratch: t5Scratch.accuracy[label] },
    })),
    filled: await fillSpans(sentences.slice(0, 6), join(out, 't5')),
    detected: await detectReplaced(sentences, frequentWords(corpus.train), electra.discriminator),
    curves: { electra: electra.curves, t5: t5.curves },
    counts: {
      addresses: [corpus.train.length, corpus.heldOut.length],
      passages: [passages.train.length, passages.heldOut.length],
    },
    seconds: (performance.now() - start) / 1000,
    runtime: runtimeInfo(),
  }
  const { page, lines } = reportOf(findings)
  const path = join(out, 'report.html')
  await train.writePage(path, page)
  for (const line of lines) await console.print(line)
  await console.print(`
Report: ${path}
Now try:
  npx duoformer classify ${join(out, 'electra-era')} "We must win the war against terror."
  npx duoformer generate ${join(out, 't5-answers')} "era: The railroads must be regulated by law."
  npx duoformer detect ${join(out, 'electra', 'discriminator')} "The Congress banana the bill last year."`)
}

/** Passages of all addresses, evenly. */
function spread(from: readonly Address[], count: number): Passage[] {
  const all = from.flatMap(passagesOf)
  return Array.from(
    { length: Math.min(count, all.length) },
    (_, i) => all[Math.floor((i * all.length) / count)] as Passage,
  )
}

function labelledBy(label: 'era' | 'party', passages: readonly Passage[]): Passage[] {
  return passages.filter((passage) => passage[label] !== null)
}

/** Accuracy of always giving the class that is most frequent in training. */
function majorityOf(heldOut: readonly Passage[], known: readonly Passage[], label: 'era' | 'party'): number {
  const count = (passages: readonly Passage[], value: string | null) =>
    passages.filter((passage) => passage[label] === value).length
  const [best] = known.map((passage) => passage[label]).sort((a, b) => count(known, b) - count(known, a))
  return count(heldOut, best ?? null) / heldOut.length
}

/** One sentence of each address, of 12 to 20 words. */
function heldOutSentences(from: readonly Address[]): string[] {
  return from.flatMap(({ sentences }, i) => {
    const fit = sentences.filter((sentence) => /^[A-Z][\w ,;'-]+\.$/.test(sentence))
    const sized = fit.filter((sentence) => sentence.split(' ').length >= 12 && sentence.split(' ').length <= 20)
    return sized.slice(i % 3, (i % 3) + 1)
  })
}

/** Words to put in the place of others. */
function frequentWords(from: readonly Address[]): string[] {
  const counts = new Map<string, number>()
  for (const { sentences } of from) {
    for (const word of sentences.join(' ').split(' ')) {
      if (/^[a-z]{5,}$/.test(word)) counts.set(word, (counts.get(word) ?? 0) + 1)
    }
  }
  return [...counts]
    .sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1))
    .slice(0, 500)
    .map(([word]) => word)
}

const interrupt = new AbortController()
const console = new Console(process.stdin, process.stdout, process.stderr, interrupt.signal)
process.on('SIGINT', () => {
  if (interrupt.signal.aborted) process.exit(130)
  console.note('stopping; once more ends it at once')
  interrupt.abort()
})
try {
  await run(console)
} catch (error) {
  if (!(interrupt.signal.aborted || error instanceof Interrupted)) throw error
  process.exit(130)
}
