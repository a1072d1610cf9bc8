import { noGrad } from '../autograd/grad-mode.ts'
import { type DeviceName, withDevice } from '../device.ts'
import { scope } from '../scope.ts'
import type { Tensor } from '../tensor.ts'
import type { GenerationConfig } from './config.ts'
import type { LogitsProcessor } from './processors.ts'
import type { Stopping } from './stopping.ts'

/** One call of `generate`, as the searches see it. */
export interface Run {
  readonly config: GenerationConfig
  /** Of the random numbers. */
  readonly seed: number
  /** Tokens of the decoder's prompt, and of the longest sequence with it. */
  readonly promptLength: number
  readonly maxLength: number
  /** Ids of the prompt of each sentence. */
  readonly prompts: readonly Int32Array[]
  readonly processors: readonly LogitsProcessor[]
  readonly stopping: Stopping
  readonly signal: AbortSignal | undefined
}

/** Scores or logits of a step: a row's (V) each, null for a row that had finished. */
export type StepScores = readonly (Float32Array | null)[]

/** What a search found. */
export interface Found {
  /** Ids with the prompt, and with the end token. */
  readonly sequences: readonly Int32Array[]
  readonly scores: readonly StepScores[] | null
  readonly logits: readonly StepScores[] | null
}

/** Runs synchronous code of a step on a model's device, without a tape; of the tensors made in it, those returned stay. */
export function queued<T>({ device }: { readonly device: DeviceName }, fn: () => T): T {
  return withDevice(device, () => noGrad(() => scope(fn)))
}

type StepTensors = Readonly<Record<string, Tensor | null>>
type StepValues = Record<string, Float32Array | Int32Array>

/** What was queued, and is being read, all with one wait. */
export class Pending<T extends StepTensors> implements Disposable {
  /** Rejects where the device failed; no read is under way then, or the next wait would throw what failed again. */
  readonly values: Promise<StepValues>

  constructor(readonly tensors: T) {
    this.values = valuesOf(tensors)
    // Whoever wants the values may come later than a failure.
    this.values.catch(() => {})
  }

  /** Gives the tensors' memory back; what is being read still arrives. */
  [Symbol.dispose](): void {
    for (const tensor of Object.values(this.tensors)) tensor?.dispose()
  }
}

async function valuesOf(tensors: StepTensors): Promise<StepValues> {
  const present = Object.entries(tensors).filter((entry): entry is [string, Tensor] => entry[1] !== null)
  const results = await Promise.allSettled(present.map(([, tensor]) => tensor.data()))
  const failed = results.find((result) => result.status === 'rejected')
  if (failed) throw failed.reason
  const values = results.map((result) => (result as PromiseFulfilledResult<Float32Array | Int32Array>).value)
  return Object.fromEntries(present.map(([name], i) => [name, values[i] as Float32Array | Int32Array]))
}

/** Reads tensors, and gives their memory back. */
export async function read(tensors: StepTensors): Promise<StepValues> {
  using pending = new Pending(tensors)
  return await pending.values
}
