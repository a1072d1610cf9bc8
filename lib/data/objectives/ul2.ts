import { ConfigError, describe } from '../../errors.ts'
import { denoise, type LengthLimits, type Objective } from './denoise.ts'
import { dropNoise, keepNoise } from './noise-functions.ts'
import { fixedPrefixMask } from './noise-mask.ts'
import { type ObjectiveOptions, spanCorruption } from './objectives.ts'

/** One objective of a mixture. */
export interface MixedObjective {
  readonly objective: Objective
  /** Examples of it, in proportion to the others' weights; not negative. */
  readonly weight: number
}

/**
 * Chooses one of several objectives for each text by itself, by weight.
 *
 * @throws {ConfigError} for weights that are negative or all 0.
 */
export function mixObjectives(mixed: readonly MixedObjective[]): Objective {
  const weights = mixed.map(({ weight }) => weight)
  if (!weights.every((weight) => weight >= 0 && weight < Infinity) || !weights.some((weight) => weight > 0)) {
    throw new ConfigError(`objective: expected weights >= 0, one of them > 0, got ${weights.join(', ') || 'none'}`)
  }
  return (tokens, random) => (mixed[random.weighted(weights)] as MixedObjective).objective(tokens, random)
}

/** `R` regular denoising, `S` sequential (a prefix is continued), `X` extreme denoising. */
export type Ul2Mode = 'R' | 'S' | 'X'

export interface Ul2Options extends ObjectiveOptions {
  /** Ids that inputs of a mode start with, so that the mode can be asked for later; no ids for no mode tokens. */
  readonly modeTokens?: Readonly<Record<Ul2Mode, readonly number[]>> | undefined
}

const extremeWeight = 0.0825

/** Mean span length, density and weight of each denoiser, as flash-attention T5's trainers mix them. */
const spanDenoisers = [
  { mode: 'R', meanNoiseSpanLength: 3, noiseDensity: 0.15, weight: 0.165 },
  { mode: 'R', meanNoiseSpanLength: 8, noiseDensity: 0.15, weight: 0.165 },
  { mode: 'X', meanNoiseSpanLength: 3, noiseDensity: 0.5, weight: extremeWeight },
  { mode: 'X', meanNoiseSpanLength: 8, noiseDensity: 0.15, weight: extremeWeight },
  { mode: 'X', meanNoiseSpanLength: 64, noiseDensity: 0.15, weight: extremeWeight },
  { mode: 'X', meanNoiseSpanLength: 64, noiseDensity: 0.5, weight: extremeWeight },
] as const
const sequentialWeight = 0.34
/** The last three quarters of a text are what S continues. */
const sequentialDensity = 0.75

/**
 * UL2's mixture of denoisers: R at two span lengths, S, and X at long spans or high density.
 *
 * @throws {ConfigError} for a `maxInputLength` that mode tokens leave no room in.
 * @see Tay et al. 2022. https://arxiv.org/abs/2205.05131
 */
export function ul2({ vocabulary, modeTokens, ...limits }: Ul2Options): Objective {
  const withMode = (mode: Ul2Mode, objectiveOf: (limits: LengthLimits) => Objective) =>
    prefixed(modeTokens?.[mode] ?? [], objectiveOf, limits)
  const mixed = spanDenoisers.map(({ mode, weight, ...spans }) => ({
    objective: withMode(mode, (room) => spanCorruption({ vocabulary, ...spans, ...room })),
    weight,
  }))
  const parts = { mask: fixedPrefixMask(sequentialDensity), inputs: dropNoise, targets: keepNoise }
  const sequential = withMode('S', (room) => denoise({ vocabulary, ...parts, ...room }))
  return mixObjectives([...mixed, { objective: sequential, weight: sequentialWeight }])
}

/** Puts tokens before the inputs; the limit counts them. */
function prefixed(
  prefix: readonly number[],
  objectiveOf: (limits: LengthLimits) => Objective,
  { maxInputLength = Infinity, maxTargetLength }: LengthLimits,
): Objective {
  if (maxInputLength <= prefix.length) {
    throw new ConfigError(`ul2: expected maxInputLength > ${prefix.length}, got ${describe(maxInputLength)}`)
  }
  const objective = objectiveOf({ maxInputLength: maxInputLength - prefix.length, maxTargetLength })
  return (tokens, random) => {
    const { inputIds, labels } = objective(tokens, random)
    return { inputIds: Int32Array.of(...prefix, ...inputIds), labels }
  }
}
