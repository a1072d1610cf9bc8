// A whole pre-training of ELECTRA on text, small enough to be repeated: tokenizing, masking, steps, and what is measured of it.
import {
  data,
  ElectraForJointPreTraining,
  generatorJson,
  optim,
  parseElectraConfig,
  train,
  trainWordPiece,
} from '../../lib/index.ts'

const words =
  'the old new king tower falls rises slowly before after night river wind stone light dark road north'.split(' ')

/** Documents of lines of words, the same in each run. */
export function documents(count: number): string[] {
  const line = (seed: number) =>
    Array.from({ length: 12 }, (_, i) => words[(seed * 7 + i * i + i * seed) % words.length]).join(' ')
  return Array.from({ length: count }, (_, d) => Array.from({ length: 8 }, (_, l) => line(8 * d + l)).join('\n'))
}

export interface Pretraining extends Disposable {
  /** Trains, from the first step on; ends after as many. */
  run(steps: number): AsyncGenerator<train.TrainingEvent>
}

/** @param json sizes that differ from ELECTRA-small's. */
export async function pretrainingOf(json: object, batchSize: number, maxLength: number): Promise<Pretraining> {
  const texts = documents(200)
  const tokenizer = await trainWordPiece(texts, { vocabSize: 300 })
  const lines: Int32Array[][] = []
  const stream = data.sample(data.datasetOf(texts), { shuffle: false }).through(data.tokenizeLines(tokenizer))
  for await (const document of stream) lines.push(document)
  const config = { model_type: 'electra', hidden_size: 256, vocab_size: tokenizer.length, ...json }
  const model = ElectraForJointPreTraining.fromConfigs(
    parseElectraConfig(generatorJson(config, 1 / 4)),
    parseElectraConfig(config),
  )
  const optimizer = new optim.AdamW(optim.parameterGroups(model.namedParameters(), { weightDecay: 0.01 }))
  return {
    run: (maxSteps) =>
      new train.Trainer({
        ...{ objective: train.jointObjective(model), optimizer, lr: 1e-4, maxSteps },
        data: data.electraBatches(data.datasetOf(lines), { tokenizer, batchSize, maxLength }),
      }).run(),
    [Symbol.dispose]() {
      optimizer.dispose()
      model.dispose()
    },
  }
}
