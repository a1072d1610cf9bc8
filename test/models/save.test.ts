import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  AutoModelForSeq2SeqLM,
  CheckpointError,
  ConfigError,
  device,
  ElectraForJointPreTraining,
  ElectraForMaskedLM,
  ElectraForPreTraining,
  ElectraForQuestionAnswering,
  ElectraForSequenceClassification,
  ElectraForTokenClassification,
  ElectraModel,
  noGrad,
  type PreTrainedModel,
  parseElectraConfig,
  parseT5Config,
  T5EncoderModel,
  T5ForConditionalGeneration,
  T5ForQuestionAnswering,
  T5ForSequenceClassification,
  T5ForTokenClassification,
  type Tensor,
} from '../../lib/index.ts'
import { FakeHub } from '../checkpoint/hub-server.ts'

const golden = (name: string) => fileURLToPath(new URL(`../golden/${name}`, import.meta.url))
type Model = PreTrainedModel<{ json: Readonly<Record<string, unknown>> }>
type Loader = (folder: string) => Promise<Model>

let root: string
let tensorsBefore: number
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'save-models-'))
})
afterAll(() => rmSync(root, { recursive: true }))
beforeEach(() => {
  tensorsBefore = device().memory().tensors
})
afterEach(() => expect(device().memory().tensors).toBe(tensorsBefore))

async function valuesOf(model: Model): Promise<Record<string, number[]>> {
  const entries = [...model.namedParameters()].map(async ([name, tensor]) => [name, Array.from(await tensor.data())])
  return Object.fromEntries(await Promise.all(entries))
}

const readJson = (...path: string[]) => JSON.parse(readFileSync(join(...path), 'utf8'))

const models: [folder: string, Loader][] = [
  ['t5/f_padding_default_decoder', (folder) => T5ForConditionalGeneration.fromPretrained(folder)],
  ['loading/t5_untied_resaved', (folder) => T5ForConditionalGeneration.fromPretrained(folder)],
  ['loading/t5_legacy_tied', (folder) => T5ForConditionalGeneration.fromPretrained(folder)],
  ['generation/gated_untied', (folder) => T5ForConditionalGeneration.fromPretrained(folder)],
  ['t5_heads/umt5', (folder) => T5ForConditionalGeneration.fromPretrained(folder)],
  ['t5_heads/sequence_classification', (folder) => T5ForSequenceClassification.fromPretrained(folder)],
  ['electra/mlm_gelu_new', (folder) => ElectraForMaskedLM.fromPretrained(folder)],
  ['electra/joint_all_embeddings/discriminator', (folder) => ElectraForPreTraining.fromPretrained(folder)],
]

it.each(models)('%s comes back as it was saved', async (name, load) => {
  using model = await load(golden(name))
  const dir = join(root, name)
  await model.savePretrained(dir, { maxShardSize: '20KB' })
  using again = await load(dir)
  expect(await valuesOf(again)).toEqual(await valuesOf(model))
  expect(again.loadReport).toEqual({ missing: [], unexpected: [] })
  // The same model: all of its configuration but the text that it came from.
  const { json, ...config } = again.config
  const { json: before, ...wanted } = model.config
  expect(config).toEqual(wanted)
  expect(json).toMatchObject({ ...before, architectures: json.architectures, ...changing(json, before) })
})

/** Keys that saving may set where the file had them otherwise. */
function changing(json: Readonly<Record<string, unknown>>, before: Readonly<Record<string, unknown>>) {
  const keys = ['tie_word_embeddings', 'scale_decoder_outputs', 'dtype', 'torch_dtype'].filter((key) => key in before)
  return Object.fromEntries(keys.map((key) => [key, json[key]]))
}

describe('a saved folder', () => {
  it('keeps keys that nobody knows, and numbers as they were written', async () => {
    const source = join(root, 'keys')
    {
      using model = await T5ForConditionalGeneration.fromPretrained(golden('t5/h_tiny_lengths'))
      await model.savePretrained(source)
    }
    const text = readFileSync(join(source, 'config.json'), 'utf8')
    const odd = '"unknown": {"big": 12345678901234567890, "small": 1e-06, "one": 1.0, "none": null},'
    writeFileSync(join(source, 'config.json'), text.replace('{', `{${odd}`))
    writeFileSync(
      join(source, 'generation_config.json'),
      '{"length_penalty": 2.0, "transformers_version": "9.9", "odd": 1e5}',
    )
    using model = await T5ForConditionalGeneration.fromPretrained(source)
    const dir = join(root, 'keys-again')
    await model.savePretrained(dir)
    const saved = readFileSync(join(dir, 'config.json'), 'utf8')
    for (const part of ['"big": 12345678901234567890', '"small": 1e-06', '"one": 1.0', '"none": null']) {
      expect(saved).toContain(part)
    }
    const generation = readFileSync(join(dir, 'generation_config.json'), 'utf8')
    for (const part of ['"length_penalty": 2.0', '"transformers_version": "9.9"', '"odd": 1e5']) {
      expect(generation).toContain(part)
    }
    expect(readdirSync(dir).sort()).toEqual(['config.json', 'generation_config.json', 'model.safetensors'])
  })

  it('may hold 16-bit floats, and says so', async () => {
    using model = await ElectraForMaskedLM.fromPretrained(golden('electra/mlm_gelu_new'))
    const dir = join(root, 'half')
    await model.savePretrained(dir, { dtype: 'bfloat16' })
    expect(readJson(dir, 'config.json').dtype).toBe('bfloat16')
    using half = await ElectraForMaskedLM.fromPretrained(golden('electra/mlm_gelu_new'), { dtype: 'bfloat16' })
    using again = await ElectraForMaskedLM.fromPretrained(dir, { dtype: 'bfloat16' })
    expect(await valuesOf(again)).toEqual(await valuesOf(half))
  })

  it('of a joint model has two whole ones', async () => {
    for (const sharing of ['embeddings', 'wordAndPosition', 'none'] as const) {
      using joint = await ElectraForJointPreTraining.fromPretrained(golden('electra/joint_all_embeddings'), { sharing })
      const dir = join(root, 'joint', sharing)
      await joint.savePretrained(dir)
      using again = await ElectraForJointPreTraining.fromPretrained(dir, { sharing })
      for (const [name, tensor] of joint.namedParameters()) {
        expect(await (again.namedParameters().get(name) as Tensor).data()).toEqual(await tensor.data())
      }
      using generator = await ElectraForMaskedLM.fromPretrained(join(dir, 'generator'))
      expect(generator.loadReport).toEqual({ missing: [], unexpected: [] })
    }
  })

  it('of a configuration that its json does not tell is refused', async () => {
    const config = parseElectraConfig(readJson(golden('electra/mlm_gelu_new'), 'config.json'))
    using model = new ElectraForSequenceClassification({ ...config, numLabels: 7 })
    await expect(model.savePretrained(join(root, 'refused'))).rejects.toThrow(ConfigError)
    await expect(model.savePretrained(join(root, 'refused'))).rejects.toThrow(/config\.numLabels to be 2 .*, got 7/)
    expect(readdirSync(root)).not.toContain('refused')
  })
})

it('a folder without weights or config says what to do', async () => {
  const dir = join(root, 'torch')
  mkdirSync(dir)
  await expect(T5EncoderModel.fromPretrained(dir)).rejects.toThrow(/expected config\.json in .*torch, got none/)
  writeFileSync(join(dir, 'config.json'), readFileSync(join(golden('t5/h_tiny_lengths'), 'config.json')))
  writeFileSync(join(dir, 'pytorch_model.bin'), '')
  await expect(T5EncoderModel.fromPretrained(dir)).rejects.toThrow(/got only pytorch_model\.bin: .*save_pretrained/)
  await expect(AutoModelForSeq2SeqLM.fromPretrained(join(dir, 'none'))).rejects.toThrow(CheckpointError)
})

it('a model of the hub is loaded by its id', async () => {
  const folder = golden('t5/h_tiny_lengths')
  const files = Object.fromEntries(
    ['config.json', 'model.safetensors'].map((name) => [name, readFileSync(join(folder, name))]),
  )
  const commit = 'b'.repeat(40)
  const hub = await FakeHub.start({ 'org/tiny': { refs: { main: commit }, commits: { [commit]: files } } })
  vi.stubEnv('HF_ENDPOINT', hub.endpoint)
  try {
    const seen: string[] = []
    using model = await AutoModelForSeq2SeqLM.fromPretrained('org/tiny', {
      cacheDir: join(root, 'hub'),
      onProgress: ({ file }) => seen.push(file),
    })
    using local = await T5ForConditionalGeneration.fromPretrained(folder)
    expect(await valuesOf(model as Model)).toEqual(await valuesOf(local))
    expect(new Set(seen)).toEqual(new Set(['config.json', 'model.safetensors']))
  } finally {
    vi.unstubAllEnvs()
    await hub.stop()
  }
})

// ---------------------------------------------------------------- what transformers makes of it

const python = process.env.DUOFORMER_PYTHON ?? 'python3'
const hasTransformers = spawnSync(python, ['-c', 'import torch, transformers']).status === 0

// As in load_saved.py.
const inputIds = [
  [5, 6, 7, 9, 1],
  [8, 9, 1, 0, 0],
]
const attentionMask = [
  [1, 1, 1, 1, 1],
  [1, 1, 1, 0, 0],
]
const decoderInputIds = [
  [0, 3, 4],
  [0, 9, 2],
]

type Outputs = Record<string, Tensor | null>
interface Saved {
  readonly name: string
  /** By what transformers multiplies logits beyond what the model's own authors do. @default 1 */
  readonly theirFactor?: number
  readonly model: Model & { forward(inputs: never): object }
}

const t5Json = (more: object) => ({
  model_type: 't5',
  vocab_size: 40,
  d_model: 16,
  d_kv: 6,
  d_ff: 20,
  num_layers: 2,
  num_heads: 3,
  decoder_start_token_id: 0,
  initializer_factor: 1.5,
  ...more,
})
const electraJson = (more: object) => ({
  model_type: 'electra',
  vocab_size: 40,
  embedding_size: 8,
  hidden_size: 16,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  intermediate_size: 20,
  max_position_embeddings: 12,
  initializer_range: 0.5,
  ...more,
})

async function savedModels(): Promise<Saved[]> {
  const t5 = (more = {}) => parseT5Config(t5Json(more))
  const electra = (more = {}) => parseElectraConfig(electraJson(more))
  const gated = { feed_forward_proj: 'gated-gelu', tie_word_embeddings: false }
  const labels = { num_labels: 3, id2label: { 0: 'a', 1: 'b', 2: 'c' }, label2id: { a: 0, b: 1, c: 2 } }
  const joint = ElectraForJointPreTraining.fromConfigs(electra(), electra())
  const smaller = ElectraForJointPreTraining.fromConfigs(electra({ hidden_size: 10 }), electra())
  return [
    { name: 'v10', model: new T5ForConditionalGeneration(t5()) },
    { name: 'v11', model: new T5ForConditionalGeneration(t5({ ...gated, num_decoder_layers: 1 })) },
    { name: 'mt5', model: new T5ForConditionalGeneration(t5({ ...gated, model_type: 'mt5' })) },
    {
      name: 'umt5',
      model: new T5ForConditionalGeneration(t5({ feed_forward_proj: 'gated-gelu', model_type: 'umt5' })),
    },
    // A§9.3: transformers 5 scales every umT5, also one whose file says that its output layer is a matrix of its own.
    {
      name: 'umt5-separate',
      model: new T5ForConditionalGeneration(t5({ ...gated, model_type: 'umt5' })),
      theirFactor: 16 ** -0.5,
    },
    { name: 'resaved', model: await T5ForConditionalGeneration.fromPretrained(golden('loading/t5_untied_resaved')) },
    { name: 'legacy', model: await T5ForConditionalGeneration.fromPretrained(golden('loading/t5_legacy_tied')) },
    { name: 'encoder', model: new T5EncoderModel(t5()) },
    { name: 't5-classifier', model: new T5ForSequenceClassification(t5(labels)) },
    { name: 't5-tagger', model: new T5ForTokenClassification(t5(labels)) },
    { name: 't5-qa', model: new T5ForQuestionAnswering(t5()) },
    { name: 'electra', model: new ElectraModel(electra()) },
    { name: 'discriminator', model: joint.discriminator },
    { name: 'generator', model: joint.generator as ElectraForMaskedLM },
    { name: 'small-generator', model: smaller.generator as ElectraForMaskedLM },
    { name: 'its-discriminator', model: smaller.discriminator },
    { name: 'untied', model: new ElectraForMaskedLM(electra({ tie_word_embeddings: false })) },
    { name: 'classifier', model: new ElectraForSequenceClassification(electra(labels)) },
    { name: 'tagger', model: new ElectraForTokenClassification(electra(labels)) },
    { name: 'qa', model: new ElectraForQuestionAnswering(electra()) },
  ] as Saved[]
}

/** Output by the name that transformers has for it. */
const outputNames = {
  logits: 'logits',
  startLogits: 'start_logits',
  endLogits: 'end_logits',
  lastHiddenState: 'last_hidden_state',
}

describe.skipIf(!hasTransformers)('transformers', () => {
  it('loads what was saved without a missing or an unexpected key, and computes the same', async () => {
    const script = golden('load_saved.py')
    const saved = await savedModels()
    const args: string[] = []
    for (const [i, { name, model }] of saved.entries()) {
      model.eval()
      const dir = join(root, 'python', name)
      await model.savePretrained(dir, i % 3 === 0 ? { maxShardSize: '10KB' } : {})
      args.push(readJson(dir, 'config.json').architectures[0], dir)
    }
    const env = { ...process.env, HF_HUB_OFFLINE: '1' }
    const reports = JSON.parse(execFileSync(python, [script, ...args], { encoding: 'utf8', env, stdio: 'pipe' }))
    for (const [i, { name, model, theirFactor = 1 }] of saved.entries()) {
      expect(reports[i].problems, name).toEqual({})
      const decoder = /ForConditionalGeneration$/.test(args[2 * i] as string)
      const inputs = { inputIds, attentionMask, ...(decoder && { decoderInputIds }) } as never
      const output = noGrad(() => model.forward(inputs)) as Outputs
      let compared = 0
      for (const [ours, theirs] of Object.entries(outputNames)) {
        const want = reports[i].values[theirs]?.map((value: number) => value / theirFactor)
        if (!want) continue
        const got = await (output[ours] as Tensor).data()
        expect(got.length, `${name}.${ours}`).toBe(want.length)
        const largest = Math.max(...want.map(Math.abs))
        const counts = (at: number) =>
          theirs !== 'last_hidden_state' && !masked(name) ? true : maskAt(at, want.length)
        want.forEach((value: number, at: number) => {
          // 32 float32 roundings of the largest value: two layers of sums in another order.
          if (counts(at))
            expect(Math.abs((got[at] as number) - value), `${name}.${ours}[${at}]`).toBeLessThan(
              32 * 2 ** -23 * largest,
            )
        })
        compared++
      }
      expect(compared, name).toBeGreaterThan(0)
      for (const tensor of Object.values(output)) tensor?.dispose?.()
    }
    for (const { model } of saved) model.dispose()
  }, 120_000)
})

/** Models whose outputs at masked positions are unspecified: one for each token. */
const masked = (name: string) => /tagger|discriminator|generator|untied/.test(name)

/** Whether an element of a (2, 5, …) output belongs to a token that the mask lets through. */
function maskAt(at: number, size: number): boolean {
  return attentionMask.flat()[Math.floor((at * inputIds.flat().length) / size)] === 1
}
