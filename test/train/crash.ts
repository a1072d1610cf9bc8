import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'vitest'
import { T5ForConditionalGeneration, train } from '../../lib/index.ts'
import { bytesOf } from './tiny.ts'

const script = fileURLToPath(new URL('killed.ts', import.meta.url))

interface Outcome {
  readonly code: number | null
  /** Step that it began from; null if it was killed before it knew. */
  readonly from: number | null
}

/** Runs the process; with a delay it is killed so long after it began to train. */
async function trainProcess(dir: string, pauseMs: number, killAfterMs: number | null): Promise<Outcome> {
  const child = spawn(process.execPath, ['--import', 'tsx', script, dir, String(pauseMs)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exit = new Promise<number | null>((resolve) => child.once('exit', resolve))
  const text = await Promise.race([
    new Promise<string>((resolve) => child.stdout.once('data', (data) => resolve(String(data)))),
    exit.then(() => ''),
  ])
  const timer = killAfterMs === null ? null : setTimeout(() => child.kill('SIGKILL'), killAfterMs)
  const code = await exit
  if (timer) clearTimeout(timer)
  const from = /^from (\d+)/.exec(text)
  return { code, from: from ? Number(from[1]) : null }
}

/**
 * Kills a training process after each of the delays and starts it again; in the end its weights must be those of one that
 * was left alone. After each kill there is a checkpoint that loads, or none was ever finished.
 */
export async function expectCrashesToLeaveNoTrace(delaysMs: readonly number[]): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), 'crash-'))
  try {
    const whole = join(root, 'whole')
    expect(await trainProcess(whole, 0, null)).toEqual({ code: 0, from: 0 })
    const killed = join(root, 'killed')
    let kills = 0
    let reached = 0
    for (const delayMs of delaysMs) {
      const { code, from } = await trainProcess(killed, 4, delayMs)
      if (code === null) kills++
      expect(from).toBeGreaterThanOrEqual(reached)
      reached = from as number
      const latest = await train.latestCheckpoint(killed)
      if (latest) (await T5ForConditionalGeneration.fromPretrained(latest)).dispose()
      if (code === 0) rmSync(killed, { recursive: true })
      if (code === 0) reached = 0
    }
    expect(kills).toBeGreaterThan(0)
    expect(await trainProcess(killed, 0, null)).toMatchObject({ code: 0 })
    expect(readdirSync(killed)).toEqual(['step-24'])
    for (const part of ['', 'averages']) {
      using model = await T5ForConditionalGeneration.fromPretrained(join(killed, 'step-24', part))
      using expected = await T5ForConditionalGeneration.fromPretrained(join(whole, 'step-24', part))
      expect(await bytesOf(model)).toBe(await bytesOf(expected))
    }
    const states = (dir: string) => readFileSync(join(dir, 'step-24', 'training.safetensors'))
    expect(states(killed).equals(states(whole))).toBe(true)
  } finally {
    rmSync(root, { recursive: true })
  }
}
