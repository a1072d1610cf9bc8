// What the addon makes of a driver's answers; each case is a process of its own, since a process has one driver.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { runtimeInfo } from '../../lib/index.ts'

const root = new URL('../..', import.meta.url).pathname
const fake = join(root, 'build/cuda/libfake_cuda.so')
// A build without nvcc refuses CUDA before it looks for a driver.
const hasKernels = runtimeInfo().cuda.build.startsWith('kernels')

function run(program: string, env: Record<string, string> = {}) {
  const script = `import { device, ops, runtimeInfo, setDefaultDevice, Tensor } from './dist/index.js'
const failure = async (call) => { try { await call(); return 'none' } catch (error) { return error.name + ': ' + error.message } }
${program}`
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, DUOFORMER_CUDA_DRIVER: fake, ...env },
  })
  expect({ status, stderr: status === 0 ? '' : stderr }).toEqual({ status: 0, stderr: '' })
  return { lines: stdout.trim().split('\n'), stderr }
}

describe('a build without kernels', () => {
  test.skipIf(hasKernels)('says so for cuda', () => {
    const { lines } = run(`console.log(await failure(() => device('cuda')))`)
    expect(lines).toHaveLength(1)
    expect(lines[0]).toMatch(
      /^DeviceError: cuda: expected a build with CUDA kernels, got one without: (nvcc was not found when it was built|it was configured with DUOFORMER_CUDA=off)$/,
    )
  })
})

describe.skipIf(!hasKernels)('cuda throws a DeviceError that names the cause', () => {
  test.each([
    ['no driver', { DUOFORMER_CUDA_DRIVER: '/nonexistent/libcuda.so.1' }, /expected a CUDA driver, .*got none: /],
    [
      'a driver without a symbol',
      { DUOFORMER_CUDA_DRIVER: 'libm.so.6' },
      /expected a driver libm.so.6 that has cuInit/,
    ],
    ['no device, says cuInit', { FAKE_CUDA_INIT: '100' }, /expected a CUDA device, got none: CUDA_ERROR_NO_DEVICE/],
    ['a driver that does not start', { FAKE_CUDA_INIT: '999' }, /expected a driver that starts, got CUDA_ERROR_FAKE/],
    ['no device', { FAKE_CUDA_DEVICES: '0' }, /expected a CUDA device, got none/],
    [
      'a device too old',
      { FAKE_CUDA_MAJOR: '7' },
      /expected a device of compute capability 8.0 or newer, got Fake GPU of 7.0/,
    ],
  ])('%s', (_, env, message) => {
    const { lines, stderr } = run(
      `console.log(await failure(() => device('cuda')))
       console.log(device('auto').name, device('auto').name)
       console.log(runtimeInfo().cuda.problem)`,
      env,
    )
    expect(lines[0]).toMatch(/^DeviceError: cuda: /)
    expect(lines[0]).toMatch(message)
    expect(lines[1]).toBe('cpu cpu')
    expect(`DeviceError: ${lines[2]}`).toBe(lines[0])
    const [, warning, ...more] = /Warning: device 'auto' is the CPU: (.*)\n/.exec(stderr) ?? []
    expect(`DeviceError: ${warning}`).toBe(lines[0])
    expect(more).toEqual([])
    expect(stderr.match(/auto/g)).toHaveLength(1)
  })

  test('a device beyond the last', () => {
    const { lines } = run(`console.log(await failure(() => device('cuda:2')))`, { FAKE_CUDA_DEVICES: '2' })
    expect(lines).toEqual(['DeviceError: cuda: expected a device below cuda:2, got cuda:2'])
  })
})

describe.skipIf(!hasKernels)('a device', () => {
  test('is described, and is what auto stands for', () => {
    const { lines, stderr } = run(
      `console.log(device('auto').name, device('cuda').name, device('cuda:1').name)
       console.log(JSON.stringify(runtimeInfo().cuda.devices[1]))`,
      { FAKE_CUDA_DEVICES: '2', FAKE_CUDA_MEMORY: '1000000000' },
    )
    expect(lines[0]).toBe('cuda:0 cuda:0 cuda:1')
    expect(JSON.parse(lines[1] as string)).toEqual({
      name: 'Fake GPU',
      major: 8,
      minor: 0,
      multiprocessors: 108,
      memory: 1e9,
    })
    expect(stderr).toBe('')
  })

  test('keeps what is sent to it: any dtype, any size, from and to the CPU and another device', () => {
    const { lines } = run(
      `const long = Float32Array.from({ length: 700_001 }, (_, i) => i)
       const x = Tensor.from(long, { device: 'cuda' })
       console.log(x.device, Buffer.compare(Buffer.from((await x.data()).buffer), Buffer.from(long.buffer)))
       const half = Tensor.from([[1.5, -2], [0.25, 3]], { dtype: 'bfloat16' })
       const [there, back] = [half.to('cuda:1'), half.to('cuda:1').to('cuda').to('cpu')]
       console.log(there.device, back.device, back.dtype, (await there.data()).join(), (await back.data()).join())
       const ids = Tensor.from(Int32Array.of(7, 8), { device: 'cuda' })
       console.log((await ids.data()).constructor.name, (await ids.data()).join())
       setDefaultDevice('cuda:1')
       console.log(Tensor.empty([2]).device, device('cuda:1').memory().tensors, device('cuda').memory().tensors)`,
      { FAKE_CUDA_DEVICES: '2' },
    )
    expect(lines).toEqual([
      'cuda:0 0',
      'cuda:1 cpu bfloat16 1.5,-2,0.25,3 1.5,-2,0.25,3',
      'Int32Array 7,8',
      expect.stringMatching(/^cuda:1 \d+ \d+$/),
    ])
  })

  test('does not take tensors of another, nor ops without a kernel', () => {
    const { lines } = run(
      `const [a, b] = [Tensor.from([1], { device: 'cuda' }), Tensor.from([1])]
       console.log(await failure(() => ops.add(a, b)))
       console.log(await failure(() => ops.add(b, a)))`,
    )
    expect(lines).toEqual([
      'DeviceError: binary: expected tensors on one device, got cuda:0 and cpu',
      'DeviceError: binary: expected tensors on one device, got cpu and cuda:0',
    ])
  })

  test('out of memory is told at the call, with sizes, after the cache was given back; the queue goes on', () => {
    const mib = 1 << 20
    const { lines } = run(
      `setDefaultDevice('cuda')
       const kept = Tensor.empty([${8 * mib}], { dtype: 'uint8' })
       Tensor.empty([${16 * mib}], { dtype: 'uint8' }).dispose()
       console.log(device('cuda').memory().cached)
       const large = Tensor.empty([${20 * mib}], { dtype: 'uint8' })
       console.log(device('cuda').memory().cached, large.size)
       console.log(await failure(() => Tensor.empty([${28 * mib}], { dtype: 'uint8' })))
       console.log((await Tensor.from([1, 2]).data()).join())`,
      { FAKE_CUDA_MEMORY: String(32 * mib) },
    )
    expect(lines[0]).toBe(String(16 * mib))
    expect(lines[1]).toBe(`0 ${20 * mib}`)
    expect(lines[2]).toMatch(
      /^DeviceError: tensor: expected at most \d+ more bytes, got \d+ \(out of memory: \d+ bytes live\)$/,
    )
    expect(lines[3]).toBe('1,2')
  })

  test('an error that sticks loses the device: every later wait says so', () => {
    const { lines } = run(
      `setDefaultDevice('cuda')
       const x = Tensor.from([1, 2])
       const y = ops.add(x, x)
       console.log(await failure(() => y.data()))
       console.log(await failure(() => ops.add(x, x).data()))
       console.log((await Tensor.from([3], { device: 'cpu' }).data()).join())`,
      { FAKE_CUDA_LAUNCH: '700' },
    )
    expect(lines[0]).toMatch(
      /^DeviceError: cuda: expected a device that works, got a lost one: CUDA_ERROR_ILLEGAL_ADDRESS .* at launching binary/,
    )
    expect(lines[1]).toMatch(/^DeviceError: cuda: expected a device that works, got a lost one: /)
    expect(lines[2]).toBe('3')
  })

  test('an error that does not stick is that of one op', () => {
    const { lines } = run(
      `setDefaultDevice('cuda')
       const x = Tensor.from([1, 2])
       console.log(await failure(() => ops.add(x, x).data()))
       console.log((await x.data()).join())`,
      { FAKE_CUDA_LAUNCH: '1' },
    )
    expect(lines[0]).toMatch(/^DeviceError: cuda: expected launching binaryDense_f32 to succeed, got CUDA_ERROR_FAKE/)
    expect(lines[1]).toBe('1,2')
  })
})
