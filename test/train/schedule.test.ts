import { describe, expect, it } from 'vitest'
import { optim } from '../../lib/index.ts'

const { scheduleFactor } = optim

const bounded = { warmupSteps: 4, totalSteps: 20 }

// Factors of transformers' schedules (5.18) at these steps, to 12 digits.
const steps = [0, 1, 3, 4, 5, 9, 13, 16, 19, 20, 25]
const recorded: [optim.Schedule, number[]][] = [
  [{ type: 'constant', warmupSteps: 4 }, [0, 0.25, 0.75, 1, 1, 1, 1, 1, 1, 1, 1]],
  [{ type: 'linear', ...bounded }, [0, 0.25, 0.75, 1, 0.9375, 0.6875, 0.4375, 0.25, 0.0625, 0, 0]],
  [
    { type: 'cosineWithRestarts', ...bounded, cycles: 3 },
    [0, 0.25, 0.75, 1, 0.915734806151, 0.00960735979838, 0.22221488349, 0.853553390593, 0.0842651938487, 0, 0],
  ],
  [
    { type: 'polynomial', ...bounded, power: 2, minFactor: 0.01 },
    [0, 0.25, 0.75, 1, 0.8801171875, 0.4779296875, 0.1994921875, 0.071875, 0.0138671875, 0.01, 0.01],
  ],
  [
    { type: 'inverseSqrt', warmupSteps: 4 },
    [0, 0.25, 0.75, 1, 0.894427191, 0.666666666667, 0.554700196225, 0.5, 0.458831467741, 0.4472135955, 0.4],
  ],
  [
    { type: 'inverseSqrt', warmupSteps: 4, timescale: 7 },
    [
      0, 0.25, 0.75, 1, 0.935414346693, 0.763762615826, 0.661437827766, 0.606976978667, 0.564076074818, 0.551677284367,
      0.5,
    ],
  ],
  [
    { type: 'inverseSqrt' },
    [
      1, 0.99995000375, 0.999850033742, 0.99980005998, 0.999750093711, 0.999550303522, 0.999350633064, 0.999200958722,
      0.99905135161, 0.999001497504, 0.998752338878,
    ],
  ],
  [
    { type: 'warmupStableDecay', warmupSteps: 4, stableSteps: 8, decaySteps: 8, minFactor: 0.1 },
    [0.1, 0.325, 0.775, 1, 1, 1, 0.96574578963, 0.55, 0.13425421037, 0.1, 0.1],
  ],
  // After its end a cosine stays where it is, which transformers' does not.
  [
    { type: 'cosine', ...bounded },
    [0, 0.25, 0.75, 1, 0.990392640202, 0.77778511651, 0.402454838992, 0.146446609407, 0.00960735979838, 0, 0],
  ],
  [
    { type: 'cosine', ...bounded, minFactor: 0.1 },
    [0, 0.25, 0.75, 1, 0.991353376181, 0.800006604859, 0.462209355093, 0.231801948466, 0.108646623819, 0.1, 0.1],
  ],
]

describe('schedules', () => {
  it.each(recorded)('%o', (schedule, factors) => {
    steps.forEach((step, i) => {
      expect(scheduleFactor(schedule, step)).toBeCloseTo(factors[i] as number, 11)
    })
  })

  it("ELECTRA's falls and rises at once, and its first step has rate 0", () => {
    const schedule: optim.Schedule = { type: 'electraLinear', warmupSteps: 4, totalSteps: 10 }
    expect([0, 2, 4, 9, 10, 11].map((step) => scheduleFactor(schedule, step))).toEqual([0, 0.4, 0.6, 1 - 9 / 10, 0, 0])
    expect(scheduleFactor({ ...schedule, power: 2 }, 5)).toBe(0.25)
    expect(scheduleFactor({ ...schedule, warmupSteps: 0 }, 0)).toBe(1)
  })

  it("T5's is flat up to k, and may end with a linear way down", () => {
    expect(scheduleFactor({ type: 't5Rsqrt' }, 0)).toBe(0.01)
    expect(scheduleFactor({ type: 't5Rsqrt' }, 10_000)).toBe(0.01)
    expect(scheduleFactor({ type: 't5Rsqrt', k: 4 }, 16)).toBe(0.25)
    const ending: optim.Schedule = { type: 't5Rsqrt', k: 4, totalSteps: 100 }
    expect(scheduleFactor(ending, 81)).toBe(1 / 9)
    expect(scheduleFactor(ending, 95)).toBeCloseTo(0.5 / Math.sqrt(95), 15)
    expect(scheduleFactor(ending, 100)).toBe(0)
    expect(scheduleFactor(ending, 101)).toBe(0)
  })

  it.each([
    [{ type: 'liner', totalSteps: 3 }, /expected type to be constant, linear, .*, got string "liner"/],
    [{ type: 'toString' }, /expected type/],
    [{ type: 'linear' }, /expected totalSteps with 'linear', got none/],
    [{ type: 'linear', totalSteps: 0 }, /expected totalSteps to be a number >= 1, got number 0/],
    [{ type: 'linear', totalSteps: 9, warmupSteps: -1 }, /expected warmupSteps to be a number >= 0/],
    [{ type: 'cosine', totalSteps: Number.NaN }, /expected totalSteps/],
    [{ type: 'warmupStableDecay', stableSteps: 2 }, /expected decaySteps/],
  ])('refuses %o', (schedule, message) => {
    expect(() => scheduleFactor(schedule as never, 0)).toThrow(message)
  })
})
