import * as ops from '../ops/index.ts'
import { Tensor } from '../tensor.ts'
import { type Beam, beamRules } from './beam-rules.ts'
import { BeamSentence } from './beam-sentence.ts'
import { tokenList } from './config.ts'
import type { DecoderState } from './model.ts'
import { type Found, queued, type Run, read } from './run.ts'
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
 * @param state with numBeams rows for each sentence.
 */
export async function beamSearch(run: Run, state: DecoderState): Promise<FoundBeams> {
  const { config, prompts, promptLength, maxLength, stopping } = run
  const { numBeams } = config
  const rules = beamRules(config, maxLength - promptLength)
  const sentences = prompts.map((prompt, i) => new BeamSentence(i, numBeams, rules, prompt))
  const steps = new Steps(run, state, sentences.length * numBeams)
  let active = sentences
  for (let length = promptLength + 1; active.length > 0; length++) {
    run.signal?.throwIfAborted()
    const rows = active.flatMap(rowsOf)
    const values = await read(queued(state, () => queueStep(run, steps, active, rows)))
    steps.record(values, rows)
    const exhausted = stopping.exhausted(length)
    const going: BeamSentence[] = []
    const kept: number[] = []
    for (const [i, sentence] of active.entries()) {
      const candidates = candidatesOf(values, i, active.length)
      const parents = await sentence.advance(candidates, (ids) => stopping.ends(ids, sentence.sentence), exhausted)
      if (!parents) continue
      going.push(sentence)
      kept.push(...parents.map((parent) => i * numBeams + parent))
    }
    active = going
    if (active.length > 0) state.select(kept)
  }
  return { ...resultsOf(sentences, config.numReturnSequences), ...steps.recorded }
}

function rowsOf({ running, sentence }: BeamSentence): StepRow[] {
  return running.map(({ ids }, beam) => ({ ids, sentence, row: sentence * running.length + beam }))
}

function queueStep({ config, seed }: Run, steps: Steps, active: readonly BeamSentence[], rows: readonly StepRow[]) {
  const { numBeams, doSample, eosTokenId } = config
  // Enough that numBeams are left when all that end are taken out.
  const wanted = Math.max(2, 1 + tokenList(eosTokenId).length) * numBeams
  const choose = (scores: Tensor) => {
    const running = active.flatMap(({ running }) => running.map(({ score }) => score))
    const beamScores = Tensor.from(Float32Array.from(running), { shape: [active.length, numBeams] })
    const k = Math.min(wanted, numBeams * (scores.shape[1] as number))
    const streams = Tensor.from(Int32Array.from(active, ({ sentence }) => sentence))
    const found = doSample
      ? ops.sampleCandidates(scores, beamScores, k, { seed, step: steps.count, streams })
      : ops.beamCandidates(scores, beamScores, k)
    return { candidateScores: found.scores, parents: found.parents, tokens: found.tokens }
  }
  return steps.queue(rows, choose, { beams: numBeams, prepare: ops.logSoftmax })
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
