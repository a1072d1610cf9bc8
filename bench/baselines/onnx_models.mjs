// ONNX Runtime's side of models.ts: onnx_models.mjs THREADS FOLDER. For each line "seconds name of a work" on standard input,
// prints times and this process's peak memory as JSON. The models are those of export_onnx.py.
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import ort from 'onnxruntime-node'

const [threads, folder] = process.argv.slice(2)
const options = { intraOpNumThreads: Number(threads), interOpNumThreads: 1, graphOptimizationLevel: 'all' }
const sessions = new Map()
async function session(name) {
  if (!sessions.has(name)) {
    for (const old of sessions.values()) await old.release()
    sessions.clear()
  }
  return open(name)
}
async function open(name) {
  if (!sessions.has(name)) sessions.set(name, await ort.InferenceSession.create(`${folder}/${name}.onnx`, options))
  return sessions.get(name)
}

let state = 1
function below(n) {
  state = (state * 48271) % 2147483647
  return state % n
}
const longs = (dims, value) => {
  const data = BigInt64Array.from({ length: dims[0] * dims[1] }, (_, i) => BigInt(value(i)))
  return new ort.Tensor('int64', data, dims)
}

async function classify(size, shape) {
  const net = await session(`electra-${size}`)
  const [rows, length] = shape === 'mixed' ? [32, 128] : shape.split('x').map(Number)
  const lengthOf = (row) => (shape === 'mixed' ? 8 + Math.floor(((row * 37) % 32) * (120 / 31)) : length)
  const feeds = {
    input_ids: longs([rows, length], () => 1000 + below(29000)),
    attention_mask: longs([rows, length], (i) => Number(i % length < lengthOf(Math.floor(i / length)))),
  }
  return () => net.run(feeds)
}

async function encode(shape) {
  const net = await session('t5-encoder')
  const dims = shape.split('x').map(Number)
  const feeds = { input_ids: longs(dims, () => 1000 + below(29000)), attention_mask: longs(dims, () => 1) }
  return () => net.run(feeds)
}

const [layers, heads, width, vocabulary] = [6, 8, 64, 32128]

/** Greedy decoding with caches; keys and values of the source come from the encoder's part of the decoder's file. */
async function greedy(rows) {
  await session('t5-encoder')
  const [encoder, decoder] = [await open('t5-encoder'), await open('t5-decoder-step')]
  const source = 64
  const mask = longs([rows, source], () => 1)
  const input = { input_ids: longs([rows, source], () => 1000 + below(29000)), attention_mask: mask }
  const cross = Object.fromEntries(
    Array.from({ length: layers }).flatMap((_, i) =>
      ['ck', 'cv'].map((kind) => {
        const data = new Float32Array(rows * heads * source * width).map(() => below(1000) / 1000 - 0.5)
        return [`${kind}${i}`, new ort.Tensor('float32', data, [rows, heads, source, width])]
      }),
    ),
  )
  return async () => {
    await encoder.run(input)
    let past = Object.fromEntries(
      Array.from({ length: layers }).flatMap((_, i) =>
        ['sk', 'sv'].map((kind) => [
          `${kind}${i}`,
          new ort.Tensor('float32', new Float32Array(0), [rows, heads, 0, width]),
        ]),
      ),
    )
    let tokens = longs([rows, 1], () => 0)
    for (let step = 0; step < 64; step++) {
      const { logits, ...caches } = await decoder.run({ input_ids: tokens, source_mask: mask, ...past, ...cross })
      const best = Array.from({ length: rows }, (_, row) => {
        const scores = logits.data.subarray(row * vocabulary, (row + 1) * vocabulary)
        let top = 0
        for (let id = 1; id < vocabulary; id++) if (scores[id] > scores[top]) top = id
        return top
      })
      tokens = longs([rows, 1], (row) => best[row])
      past = Object.fromEntries(Object.entries(caches).map(([name, tensor]) => [name.slice(1), tensor]))
    }
  }
}

function workOf(name) {
  const [family, what, first] = name.split(' ')
  if (what === 'classify') return classify(family.slice(8), first)
  if (what === 'encode') return encode(first)
  return greedy(Number(first))
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
  const peak = Number(/^VmHWM:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'))[1]) * 1024
  return { times, peakRssBytes: peak }
}

console.log('ready')
for await (const line of createInterface({ input: process.stdin })) {
  const [seconds, ...name] = line.split(' ')
  try {
    console.log(JSON.stringify(await measure(Number(seconds), name.join(' '))))
  } catch (error) {
    console.log(JSON.stringify({ error: String(error).slice(0, 200) }))
  }
}
