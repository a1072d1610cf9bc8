import type { TokenizerFiles } from '../files.ts'
import type { Json } from '../json.ts'

/** @internal The files of a tokenizer that was just trained: the role tokens stand in both of the small ones, as older readers expect. */
export function filesOf(tokenizerJson: Json, config: Json): TokenizerFiles {
  const map = Object.fromEntries(Object.entries(config).filter(([key]) => /_tokens?$/.test(key)))
  const text = (json: Json) => Buffer.from(`${JSON.stringify(json, null, 2)}\n`)
  return new Map([
    ['tokenizer.json', Buffer.from(JSON.stringify(tokenizerJson))],
    ['tokenizer_config.json', text(config)],
    ['special_tokens_map.json', text(map)],
  ])
}
