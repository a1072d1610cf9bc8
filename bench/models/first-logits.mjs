// A process from `import` to the first logits of ELECTRA-small, and then so many texts, one after another:
// first-logits.mjs duoformer FOLDER THREADS TEXTS | onnxruntime FILE THREADS TEXTS
const [engine, path, threads, texts] = process.argv.slice(2)
const inputIds = Array.from({ length: 32 }, (_, i) => 1000 + 7 * i)

async function duoformer() {
  const { ElectraForSequenceClassification, noGrad, setThreads } = await import('../../dist/index.js')
  setThreads(Number(threads))
  const model = await ElectraForSequenceClassification.fromPretrained(path)
  return async () => {
    const { logits } = noGrad(() => model.forward({ inputIds: [inputIds] }))
    await logits.data()
    logits.dispose()
  }
}

async function onnxruntime() {
  const { createRequire } = await import('node:module')
  const ort = createRequire(new URL('../baselines/', import.meta.url))('onnxruntime-node')
  const session = await ort.InferenceSession.create(path, { intraOpNumThreads: Number(threads), interOpNumThreads: 1 })
  const longs = (values) => new ort.Tensor('int64', BigInt64Array.from(values, BigInt), [1, values.length])
  const feeds = { input_ids: longs(inputIds), attention_mask: longs(inputIds.map(() => 1)) }
  return () => session.run(feeds)
}

const start = performance.now()
const run = await { duoformer, onnxruntime }[engine]()
await run()
const firstMs = performance.now() - start
const times = []
for (let i = 0; i < Number(texts); i++) {
  const begin = performance.now()
  await run()
  times.push(performance.now() - begin)
}
// What a server is measured by comes after the first seconds, in which V8 compiles.
const sorted = times.slice(times.length / 4).sort((a, b) => a - b)
console.log(
  JSON.stringify({ firstMs, medianMs: sorted[sorted.length >> 1], p99Ms: sorted[Math.floor(sorted.length * 0.99)] }),
)
