import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { DataError, train } from '../../lib/index.ts'
import { crc32c } from '../../lib/train/logs/crc32c.ts'
import { Curve } from '../../lib/train/logs/curve.ts'
import { sparkline } from '../../lib/train/logs/sparkline.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'logs-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

const stepEvent = (step: number, loss = 4 / step): train.StepEvent => ({
  ...{ type: 'step', step, loss, terms: { mlm: loss / 2, rtd: loss / 100 }, targets: { mlm: 3, rtd: 9 } },
  ...{ tokens: 500, gradNorm: 1.5, lr: 0.001 * step, skipped: !Number.isFinite(loss), seconds: 0.25 },
})
const evaluation: train.EvaluateEvent = { type: 'evaluate', step: 2, metrics: { accuracy: 0.75 }, best: true }
const end: train.EndEvent = { type: 'end', step: 3, reason: 'maxSteps', skipped: 1 }
const events: train.TrainingEvent[] = [stepEvent(1), stepEvent(2), evaluation, stepEvent(3, Number.NaN), end]

async function pass(log: train.TrainingLog, given = events): Promise<void> {
  for (const event of given) await log.event(event)
  await log.close()
}

describe('progress', () => {
  it('shows step, loss, its curve, speed and time left, and keeps evaluations and the end', async () => {
    const shown: string[] = []
    const notes: string[] = []
    const view = {
      progress: (text: () => string) => void shown.push(text()),
      note: (line: string) => void notes.push(line),
    }
    await pass(new train.ProgressLog(view, { name: 'run', maxSteps: 1003 }))
    expect(shown).toEqual([
      'run: step 1/1,003  loss 4.0000 ▁  2.0k tokens/s  ETA 4:11',
      'run: step 2/1,003  loss 2.0000 █▁  2.0k tokens/s  ETA 4:10',
      'run: step 3/1,003  loss NaN (not finite: skipped) █▁  2.0k tokens/s  ETA 4:10',
    ])
    expect(notes[0]).toBe('run: step 2  accuracy 0.7500  (best so far)')
    expect(notes[1]).toMatch(/^run: done at step 3 after 0:00, .*k? tokens\/s, 1 skipped$/)
  })

  it.each([
    [0, '0:00'],
    [59.6, '1:00'],
    [3723, '1:02:03'],
    [Number.NaN, '?'],
  ])('%d seconds are %s', (seconds, text) => expect(train.duration(seconds)).toBe(text))

  it('draws curves of any length in a few characters', () => {
    expect(sparkline([], 8)).toBe('')
    expect(sparkline([5, 5, 5], 8)).toBe('▁▁▁')
    expect(sparkline([0, 1, 2, 3, 4, 5, 6, 7], 8)).toBe('▁▂▃▄▅▆▇█')
    expect([
      ...sparkline(
        Array.from({ length: 1000 }, (_, i) => -i),
        10,
      ),
    ]).toHaveLength(10)
  })
})

describe('curves', () => {
  it('take little memory, and keep the mean', () => {
    const curve = new Curve()
    const count = 100_001
    for (let i = 0; i < count; i++) curve.add(i, 2 * i)
    const { points } = curve
    expect(points.length).toBeLessThanOrEqual(1025)
    expect(points.length).toBeGreaterThan(500)
    for (const { x, y } of points) expect(y).toBeCloseTo(2 * x, 6)
    expect(points.at(-1)?.x).toBeGreaterThan(count - 300)
  })

  it('leave out what is not finite', () => {
    const curve = new Curve()
    for (const y of [1, Number.NaN, Number.POSITIVE_INFINITY, 3]) curve.add(y, y)
    expect(curve.points).toEqual([
      { x: 1, y: 1 },
      { x: 3, y: 3 },
    ])
  })
})

describe('JSON Lines', () => {
  it('hold each event and its time', async () => {
    const path = join(folder, 'a', 'log.jsonl')
    await pass(await train.JsonlLog.open(path))
    const lines = readFileSync(path, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(lines.map(({ type }) => type)).toEqual(['step', 'step', 'evaluate', 'step', 'end'])
    expect(lines[1]).toMatchObject({ step: 2, loss: 2, terms: { mlm: 1, rtd: 0.02 }, lr: 0.002, tokens: 500 })
    expect(Math.abs(lines[0].time - Date.now() / 1000)).toBeLessThan(60)
  })

  it('of a resumed run lose what came after its checkpoint, and a line that was cut off', async () => {
    const path = join(folder, 'resumed.jsonl')
    await pass(await train.JsonlLog.open(path), [stepEvent(1), stepEvent(2), stepEvent(3)])
    writeFileSync(path, `${readFileSync(path, 'utf8')}{"type":"st`)
    await pass(await train.JsonlLog.open(path, { afterStep: 2 }), [stepEvent(3), stepEvent(4)])
    const steps = readFileSync(path, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).step)
    expect(steps).toEqual([1, 2, 3, 4])
  })

  it('that cannot be written name the file', async () => {
    await expect(train.JsonlLog.open('/dev/null/log.jsonl')).rejects.toThrow(DataError)
    const log = await train.JsonlLog.open('/dev/full')
    await expect(log.event(end)).rejects.toThrow(/log: expected to write to \/dev\/full, got: ENOSPC/)
    await log.close()
  })
})

describe('TensorBoard', () => {
  it('has the checksum of RFC 3720', () => {
    expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa)
    expect(crc32c(new Uint8Array(32).fill(255))).toBe(0x62a8ab43)
    expect(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe(0x46dd794e)
    expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283)
  })

  it('gets records whose scalars another reader finds', async () => {
    const dir = join(folder, 'tensorboard')
    await pass(await train.TensorBoardLog.open(dir))
    const [name] = readdirSync(dir) as [string]
    expect(name).toMatch(/^events\.out\.tfevents\.\d+\.\d{3}\./)
    const records = recordsIn(readFileSync(join(dir, name)))
    expect(
      fieldsOf(records[0] as Buffer)
        .get(3)
        ?.toString(),
    ).toBe('brain.Event:2')
    const scalars = records.slice(1).flatMap(scalarsIn)
    expect(scalars).toContainEqual([2, 'train/loss', 2])
    expect(scalars).toContainEqual([2, 'train/rtd', Math.fround(0.02)])
    expect(scalars).toContainEqual([2, 'train/tokensPerSecond', 2000])
    expect(scalars).toContainEqual([2, 'eval/accuracy', 0.75])
    expect(scalars).toHaveLength(3 * 6 + 1)
  })

  const python = process.env.DUOFORMER_PYTHON
  it.skipIf(!python)('is read by TensorBoard itself (DUOFORMER_PYTHON)', async () => {
    const dir = join(folder, 'python')
    await pass(await train.TensorBoardLog.open(dir))
    const script = `
import json, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
runs = EventAccumulator(sys.argv[1]); runs.Reload()
print(json.dumps({tag: [[e.step, e.value] for e in runs.Scalars(tag)] for tag in runs.Tags()["scalars"]}))`
    const read = JSON.parse(
      execFileSync(python as string, ['-c', script, dir], { encoding: 'utf8' }).replace(/NaN/g, 'null'),
    )
    expect(read['train/loss']).toEqual([
      [1, 4],
      [2, 2],
      [3, null],
    ])
    expect(read['eval/accuracy']).toEqual([[2, 0.75]])
  })
})

/** The records of an event file, whose checksums must be right. */
function recordsIn(file: Buffer): Buffer[] {
  const records: Buffer[] = []
  const unmasked = (masked: number) => {
    const rotated = (masked - 0xa282ead8) >>> 0
    return ((rotated >>> 17) | (rotated << 15)) >>> 0
  }
  for (let at = 0; at < file.length; ) {
    const length = Number(file.readBigUInt64LE(at))
    expect(unmasked(file.readUInt32LE(at + 8))).toBe(crc32c(file.subarray(at, at + 8)))
    const data = file.subarray(at + 12, at + 12 + length)
    expect(unmasked(file.readUInt32LE(at + 12 + length))).toBe(crc32c(data))
    records.push(data)
    at += 16 + length
  }
  return records
}

/** The fields of a protocol buffer, repeated ones being numbered 1000, 1001, …: enough for events. */
function fieldsOf(message: Buffer): Map<number, Buffer> {
  const fields = new Map<number, Buffer>()
  let at = 0
  const varint = () => {
    let value = 0
    for (let shift = 1; ; shift *= 128) {
      const byte = message[at++] as number
      value += (byte & 127) * shift
      if (byte < 128) return value
    }
  }
  while (at < message.length) {
    const key = varint()
    const start = at
    const sizes: Record<number, () => number> = {
      0: () => {
        varint()
        return at - start
      },
      1: () => 8,
      2: varint,
      5: () => 4,
    }
    const size = sizes[key & 7]?.() as number
    const from = (key & 7) === 2 ? at : start
    const field = fields.has(key >> 3) ? 1000 + fields.size : key >> 3
    fields.set(field, message.subarray(from, from + size))
    at = from + size
  }
  return fields
}

function scalarsIn(record: Buffer): [number, string, number][] {
  const event = fieldsOf(record)
  const step = (event.get(2) as Buffer)[0] as number
  return [...fieldsOf(event.get(5) as Buffer).values()].map((value) => {
    const fields = fieldsOf(value)
    return [step, String(fields.get(1)), (fields.get(2) as Buffer).readFloatLE()]
  })
}

describe('the report', () => {
  it('is one page with a chart of each curve, and nothing from elsewhere', async () => {
    const path = join(folder, 'reports', 'report.html')
    await pass(new train.RunReport(path, { title: 'A <run>', config: { lr: 1, note: '</pre><script>' } }))
    const page = readFileSync(path, 'utf8')
    expect(page).toContain('<h1>A &lt;run&gt;</h1>')
    for (const title of ['loss', 'mlm', 'rtd', 'held-out accuracy', 'learning rate', 'tokens a second']) {
      expect(page).toContain(`<figcaption>${title}</figcaption>`)
    }
    expect(page).not.toMatch(/<script|<link|src=|href=|@import|url\(/)
    expect(page.match(/<polyline/g)?.length).toBe(page.match(/<svg/g)?.length)
    expect(page).not.toContain('NaN')
    expect(readdirSync(join(folder, 'reports'))).toEqual(['report.html'])
  })

  it('draws points where they belong', () => {
    const { text } = train.chart(
      [
        {
          name: 'a',
          points: [
            { x: 0, y: 0 },
            { x: 10, y: 10 },
          ],
        },
      ],
      { title: 't' },
    )
    expect(text).toContain('points="58,226 628,12"')
  })

  it('says so where there is nothing to draw', () => {
    expect(train.chart([{ name: 'a', points: [] }], { title: 't' }).text).toContain('No values yet')
  })
})
