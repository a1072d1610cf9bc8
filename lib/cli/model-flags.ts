import type { DownloadProgress } from '../checkpoint/resolve.ts'
import { computeFlags } from './compute.ts'
import type { Console } from './console.ts'
import { choice, flag, integer, only, text, type Values } from './flags.ts'

/** Where hub ids are looked up. */
export const hubFlags = {
  revision: text('NAME', 'branch, tag or commit of a hub id'),
  cacheDir: text('DIR', 'where hub models are kept [the cache that Hugging Face libraries share]'),
  localFilesOnly: flag('ask no network'),
}

/** How a model is loaded and run. */
export const modelFlags = {
  tokenizer: text('DIR', "folder or hub id of another tokenizer than the model's"),
  batchSize: integer('N', 'texts that are computed together [8]', 1),
  dtype: choice(['float32', 'float16', 'bfloat16'], 'how weights are held [float32]'),
  ...computeFlags,
  ...hubFlags,
}

/** What loading takes of the options, with downloads that tell how far they are and stop on SIGINT. */
export function resolveOptions(hub: Values<typeof hubFlags>, console: Console) {
  return {
    ...only(hub, hubFlags),
    signal: console.signal,
    onProgress: ({ file, loadedBytes, totalBytes }: DownloadProgress) =>
      console.progress(() => `downloading ${file}: ${megabytes(loadedBytes)} of ${megabytes(totalBytes)}`),
  }
}

export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`
}
