// What bench -- kernels reads: reports of ptxas and listings of cuobjdump, written here by hand; that no kernel of this build
// spills registers, and that tensor kernels have no bank conflicts.
import { describe, expect, test } from 'vitest'
import { verdictsOf } from '../../bench/kernels/gates.ts'
import { architectures, readImages } from '../../bench/kernels/images.ts'
import { blocksPerMultiprocessor, parseResources } from '../../bench/kernels/resources.ts'
import { countLoop, hotLoop, parseSass } from '../../bench/kernels/sass.ts'
import { tensorUtilisation } from '../../bench/kernels/scoreboard.ts'
import { simulateWorks } from '../../bench/kernels/simulate.ts'

const report = `ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function 'plain_f32' for 'sm_80'
ptxas info    : Function properties for plain_f32
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 40 registers, used 1 barriers, 128 bytes smem, 665 bytes cmem[0], 16 bytes cmem[2]
ptxas info    : Compile time = 79.887 ms
ptxas info    : Compiling entry function 'spilling_f32' for 'sm_80'
ptxas info    : Function properties for helper
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Function properties for spilling_f32
    24 bytes stack frame, 36 bytes spill stores, 44 bytes spill loads
ptxas info    : Used 255 registers, used 0 barriers, 24 bytes cumulative stack size, 376 bytes cmem[0]
`

describe('the report of ptxas', () => {
  test('by kernel', () => {
    const all = parseResources(report)
    expect([...all.keys()]).toEqual(['plain_f32', 'spilling_f32'])
    expect(all.get('plain_f32')).toEqual({
      ...{ registers: 40, stackBytes: 0, spillStoreBytes: 0, spillLoadBytes: 0, staticShared: 128 },
    })
    expect(all.get('spilling_f32')).toEqual({
      ...{ registers: 255, stackBytes: 24, spillStoreBytes: 36, spillLoadBytes: 44, staticShared: 0 },
    })
  })

  test('a failure is an error with its own words', () => {
    expect(() => parseResources("ptxas /tmp/x.ptx, line 9; error   : Unknown symbol 'y'\n")).toThrow('Unknown symbol')
    expect(() => parseResources(report.replace(/.*Used 255.*\n/, ''))).toThrow('spilling_f32')
  })

  test('blocks of a multiprocessor: by registers, shared memory, warps and blocks', () => {
    expect(blocksPerMultiprocessor(255, 128, 0)).toBe(2)
    expect(blocksPerMultiprocessor(168, 128, 0)).toBe(3)
    expect(blocksPerMultiprocessor(32, 128, 82_944)).toBe(2)
    expect(blocksPerMultiprocessor(32, 128, 82_945)).toBe(1)
    expect(blocksPerMultiprocessor(16, 1024, 0)).toBe(2)
    expect(blocksPerMultiprocessor(16, 32, 0)).toBe(32)
  })
})

/** A listing of (text, stall) at addresses 0x0000, 0x0010, …; scoreboards: none. */
function listing(kernel: string, code: readonly (readonly [string, number])[]): string {
  const lines = code.map(([text, stall], i) => {
    const control = (BigInt(stall) | (7n << 5n) | (7n << 8n)) << 41n
    const hex = (word: bigint) => `/* 0x${word.toString(16).padStart(16, '0')} */`
    const at = (i * 16).toString(16).padStart(4, '0')
    return `        /*${at}*/   ${text} ;   ${hex(1n)}\n                         ${hex(control)}`
  })
  return `\tcode for sm_80\n\t\tFunction : ${kernel}\n\t.headerflags\t@"EF_CUDA_SM80"\n${lines.join('\n')}\n`
}

const mma = 'HMMA.16816.F32.BF16 R4, R8, R12, R4'
// A loop over tiles (0x10 … 0xc0) with a barrier, one around two products (0x50 … 0x90) in it that a call leaves, and a
// mask that interior tiles skip.
const nested = listing('nested', [
  ['MOV R1, c[0x0][0x28]', 2],
  ['BAR.SYNC.DEFER_BLOCKING 0x0', 1],
  ['LDGSTS.E.BYPASS.128 [R2], [R6.64]', 3],
  ['@P0 BRA 0x50', 5],
  ['FSEL R4, R4, -INF , P1', 4],
  ['LDSM.16.M88.4 R8, [R3]', 2],
  [mma, 8],
  [mma, 7],
  ['@!P1 CALL.REL.NOINC 0xa0', 5],
  ['BRA 0x50', 5],
  ['@!P2 BRA 0xc0', 5],
  ['STS [R5], R4', 1],
  ['@P3 BRA 0x10', 5],
  ['EXIT', 1],
])

describe('machine code', () => {
  const code = parseSass(nested + listing('empty', [['EXIT', 5]]))

  test('instructions with what their control words say', () => {
    expect([...code.keys()]).toEqual(['nested', 'empty'])
    const instructions = code.get('nested')!
    expect(instructions).toHaveLength(14)
    expect(instructions[3]).toEqual({
      ...{ at: 0x30, text: '@P0 BRA 0x50', opcode: 'BRA', stall: 5, writeBarrier: 7, readBarrier: 7, waitMask: 0 },
    })
    const word = (bits: bigint) => `0x${(bits << 41n).toString(16).padStart(16, '0')}`
    const line = `\t\tFunction : k\n /*0000*/ @!PT LDS RZ, [RZ] ; /* 0x0000000000000000 */\n /* ${word(3n | (1n << 5n) | (2n << 8n) | (0b101n << 11n))} */\n`
    expect(parseSass(line).get('k')).toEqual([
      ...[{ at: 0, text: '@!PT LDS RZ, [RZ]', opcode: 'LDS', stall: 3, writeBarrier: 1, readBarrier: 2, waitMask: 5 }],
    ])
  })

  test('one turn of the loop over tiles, along the interior path', () => {
    const loop = hotLoop(code.get('nested')!, { turns: 2 })
    expect(countLoop(loop)).toEqual({
      ...{ hmma: 4, instructions: 14, stall: 1 + 3 + 5 + 2 * (2 + 8 + 7 + 5) + 5 + 5 + 5 },
      ...{ ldsm: 2, copies: 1, mufu: 0, shared: 0, local: 0 },
    })
  })

  test('along the path of an option', () => {
    expect(countLoop(hotLoop(code.get('nested')!, { through: /^STS/ }))).toMatchObject({ instructions: 10, shared: 1 })
  })

  test('a kernel without products has no such loop', () => {
    expect(hotLoop(code.get('empty')!)).toEqual([])
  })

  test('the model of the pipes: products alone keep theirs busy, and half of it beside as much waiting', () => {
    const products = parseSass(
      listing(
        'k',
        Array.from({ length: 16 }, () => [mma, 8] as const),
      ),
    ).get('k')!
    expect(tensorUtilisation(products, 1)).toBe(1)
    const waiting = parseSass(
      listing(
        'k',
        Array.from({ length: 16 }, () => [mma, 15] as const),
      ),
    ).get('k')!
    expect(tensorUtilisation(waiting, 1)).toBeCloseTo(8 / 15, 2)
    expect(tensorUtilisation(waiting, 2)).toBeGreaterThan(0.99)
  })
})

test('verdicts: what is on the limit meets it, what is past it does not', () => {
  const counts = { hmma: 100, instructions: 510, stall: 1150, ldsm: 32, copies: 8, mufu: 1, shared: 0, local: 0 }
  const measured = {
    ...{ kernel: 'attentionFwd_bf16_d64', spillBytes: 0, registers: 255, threads: 128, blocksPerMultiprocessor: 2 },
    simulated: null,
  }
  const missed = (loop: Partial<typeof counts>) =>
    verdictsOf({ ...measured, loops: [{ variant: '', counts: { ...counts, ...loop }, utilisation: 0.65 }] })
      .filter((v) => !v.meets)
      .map((v) => v.gate)
  expect(missed({})).toEqual([])
  expect(missed({ instructions: 512, local: 1 })).toEqual(['local accesses in the loop', 'instructions / HMMA'])
})

const images = readImages(new URL('../../build', import.meta.url).pathname)
if (images.length === 0) console.log('skipped: registers that kernels spill (a build without CUDA)')

describe.skipIf(images.length === 0)('this build', () => {
  test.each(architectures)('no kernel spills registers on %s', (architecture) => {
    const kernels = images.flatMap((image) => image.kernels)
    expect(kernels.length).toBeGreaterThan(200)
    const spilling = kernels.filter(({ resources }) => {
      const { spillStoreBytes, spillLoadBytes, stackBytes } = resources[architecture]
      return spillStoreBytes + spillLoadBytes + stackBytes > 0
    })
    expect(spilling.map(({ name }) => name)).toEqual([])
  })

  const tensorWorks = ['attention, table, 512 × 64', 'attention, table, 512 × 128', 'Standard', 'Small']
  test.each(tensorWorks)('no bank conflicts in %s', (only) => {
    const root = new URL('../..', import.meta.url).pathname
    const tensor = simulateWorks(root, only).flatMap(({ launches }) => launches.filter((launch) => launch.tensor > 0))
    // In both 16-bit types: forward and two kernels backward; or four layouts.
    expect(new Set(tensor.map(({ kernel }) => kernel)).size).toBeGreaterThanOrEqual(6)
    expect(tensor.filter(({ sharedConflicts }) => sharedConflicts > 0)).toEqual([])
    for (const launch of tensor) {
      expect(launch.wideSectors / launch.wideIdealSectors, launch.kernel).toBeLessThan(1.01)
      expect(launch.sharedRequests).toBeGreaterThan(0)
    }
  })
})
