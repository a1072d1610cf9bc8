import { ConfigError } from '../errors.ts'
import type { Tensor } from '../tensor.ts'
import type { ParameterGroup } from './optimizer.ts'

/** Settings of the parameters whose names match. */
export interface GroupRule {
  readonly match: RegExp
  /** Factor on the learning rate, beside that of layer-wise decay. @default 1 */
  readonly lrScale?: number
  /** @default that of the others */
  readonly weightDecay?: number
}

export interface GroupOptions {
  /** Of the parameters that decay. @default 0 */
  readonly weightDecay?: number
  /** Names of parameters that do not decay. @default `noDecayNames`: norms and biases */
  readonly noDecay?: RegExp
  /** Factor of the learning rate from a layer to the one below it; 1 is none. @default 1 */
  readonly layerwiseDecay?: number
  /** Mixed groups: the first rule that matches a name holds for it. @default [] */
  readonly rules?: readonly GroupRule[]
}

/**
 * Norms and biases, in Hugging Face's names for them. T5's `relative_attention_bias.weight` is a table like any other,
 * and decays.
 */
export const noDecayNames = /(^|[._])(LayerNorm|layer_norm)\.weight$|(^|\.)bias$/

/**
 * Sorts a model's parameters into the groups that optimisers take: one for each pair of learning rate and weight decay.
 * Frozen parameters (`requiresGrad` false) are left out.
 *
 * With layer-wise decay γ and L layers, a parameter of depth d has the factor γ^(L + 2 − d): embeddings have depth 0, layer i
 * (from 0) i + 1, what comes after all layers L + 2. So the last layer has γ², as in ELECTRA's code. In T5, the decoder's
 * layers come after the encoder's, and the encoder's last norm goes with its last layer.
 *
 * @param parameters by their names in Hugging Face's checkpoints, as `namedParameters()` gives them.
 * @throws {ConfigError} if all are frozen, or a rule matches no name.
 * @see Clark et al. 2020, appendix B. https://arxiv.org/abs/2003.10555
 */
export function parameterGroups(
  parameters: ReadonlyMap<string, Tensor>,
  { weightDecay = 0, noDecay = noDecayNames, layerwiseDecay = 1, rules = [] }: GroupOptions = {},
): ParameterGroup[] {
  if (!(layerwiseDecay > 0 && layerwiseDecay <= 1)) {
    throw new ConfigError(`parameterGroups: expected layerwiseDecay in (0, 1], got ${layerwiseDecay}`)
  }
  const names = [...parameters.keys()]
  for (const { match } of rules) {
    if (!names.some((name) => matches(match, name))) {
      throw new ConfigError(`parameterGroups: expected rules that match a parameter, got ${match}`)
    }
  }
  const steps = stepsFromTop(names)
  const groups = new Map<string, { params: Tensor[]; lrScale: number; weightDecay: number }>()
  for (const [name, tensor] of parameters) {
    if (!tensor.requiresGrad) continue
    const rule = rules.find(({ match }) => matches(match, name))
    const lrScale = layerwiseDecay ** (steps.get(name) as number) * (rule?.lrScale ?? 1)
    const decay = matches(noDecay, name) ? 0 : (rule?.weightDecay ?? weightDecay)
    const key = `${lrScale} ${decay}`
    const group = groups.get(key) ?? { params: [], lrScale, weightDecay: decay }
    group.params.push(tensor)
    groups.set(key, group)
  }
  if (groups.size === 0) throw new ConfigError('parameterGroups: expected parameters to train, got frozen ones only')
  return [...groups.values()]
}

/**
 * Turns gradients of the parameters whose names match off, or on again: frozen ones are neither trained nor is anything
 * computed for them.
 *
 * @throws {ConfigError} if no name matches.
 */
export function freeze(parameters: ReadonlyMap<string, Tensor>, match: RegExp, frozen = true): void {
  const found = [...parameters].filter(([name]) => matches(match, name))
  if (found.length === 0) throw new ConfigError(`freeze: expected a pattern that matches a parameter, got ${match}`)
  for (const [, tensor] of found) tensor.requiresGrad = !frozen
}

/** As `test`, which with the flags g and y goes on where the last match ended. */
function matches(pattern: RegExp, name: string): boolean {
  return name.search(pattern) >= 0
}

/** L + 2 − depth of each parameter; networks of a joint model count their own layers. */
function stepsFromTop(names: readonly string[]): ReadonlyMap<string, number> {
  const networkOf = (name: string) => /^(discriminator|generator)\./.exec(name)?.[1] ?? ''
  const layersOf = (network: string, stack: RegExp) =>
    Math.max(
      0,
      ...names.filter((name) => networkOf(name) === network).map((name) => 1 + Number(stack.exec(name)?.[1] ?? -1)),
    )
  const sizes = new Map(
    [...new Set(names.map(networkOf))].map((network) => [
      network,
      { encoder: layersOf(network, encoderLayer), decoder: layersOf(network, decoderLayer) },
    ]),
  )
  return new Map(
    names.map((name) => {
      const { encoder, decoder } = sizes.get(networkOf(name)) as { encoder: number; decoder: number }
      return [name, encoder + decoder + 2 - depthOf(name, encoder, decoder)]
    }),
  )
}

const encoderLayer = /(?:^|\.)encoder\.(?:layer|block)\.(\d+)\./
const decoderLayer = /(?:^|\.)decoder\.block\.(\d+)\./

function depthOf(name: string, encoderLayers: number, decoderLayers: number): number {
  if (/(^|\.)(embeddings|embeddings_project|shared|embed_tokens)\./.test(name)) return 0
  const encoder = encoderLayer.exec(name)
  if (encoder) return Number(encoder[1]) + 1
  const decoder = decoderLayer.exec(name)
  if (decoder) return encoderLayers + Number(decoder[1]) + 1
  if (/(^|\.)encoder\.final_layer_norm\./.test(name)) return encoderLayers
  return encoderLayers + decoderLayers + 2
}
