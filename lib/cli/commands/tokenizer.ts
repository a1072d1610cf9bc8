import { DataError } from '../../errors.ts'
import type { Tokenizer } from '../../tokenizers/tokenizer.ts'
import { command, group } from '../command.ts'
import type { Console } from '../console.ts'
import { flag, onFlag, type Values } from '../flags.ts'
import { hubFlags, resolveOptions } from '../model-flags.ts'
import { textFlags, textsOf } from '../texts.ts'
import { train } from './tokenizer-train.ts'

const sharedFlags = {
  ...textFlags,
  json: flag('print one JSON object a line: {"text", "output"}'),
  ...hubFlags,
}

const encode = command({
  summary: 'text as token ids',
  details: 'Prints one line of ids for each text.',
  positionals: { required: ['TOKENIZER'], rest: 'TEXT' },
  flags: {
    tokens: flag('print tokens instead of ids'),
    addSpecialTokens: onFlag('leave out the special tokens that surround a text'),
    ...sharedFlags,
  },
  examples: ['tokenizer encode ./t5-small "Hello, how are you?"', 'tokenizer encode ./t5-small --tokens < texts.txt'],

  async run({ values, positionals: [folder, ...given] }, console) {
    const { tokens: asTokens = false, addSpecialTokens = true, json = false, file, ...hub } = values
    const { lines } = textsOf(given, file, console)
    const tokenizer = await load(folder as string, hub, console)
    for await (const text of lines) {
      const encoding = await tokenizer.encode(text, { addSpecialTokens })
      const output = { ids: [...encoding.inputIds], tokens: encoding.tokens, offsets: pairs(encoding.offsets) }
      if (json) await console.printJson({ text, output })
      else await console.print((asTokens ? output.tokens : output.ids).join(' '))
    }
  },
})

const decode = command({
  summary: 'token ids as text',
  details: 'Prints the text of the ids that are given as arguments, or of each line of ids.',
  positionals: { required: ['TOKENIZER'], rest: 'ID' },
  flags: { skipSpecialTokens: flag('leave special tokens out'), ...sharedFlags },
  examples: ['tokenizer decode ./t5-small 8774 6 149 33 25 58 1 --skip-special-tokens'],

  async run({ values, positionals: [folder, ...given] }, console) {
    const { skipSpecialTokens = false, json = false, file, ...hub } = values
    const { lines } = textsOf(given.length > 0 ? [given.join(' ')] : [], file, console)
    const tokenizer = await load(folder as string, hub, console)
    for await (const text of lines) {
      const output = await tokenizer.decode(idsOf(text), { skipSpecialTokens })
      await (json ? console.printJson({ text, output }) : console.print(output))
    }
  },
})

export const tokenizer = group({
  summary: 'trains tokenizers, and runs them',
  details: 'TOKENIZER is a folder with a tokenizer.json, such as that of a model, or a hub id.',
  commands: { train, encode, decode },
})

async function load(idOrPath: string, hub: Values<typeof hubFlags>, console: Console): Promise<Tokenizer> {
  const { AutoTokenizer } = await import('../../models/auto-tokenizer.ts')
  return AutoTokenizer.fromPretrained(idOrPath, resolveOptions(hub, console))
}

function pairs(flat: Int32Array): [start: number, end: number][] {
  return Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i] as number, flat[2 * i + 1] as number])
}

function idsOf(line: string): number[] {
  const words = line.split(/[\s,]+/).filter((word) => word !== '')
  const wrong = words.find((word) => !/^\d{1,9}$/.test(word))
  if (wrong !== undefined) throw new DataError(`expected token ids, got ${JSON.stringify(wrong)}`)
  return words.map(Number)
}
