import { ConfigError, describe } from '../errors.ts'

interface Warmup {
  /** Steps of a linear rise from 0: the first step has rate 0. @default 0 */
  readonly warmupSteps?: number
}

interface Bounded extends Warmup {
  /** Step at which the schedule ends, warm-up included. */
  readonly totalSteps: number
}

/** How the learning rate changes over a run: plain data, which configurations hold and checkpoints keep. */
export type Schedule =
  | ({ readonly type: 'constant' } & Warmup)
  /** Down to 0 at totalSteps. */
  | ({ readonly type: 'linear' } & Bounded)
  /** Half a cosine down to minFactor; `cycles` counts whole waves. @default cycles 0.5, minFactor 0 */
  | ({ readonly type: 'cosine'; readonly cycles?: number; readonly minFactor?: number } & Bounded)
  /** `cycles` half waves, each from 1 to 0. @default cycles 1 */
  | ({ readonly type: 'cosineWithRestarts'; readonly cycles?: number } & Bounded)
  /** (1 − x)^power down to minFactor. @default power 1, minFactor 0 */
  | ({ readonly type: 'polynomial'; readonly power?: number; readonly minFactor?: number } & Bounded)
  /** 1/√((t + s − w)/s), s = timescale. @default timescale warmupSteps, or 10000 without a warm-up */
  | ({ readonly type: 'inverseSqrt'; readonly timescale?: number } & Warmup)
  /** Rise, plateau, half a cosine down to minFactor, where it stays. @default minFactor 0 */
  | ({
      readonly type: 'warmupStableDecay'
      readonly stableSteps: number
      readonly decaySteps: number
      readonly minFactor?: number
    } & Warmup)
  /** ELECTRA's own: (1 − t/totalSteps)^power · min(1, t/warmupSteps), so that both act from the start. @default power 1 */
  | ({ readonly type: 'electraLinear'; readonly power?: number } & Bounded)
  /**
   * T5's pre-training: 1/√max(t, k), a plateau and not a rise. With totalSteps, times a linear way down to 0 over the last
   * `linearDecayFraction` of them. @default k 10000, linearDecayFraction 0.1
   */
  | {
      readonly type: 't5Rsqrt'
      readonly k?: number
      readonly totalSteps?: number
      readonly linearDecayFraction?: number
    }

type Of<T extends Schedule['type']> = Extract<Schedule, { type: T }>
type Rule<T extends Schedule['type']> = (schedule: Of<T>, step: number) => number

const halfWave = (x: number) => 0.5 * (1 + Math.cos(Math.PI * x))

/** Share of the way from the end of the warm-up to totalSteps, and 1 from there on: no schedule rises again. */
function progress({ warmupSteps = 0, totalSteps }: Bounded, step: number): number {
  return Math.min(1, (step - warmupSteps) / Math.max(1, totalSteps - warmupSteps))
}

/** The rise, then what `after` says. */
function warmed<S extends Warmup>(after: (schedule: S, step: number) => number) {
  return (schedule: S, step: number): number => {
    const { warmupSteps = 0 } = schedule
    return step < warmupSteps ? step / warmupSteps : after(schedule, step)
  }
}

const rules: { readonly [T in Schedule['type']]: Rule<T> } = {
  constant: warmed(() => 1),
  linear: warmed((schedule, step) => 1 - progress(schedule, step)),
  cosine: warmed((schedule, step) => {
    const { cycles = 0.5, minFactor = 0 } = schedule
    return halfWave(2 * cycles * progress(schedule, step)) * (1 - minFactor) + minFactor
  }),
  cosineWithRestarts: warmed((schedule, step) => {
    const x = progress(schedule, step)
    return x >= 1 ? 0 : halfWave(((schedule.cycles ?? 1) * x) % 1)
  }),
  polynomial: warmed((schedule, step) => {
    const { power = 1, minFactor = 0 } = schedule
    return (1 - minFactor) * (1 - progress(schedule, step)) ** power + minFactor
  }),
  inverseSqrt: warmed(({ warmupSteps = 0, timescale = warmupSteps || 10_000 }, step) => {
    return 1 / Math.sqrt((step + timescale - warmupSteps) / timescale)
  }),
  warmupStableDecay({ warmupSteps = 0, stableSteps, decaySteps, minFactor = 0 }, step) {
    const above = (factor: number) => factor * (1 - minFactor) + minFactor
    if (step < warmupSteps) return above(step / warmupSteps)
    const decaying = step - warmupSteps - stableSteps
    if (decaying < 0) return 1
    return decaying < decaySteps ? above(halfWave(decaying / decaySteps)) : minFactor
  },
  electraLinear({ warmupSteps = 0, totalSteps, power = 1 }, step) {
    const rise = warmupSteps === 0 ? 1 : Math.min(1, step / warmupSteps)
    return Math.max(0, 1 - step / totalSteps) ** power * rise
  },
  t5Rsqrt({ k = 10_000, totalSteps, linearDecayFraction = 0.1 }, step) {
    const factor = 1 / Math.sqrt(Math.max(step, k))
    if (totalSteps === undefined) return factor
    return factor * Math.max(0, Math.min(1, (totalSteps - step) / (totalSteps * linearDecayFraction)))
  },
}

/**
 * Factor of the learning rate at a step.
 *
 * @param step from 0: the first step of a schedule with a warm-up has rate 0.
 * @throws {ConfigError} for a schedule that is none.
 * @see Raffel et al. 2020, section 3.1.2 (t5Rsqrt); Clark et al. 2020, appendix A (electraLinear). The others are those of
 *   Hugging Face's library.
 */
export function scheduleFactor(schedule: Schedule, step: number): number {
  expectSchedule(schedule)
  return (rules[schedule.type] as Rule<Schedule['type']>)(schedule as never, step)
}

/** Least values of the settings; those that are not listed here must be at least 0. */
const least: Readonly<Record<string, number>> = { totalSteps: 1, k: 1, timescale: 1 }
const required: Readonly<Record<Schedule['type'], readonly string[]>> = {
  constant: [],
  linear: ['totalSteps'],
  cosine: ['totalSteps'],
  cosineWithRestarts: ['totalSteps'],
  polynomial: ['totalSteps'],
  inverseSqrt: [],
  warmupStableDecay: ['stableSteps', 'decaySteps'],
  electraLinear: ['totalSteps'],
  t5Rsqrt: [],
}

/** @throws {ConfigError} unless it is a schedule with settings in their range. */
export function expectSchedule(schedule: Schedule): void {
  const { type, ...settings } = schedule as { type: string } & Record<string, unknown>
  if (!Object.hasOwn(rules, type)) {
    throw new ConfigError(`schedule: expected type to be ${Object.keys(rules).join(', ')}, got ${describe(type)}`)
  }
  for (const name of required[type as Schedule['type']]) {
    if (settings[name] === undefined) throw new ConfigError(`schedule: expected ${name} with '${type}', got none`)
  }
  for (const [name, value] of Object.entries(settings)) {
    if (value === undefined) continue
    const limit = least[name] ?? 0
    if (typeof value === 'number' && value >= limit) continue
    throw new ConfigError(`schedule: expected ${name} to be a number >= ${limit}, got ${describe(value)}`)
  }
}
