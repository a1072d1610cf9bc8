import { access, constants, stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { DataError } from '../../errors.ts'
import type { Tokenizer } from '../../tokenizers/tokenizer.ts'
import { UsageError } from '../arguments.ts'
import { type Command, command, group } from '../command.ts'
import { type Flags, flag, integer, number, onFlag, text, type Values } from '../flags.ts'
import { linesOfFile } from '../texts.ts'

/** A way to learn a vocabulary. */
interface Trainer<F extends Flags> {
  readonly summary: string
  /** Its options, under the names that the library gives them. */
  readonly flags: F
  load(): Promise<(texts: AsyncIterable<string>, options: Values<F> & { signal: AbortSignal }) => Promise<Tokenizer>>
}

function trainCommand<const F extends Flags>(name: string, { summary, flags, load }: Trainer<F>): Command {
  return command({
    summary,
    details:
      'Reads text FILEs and writes tokenizer.json, tokenizer_config.json and special_tokens_map.json to DIR, which all Hugging Face libraries read. The same files give the same tokenizer.',
    positionals: { required: ['FILE'], rest: 'FILE' },
    flags: { out: text('DIR', 'folder to write; made if it is not there'), ...flags },
    examples: [`tokenizer train ${name} corpus.txt --vocab-size 8000 --out ./my-tokenizer`],

    async run({ values, positionals: files }, console) {
      const { out, ...options } = values as Values<F> & { readonly out?: string }
      if (out === undefined) throw new UsageError('expected --out DIR, got none')
      await expectPlaceFor(out)
      const lines = new JoinedLines(files.map((file) => linesOfFile(file, console)))
      const start = performance.now()
      const seconds = () => Math.floor((performance.now() - start) / 1000)
      const timer = setInterval(() => {
        console.progress(() => `${lines.count.toLocaleString('en')} lines read, ${seconds()} s`)
      }, 100)
      try {
        const learn = await load()
        const tokenizer = await learn(lines, { ...(options as Values<F>), signal: console.signal })
        await tokenizer.savePretrained(out)
        await console.print(`${resolve(out)}: ${tokenizer.length.toLocaleString('en')} tokens`)
      } finally {
        clearInterval(timer)
      }
    },
  })
}

export const train = group({
  summary: 'learns a vocabulary from text files',
  commands: {
    'word-piece': trainCommand('word-piece', {
      summary: 'the tokenizer of BERT and ELECTRA',
      flags: {
        vocabSize: integer('N', 'most tokens [30522]', 1),
        minFrequency: integer('N', 'pieces seen less often are not made [2]', 1),
        limitAlphabet: integer('N', 'characters that are kept, the most frequent ones [1000]', 1),
        lowercase: onFlag('keep capital letters'),
        stripAccents: flag('remove accents [unless --no-lowercase]'),
        handleChineseChars: onFlag('do not make each CJK character a word'),
        modelMaxLength: integer('N', 'most tokens that the model will take [512]', 1),
      },
      load: async () => (await import('../../tokenizers/training/word-piece.ts')).trainWordPiece,
    }),
    unigram: trainCommand('unigram', {
      summary: 'the tokenizer of T5',
      flags: {
        vocabSize: integer('N', 'most tokens [32100]', 1),
        extraIds: integer('N', 'sentinels <extra_id_0>, <extra_id_1>, … [100]'),
        byteFallback: flag('write unknown characters as tokens of their bytes'),
        limitAlphabet: integer('N', 'characters that are kept, the most frequent ones [1000]', 1),
        maxPieceLength: integer('N', 'longest piece, in characters [16]', 1),
        seedSize: integer('N', 'repeated substrings that the training begins with [1000000]', 1),
        shrinkingFactor: number('X', 'share of the pieces that a round leaves [0.75]'),
        nSubIterations: integer('N', 'steps of expectation maximization in a round [2]', 1),
        modelMaxLength: integer('N', 'most tokens that the model will take [512]', 1),
      },
      load: async () => (await import('../../tokenizers/training/unigram.ts')).trainUnigram,
    }),
  },
})

/** All lines, one file after the other. */
class JoinedLines {
  /** Lines that were read so far. */
  count = 0

  constructor(private readonly sources: readonly AsyncIterable<string>[]) {}

  async *[Symbol.asyncIterator](): AsyncGenerator<string> {
    for (const lines of this.sources) {
      for await (const line of lines) {
        this.count++
        yield line
      }
    }
  }
}

/** Tells before a long training that its result could not be written. */
async function expectPlaceFor(folder: string): Promise<void> {
  const found = await stat(folder).catch(() => null)
  if (!found && dirname(resolve(folder)) !== resolve(folder)) return expectPlaceFor(dirname(resolve(folder)))
  if (!found?.isDirectory()) throw new DataError(`expected --out in a folder, got ${folder}, which is a file`)
  await access(folder, constants.W_OK)
}
