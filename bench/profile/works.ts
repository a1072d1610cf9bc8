// The works that are profiled: the same shapes as those of bench/models.
import {
  ElectraForJointPreTraining,
  ElectraForSequenceClassification,
  generatorJson,
  noGrad,
  optim,
  parseElectraConfig,
  parseT5Config,
  T5EncoderModel,
  T5ForConditionalGeneration,
  train,
} from '../../lib/index.ts'
import { randomOf } from '../../test/harness.ts'

interface Prepared extends Disposable {
  run(): Promise<unknown>
}

const random = randomOf(1)
const ids = (rows: number, length: number) =>
  Array.from({ length: rows }, () => Array.from({ length }, () => 1000 + Math.floor(random.uniform() * 29_000)))
const base = { embedding_size: 768, hidden_size: 768, num_attention_heads: 12, intermediate_size: 3072 }

function classify(sizes: Readonly<Record<string, unknown>>, rows: number, length: number): Prepared {
  const model = new ElectraForSequenceClassification(parseElectraConfig(sizes)).eval()
  const inputIds = ids(rows, length)
  return {
    async run() {
      using logits = noGrad(() => model.forward({ inputIds }).logits)
      await logits.data()
    },
    [Symbol.dispose]: () => model.dispose(),
  }
}

function trained<B>(model: train.Trainable & Disposable, objective: train.Objective<B>, batch: B): Prepared {
  const optimizer = new optim.AdamW(optim.parameterGroups(model.namedParameters(), { weightDecay: 0.01 }))
  model.train()
  return {
    async run() {
      using step = train.launchStep(objective, optimizer, [batch], { lr: 1e-4, maxGradNorm: 1 })
      await step.loss.item()
    },
    [Symbol.dispose]() {
      optimizer.dispose()
      model[Symbol.dispose]()
    },
  }
}

function joint(rows: number, length: number): Prepared {
  const json = { model_type: 'electra', hidden_size: 256 }
  const generator = parseElectraConfig(generatorJson(json, 1 / 4))
  const model = ElectraForJointPreTraining.fromConfigs(generator, parseElectraConfig(json))
  const inputIds = ids(rows, length)
  const isMasked = (t: number) => t % 7 === 3
  const maskedInputIds = inputIds.map((row) => row.map((id, t) => (isMasked(t) ? 103 : id)))
  const labels = inputIds.map((row) => row.map((id, t) => (isMasked(t) ? id : -100)))
  return trained(model, train.jointObjective(model), { inputIds, maskedInputIds, labels })
}

function t5Step(rows: number, source: number, target: number): Prepared {
  const model = new T5ForConditionalGeneration(parseT5Config({ model_type: 't5' }))
  return trained(model, train.lossObjective(model), { inputIds: ids(rows, source), labels: ids(rows, target) })
}

function encode(rows: number, length: number): Prepared {
  const model = new T5EncoderModel(parseT5Config({ model_type: 't5' })).eval()
  const inputIds = ids(rows, length)
  return {
    async run() {
      using hidden = noGrad(() => model.forward({ inputIds }).lastHiddenState)
      await hidden.data()
    },
    [Symbol.dispose]: () => model.dispose(),
  }
}

function generate(rows: number, numBeams: number): Prepared {
  const model = new T5ForConditionalGeneration(parseT5Config({ model_type: 't5' })).eval()
  const inputIds = ids(rows, 64)
  return {
    run: () => model.generate({ inputIds }, { minNewTokens: 64, maxNewTokens: 64, numBeams }),
    [Symbol.dispose]: () => model.dispose(),
  }
}

export const works: Readonly<Record<string, () => Prepared>> = {
  'electra-small classify 1x32': () => classify({}, 1, 32),
  'electra-small classify 1x128': () => classify({}, 1, 128),
  'electra-small classify 32x128': () => classify({}, 32, 128),
  'electra-base classify 1x128': () => classify(base, 1, 128),
  'electra-base classify 32x128': () => classify(base, 32, 128),
  'electra-small joint 16x128': () => joint(16, 128),
  't5-small step 8x128-32': () => t5Step(8, 128, 32),
  't5-small encode 1x128': () => encode(1, 128),
  't5-small greedy 1': () => generate(1, 1),
  't5-small greedy 8': () => generate(8, 1),
  't5-small beam 4': () => generate(1, 4),
}
