import { ConfigError } from '../errors.ts'
import type { ElectraForJointPreTraining } from '../models/index.ts'
import { assign } from '../optim/assign.ts'
import { freeze } from '../optim/index.ts'

/**
 * Goes from the first of ELECTRA's two stages to the second: the discriminator starts as a copy of the generator's layers,
 * and the generator is frozen. The first stage trains with `generatorObjective`, the second with `discriminatorObjective`.
 *
 * @throws {ConfigError} unless the networks are of one size and have nothing in common (`sharing: 'none'`).
 * @see Clark et al. 2020, section 3.2. https://arxiv.org/abs/2003.10555
 */
export function startDiscriminator({ generator, discriminator }: ElectraForJointPreTraining): void {
  if (!generator) throw new ConfigError('startDiscriminator: expected a model with a generator, got one without')
  const isTrunk = ([name]: [string, unknown]) => name.startsWith('electra.')
  const from = new Map([...generator.namedParameters()].filter(isTrunk))
  const to = [...discriminator.namedParameters()].filter(isTrunk)
  for (const [name, { shape }] of to) {
    const source = from.get(name)
    if (source && source.shape.join() === shape.join()) continue
    const got = source ? `(${source.shape.join(', ')})` : 'none of its own'
    throw new ConfigError(
      `startDiscriminator: expected the generator to have ${name} (${shape.join(', ')}), got ${got}: two stages need networks of one size with sharing 'none'`,
    )
  }
  for (const [name, tensor] of to) assign(tensor, from.get(name) as typeof tensor)
  freeze(generator.namedParameters(), /^/)
}
