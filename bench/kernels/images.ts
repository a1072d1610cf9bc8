// The kernels that the addon embeds, and what its build left beside them.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseResources, type Resources } from './resources.ts'

export const architectures = ['sm_80', 'sm_90'] as const
export type Architecture = (typeof architectures)[number]

export interface Image {
  /** One file of native/cuda/kernels. */
  readonly family: string
  readonly kernels: readonly { readonly name: string; readonly resources: Readonly<Record<Architecture, Resources>> }[]
  cubin(architecture: Architecture): string
}

/**
 * Reads build/cuda: what CMake embeds, its PTX and the reports of ptxas.
 *
 * @param build the build folder.
 * @returns none if the build has no CUDA kernels.
 * @throws {Error} if ptxas failed on a file, or a kernel of the PTX is missing in its report.
 */
export function readImages(build: string): Image[] {
  const listing = join(build, 'cuda', 'images.cpp')
  if (!existsSync(listing)) return []
  const embedded = [...readFileSync(listing, 'utf8').matchAll(/^DUO_IMAGE\((\w+), "(.+)\.fatbin\.z"\)$/gm)]
  return embedded.map(([, family, base]) => {
    const reports = Object.fromEntries(
      architectures.map((architecture) => [
        architecture,
        parseResources(readFileSync(`${base}.${architecture}.txt`, 'utf8')),
      ]),
    ) as Record<Architecture, Map<string, Resources>>
    const entries = readFileSync(`${base}.ptx`, 'utf8').matchAll(/^\.visible \.entry (\w+)\(/gm)
    const kernels = [...entries].map(([, name]) => {
      const of = (architecture: Architecture) => {
        const resources = reports[architecture].get(name as string)
        if (!resources)
          throw new Error(`${family}: expected ${name} in the report of ptxas for ${architecture}, got none`)
        return resources
      }
      return { name: name as string, resources: { sm_80: of('sm_80'), sm_90: of('sm_90') } }
    })
    if (kernels.length === 0) throw new Error(`${family}: expected kernels in its PTX, got none`)
    return { family: family as string, kernels, cubin: (architecture) => `${base}.${architecture}.cubin` }
  })
}
