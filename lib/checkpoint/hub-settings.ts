// What the environment says of the Hugging Face hub, under the names that all its libraries read.
import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { ConfigError, describe } from '../errors.ts'

const { env } = process

/** A variable that is set, and not to nothing. */
function variable(...names: string[]): string | undefined {
  return names.map((name) => env[name]).find((value) => value)
}

function isTrue(value: string | undefined): boolean {
  return ['1', 'ON', 'YES', 'TRUE'].includes(value?.toUpperCase() ?? '')
}

function expandHome(path: string): string {
  return path.replace(/^~(?=\/|$)/, homedir())
}

function hubHome(): string {
  return expandHome(variable('HF_HOME') ?? join(variable('XDG_CACHE_HOME') ?? '~/.cache', 'huggingface'))
}

export function hubCacheDir(): string {
  return expandHome(variable('HF_HUB_CACHE', 'HUGGINGFACE_HUB_CACHE') ?? join(hubHome(), 'hub'))
}

export function isOffline(): boolean {
  return isTrue(variable('HF_HUB_OFFLINE', 'TRANSFORMERS_OFFLINE'))
}

/** Where repositories are asked for, without a slash at the end. */
export function hubEndpoint(): string {
  const endpoint = (variable('HF_ENDPOINT') ?? 'https://huggingface.co').replace(/\/+$/, '')
  if (URL.canParse(endpoint) && /^https?:/.test(endpoint)) return endpoint
  throw new ConfigError(`HF_ENDPOINT: expected an http or https address, got ${describe(endpoint)}`)
}

/** The user's access token: of the environment, or of the file that `hf auth login` writes; null if there is none. */
export async function savedToken(): Promise<string | null> {
  if (isTrue(variable('HF_HUB_DISABLE_IMPLICIT_TOKEN'))) return null
  const path = expandHome(variable('HF_TOKEN_PATH') ?? join(hubHome(), 'token'))
  const token = variable('HF_TOKEN', 'HUGGING_FACE_HUB_TOKEN') ?? (await readFile(path, 'utf8').catch(() => ''))
  return token.trim() || null
}
