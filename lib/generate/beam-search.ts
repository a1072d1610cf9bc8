import * as ops from '../ops/index.ts'
import { Tensor } from '../tensor.ts'
import { type Beam, beamRules } from './beam-rules.ts'
import { BeamSentence, outOfTheRunning } from './beam-sentence.ts'
import { tokenList } from './config.ts'
import type { DecoderState } from './model.ts'
import { type Found, Pending, queued, type Run } from './run.ts'
import { type StepRow, Steps } from './steps.ts'

/** What a beam search found: the best beams of each sentence, best first. */
export interface FoundBeams extends Found {
  /** Sum of log-probabilities divided by the length penalty. */
  readonly sequencesScores: Float32Array
  /** For each generated token, the row of `scores` that it was chosen from. */
  readonly beamIndices: readonly Int32Array[]
}

/**
 * Beam search: keeps the `numBeams` most probable beginnings of each sentence. Sentences that are done leave the decoder.
 *
 * Where the device can tell which beams go on, the next step is queued before a step is read: it does not wait for this
 * thread. A sentence that turns out to be done was then fed once too often.
 *
 * @param state with numBeams rows for each sentence.
 */
export async function beamSearch(run: Run, state: DecoderState): Promise<FoundBeams> {
  const { config, prompts, promptLength, maxLength, stopping } = run
  const { numBeams } = config
  const rules = beamRules(config, maxLength - promptLength)
  const sentences = prompts.map((prompt, i) => new BeamSentence(i, numBeams, rules, prompt))
  const steps = new Steps(run, state, sentences.length * numBeams)
  const launch = (active: readonly BeamSentence[]): Launched => {
    return { sentences: active, step: new Pending(queued(state, () => queueStep(run, steps, active))) }
  }
  const launchAfter = ({ sentences, step }: Launched): Launched | null => {
    const next = queued(state, () => queueStepAfter(run, steps, state, sentences, step.tensors))
    return next && { sentences, step: new Pending(next) }
  }
  let active = sentences
  let ahead: Launched | null = null
  try {
    for (let length = promptLength + 1; active.length > 0; length++) {
      run.signal?.throwIfAborted()
      const launched: Launched = ahead ?? launch(active)
      using step = launched.step
      ahead = launched.sentences.length === active.length ? launchAfter(launched) : null
      const values = await step.values
      steps.record(values, active.flatMap(rowsOf))
      const exhausted = stopping.exhausted(length)
      const going: BeamSentence[] = []
      const kept: number[] = []
      for (const sentence of active) {
        const i = launched.sentences.indexOf(sentence)
        const candidates = candidatesOf(values, i, launched.sentences.length)
        const parents = await sentence.advance(candidates, (ids) => stopping.ends(ids, sentence.sentence), exhausted)
        if (!parents) continue
        going.push(sentence)
        kept.push(...parents.map((parent) => i * numBeams + parent))
      }
      active = going
      // What was queued ahead has the beams of all; the decoder lets go of those that are done after it.
      if (!ahead && active.length > 0) queued(state, () => state.select(kept))
    }
  } finally {
    await ahead?.step.values.catch(() => {})
    ahead?.step[Symbol.dispose]()
  }
  return { ...resultsOf(sentences, config.numReturnSequences), ...steps.recorded }
}

/** A step of the beams of some sentences. */
interface Launched {
  readonly sentences: readonly BeamSentence[]
  readonly step: Pending<Choice & { readonly scores?: Tensor | null; readonly logits?: Tensor | null }>
}

/** The candidates of a step, as `ops.BeamCandidates`. */
type Choice = { readonly candidateScores: Tensor; readonly parents: Tensor; readonly tokens: Tensor }

function rowsOf({ running, sentence }: BeamSentence): StepRow[] {
  return running.map(({ ids }, beam) => ({ ids, sentence, row: sentence * running.length + beam }))
}

function queueStep(run: Run, steps: Steps, active: readonly BeamSentence[]): Choice {
  const { numBeams } = run.config
  const running = active.flatMap(({ running }) => running.map(({ score }) => score))
  const beamScores = Tensor.from(Float32Array.from(running), { shape: [active.length, numBeams] })
  const choose = (scores: Tensor) => candidates(run, steps, active, scores, beamScores)
  return steps.queue(active.flatMap(rowsOf), choose, { beams: numBeams, prepare: ops.logSoftmax })
}

/** The step after one that is not read yet, or null where what it found must be looked at first. */
function queueStepAfter(
  run: Run,
  steps: Steps,
  state: DecoderState,
  active: readonly BeamSentence[],
  { candidateScores, parents, tokens }: Choice,
): Choice | null {
  const { stopping, config } = run
  if (!stopping.endsByTokenAlone) return null
  const goOn = () => {
    const found = { scores: candidateScores, parents, tokens }
    const ends = Tensor.from(Int32Array.from(stopping.endTokens))
    const going = ops.runningBeams(found, ends, config.numBeams, outOfTheRunning)
    state.select(going.rows)
    return going
  }
  const choose = (scores: Tensor, { beamScores }: { beamScores: Tensor }) =>
    candidates(run, steps, active, scores, beamScores)
  return steps.queueAfter(active.flatMap(rowsOf), goOn, choose, ops.logSoftmax)
}

function candidates(
  { config, seed }: Run,
  steps: Steps,
  active: readonly BeamSentence[],
  scores: Tensor,
  beamScores: Tensor,
): Choice {
  const { numBeams, doSample, eosTokenId } = config
  // Enough that numBeams are left when all that end are taken out.
  const wanted = Math.max(2, 1 + tokenList(eosTokenId).length) * numBeams
  const k = Math.min(wanted, numBeams * (scores.shape[1] as number))
  const draw = () => {
    const streams = Tensor.from(Int32Array.from(active, ({ sentence }) => sentence))
    return ops.sampleCandidates(scores, beamScores, k, { seed, step: steps.count, streams })
  }
  const found = doSample ? draw() : ops.beamCandidates(scores, beamScores, k)
  return { candidateScores: found.scores, parents: found.parents, tokens: found.tokens }
}

function candidatesOf(values: Readonly<Record<string, Float32Array | Int32Array>>, i: number, sentences: number) {
  const part = (name: string) => {
    const all = values[name] as Float32Array | Int32Array
    const count = all.length / sentences
    return all.subarray(i * count, (i + 1) * count)
  }
  return { scores: part('candidateScores'), parents: part('parents'), tokens: part('tokens') }
}

function resultsOf(sentences: readonly BeamSentence[], count: number): Omit<FoundBeams, 'scores' | 'logits'> {
  const beams: Beam[] = sentences.flatMap((sentence) => sentence.results(count))
  return {
    sequences: beams.map(({ ids }) => ids),
    sequencesScores: Float32Array.from(beams, ({ score }) => score),
    beamIndices: beams.map(({ parents }) => parents),
  }
}
