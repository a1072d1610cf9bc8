import { hostname } from 'node:os'
import { join } from 'node:path'
import type { StepEvent, TrainingEvent } from '../events.ts'
import { crc32c } from './crc32c.ts'
import { LogFile } from './file.ts'
import type { TrainingLog } from './log.ts'

/** Writes the scalars of a run as TensorBoard reads them: `train/loss`, `train/lr`, … and `eval/<metric>`. */
export class TensorBoardLog implements TrainingLog {
  private constructor(private readonly file: LogFile) {}

  /**
   * Begins a new event file; a resumed run has several, which TensorBoard joins.
   *
   * @param dir folder of the run.
   * @throws {DataError} if the file cannot be written.
   */
  static async open(dir: string): Promise<TensorBoardLog> {
    const now = Date.now() / 1000
    const name = `events.out.tfevents.${now.toFixed(3)}.${hostname()}.${process.pid}`
    const file = await LogFile.append(join(dir, name))
    await file.write(record([double(1, now), bytes(3, text('brain.Event:2'))]))
    return new TensorBoardLog(file)
  }

  async event(event: TrainingEvent): Promise<void> {
    if (event.type === 'step') await this.#write(event.step, stepScalars(event))
    if (event.type === 'evaluate') {
      await this.#write(
        event.step,
        Object.entries(event.metrics).map(([name, value]) => [`eval/${name}`, value]),
      )
    }
  }

  close(): Promise<void> {
    return this.file.close()
  }

  async #write(step: number, scalars: readonly (readonly [tag: string, value: number])[]): Promise<void> {
    const values = scalars.map(([tag, value]) => bytes(1, Buffer.concat([bytes(1, text(tag)), float(2, value)])))
    await this.file.write(record([double(1, Date.now() / 1000), varint(2, step), bytes(5, Buffer.concat(values))]))
  }
}

function stepScalars({ loss, terms, gradNorm, lr, tokens, seconds }: StepEvent): (readonly [string, number])[] {
  const parts = Object.entries(terms).filter(([name]) => name !== 'loss')
  return [
    ['train/loss', loss],
    ...parts.map(([name, value]) => [`train/${name}`, value] as const),
    ['train/gradNorm', gradNorm],
    ['train/lr', lr],
    ['train/tokensPerSecond', tokens / seconds],
  ]
}

// A record is the length of its data, data, and a checksum of each, all little-endian, as in TensorFlow's TFRecord files.
function record(fields: readonly Buffer[]): Buffer {
  const data = Buffer.concat(fields)
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(data.length))
  return Buffer.concat([length, maskedCrc(length), data, maskedCrc(data)])
}

/** Checksums of data that holds checksums would be weak: they are stored rotated and shifted. */
function maskedCrc(data: Buffer): Buffer {
  const crc = crc32c(data)
  const masked = Buffer.alloc(4)
  masked.writeUInt32LE((((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0)
  return masked
}

// Fields of a protocol buffer: the number and the wire type, then the value.
// https://protobuf.dev/programming-guides/encoding/
const wire = { varint: 0, eightBytes: 1, bytes: 2, fourBytes: 5 }

function key(field: number, type: number): Buffer {
  return Buffer.from([(field << 3) | type])
}

function unsigned(value: number): Buffer {
  const digits: number[] = []
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Buffer.from([...digits, rest])
    digits.push((rest % 128) | 128)
  }
}

function varint(field: number, value: number): Buffer {
  return Buffer.concat([key(field, wire.varint), unsigned(value)])
}

function bytes(field: number, value: Buffer): Buffer {
  return Buffer.concat([key(field, wire.bytes), unsigned(value.length), value])
}

function double(field: number, value: number): Buffer {
  const data = Buffer.alloc(8)
  data.writeDoubleLE(value)
  return Buffer.concat([key(field, wire.eightBytes), data])
}

function float(field: number, value: number): Buffer {
  const data = Buffer.alloc(4)
  data.writeFloatLE(value)
  return Buffer.concat([key(field, wire.fourBytes), data])
}

function text(value: string): Buffer {
  return Buffer.from(value, 'utf8')
}
