// Our side of models.ts: for each line "seconds name of a work" on standard input, prints its times and this process's peak
// memory. Plain JavaScript over the built package, so that no compiler's memory is counted.
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import {
  device,
  ElectraForJointPreTraining,
  ElectraForSequenceClassification,
  generatorJson,
  noGrad,
  optim,
  parseElectraConfig,
  parseT5Config,
  setThreads,
  T5EncoderModel,
  T5ForConditionalGeneration,
  train,
} from '../../dist/index.js'

const vocabSize = 30522
const electra = {
  small: { embedding_size: 128, hidden_size: 256, num_attention_heads: 4, intermediate_size: 1024 },
  base: { embedding_size: 768, hidden_size: 768, num_attention_heads: 12, intermediate_size: 3072 },
}
const t5 = { d_model: 512, d_kv: 64, d_ff: 2048, num_layers: 6, num_heads: 8, decoder_start_token_id: 0 }

let state = 1
function below(n) {
  state = (state * 48271) % 2147483647
  return state % n
}
const ids = (rows, length) => Array.from({ length: rows }, () => Array.from({ length }, () => 1000 + below(29000)))
const steps = (objective, optimizer, batch) => async () => {
  const step = train.launchStep(objective, optimizer, [batch], { lr: 1e-4, maxGradNorm: 1 })
  await step.loss.item()
  step[Symbol.dispose]()
}

let kept = null
/** Models of a group are used again. */
function model(key, make) {
  if (kept?.key !== key) {
    kept?.value.dispose()
    kept = { key, value: make() }
  }
  return kept.value
}

function classifier(size) {
  const config = parseElectraConfig({ ...electra[size], vocab_size: vocabSize })
  return model(size, () => new ElectraForSequenceClassification(config).eval())
}

/** Lengths of real texts: 8 to 128 tokens, the same in all engines. */
const mixedLengths = Array.from({ length: 32 }, (_, i) => 8 + Math.floor(((i * 37) % 32) * (120 / 31)))

function classify(size, shape) {
  const net = classifier(size)
  const [rows, length] = shape === 'mixed' ? [32, 128] : shape.split('x').map(Number)
  const inputIds = ids(rows, length)
  const attentionMask = inputIds.map((row, i) => row.map((_, t) => Number(shape !== 'mixed' || t < mixedLengths[i])))
  return async () => {
    const { logits } = noGrad(() => net.forward({ inputIds, attentionMask }))
    await logits.data()
    logits.dispose()
  }
}

function joint(size, shape) {
  const [rows, length] = shape.split('x').map(Number)
  const json = { model_type: 'electra', num_hidden_layers: 12, vocab_size: vocabSize, ...electra[size] }
  const net = ElectraForJointPreTraining.fromConfigs(
    parseElectraConfig(generatorJson(json, size === 'small' ? 1 / 4 : 1 / 3)),
    parseElectraConfig(json),
  )
  const optimizer = new optim.AdamW(optim.parameterGroups(net.namedParameters(), { weightDecay: 0.01 }))
  const inputIds = ids(rows, length)
  const isMasked = (t) => t % 7 === 3 && t < 7 * 19 // 19 a row, as 15 % of 128
  const maskedInputIds = inputIds.map((row) => row.map((id, t) => (isMasked(t) ? 103 : id)))
  const labels = inputIds.map((row) => row.map((id, t) => (isMasked(t) ? id : -100)))
  net.train()
  return steps(train.jointObjective(net), optimizer, { inputIds, maskedInputIds, labels })
}

function t5Step(shape) {
  const [, rows, source, target] = /(\d+)x(\d+)-(\d+)/.exec(shape).map(Number)
  const net = new T5ForConditionalGeneration(parseT5Config(t5))
  const optimizer = new optim.AdamW(optim.parameterGroups(net.namedParameters(), { weightDecay: 0.01 }))
  return steps(train.lossObjective(net), optimizer, { inputIds: ids(rows, source), labels: ids(rows, target) })
}

async function generate(what, count, dtype) {
  const [rows, numBeams] = what === 'beam' ? [1, Number(count)] : [Number(count), 1]
  const net = dtype
    ? await sixteenBit(dtype)
    : model('t5', () => new T5ForConditionalGeneration(parseT5Config(t5)).eval())
  const inputIds = ids(rows, 64)
  return () => net.generate({ inputIds }, { minNewTokens: 64, maxNewTokens: 64, numBeams })
}

async function sixteenBit(dtype) {
  const { mkdtempSync, rmSync } = await import('node:fs')
  const { tmpdir } = await import('node:os')
  const folder = mkdtempSync(`${tmpdir()}/bench-`)
  const full = new T5ForConditionalGeneration(parseT5Config(t5))
  await full.savePretrained(folder)
  full.dispose()
  const net = await T5ForConditionalGeneration.fromPretrained(folder, { dtype })
  rmSync(folder, { recursive: true })
  return net
}

function encode(shape) {
  const [rows, length] = shape.split('x').map(Number)
  const net = model('t5-encoder', () => new T5EncoderModel(parseT5Config(t5)).eval())
  const inputIds = ids(rows, length)
  return async () => {
    const { lastHiddenState } = noGrad(() => net.forward({ inputIds }))
    await lastHiddenState.data()
    lastHiddenState.dispose()
  }
}

function workOf(name) {
  const [family, what, ...rest] = name.split(' ')
  if (what === 'classify') return classify(family.slice(8), rest[0])
  if (what === 'joint') return joint(family.slice(8), rest[0])
  if (what === 'step') return t5Step(rest[0])
  if (what === 'encode') return encode(rest[0])
  return generate(what, rest[0], rest[1])
}

async function measure(seconds, name) {
  const run = await workOf(name)
  await run()
  const times = []
  const end = performance.now() + seconds * 1000
  while (times.length < 3 || performance.now() < end) {
    const start = performance.now()
    await run()
    times.push(performance.now() - start)
  }
  await device().synchronize()
  const peak = Number(/^VmHWM:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'))[1]) * 1024
  return { times, peakRssBytes: peak }
}

setThreads(Number(process.argv[2]))
console.log('ready')
for await (const line of createInterface({ input: process.stdin })) {
  const [seconds, ...name] = line.split(' ')
  try {
    console.log(JSON.stringify(await measure(Number(seconds), name.join(' '))))
  } catch (error) {
    console.log(JSON.stringify({ error: String(error) }))
  }
}
