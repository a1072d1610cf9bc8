import type { TokenDecoder } from './stopping.ts'
import type { TokenStep } from './token-search.ts'

// Scripts that are written without spaces: each of their characters is complete by itself.
const ideograph = /\p{Script=Han}$/u

/**
 * The text of one row of a token stream, in pieces that no later token changes: up to the last space or line break, or
 * an ideograph; the rest at the end.
 *
 * @param steps from `generateStream`.
 * @param options.row which of the sequences. @default 0
 * @param options.skipSpecialTokens @default true
 */
export async function* textStream(
  steps: AsyncIterable<TokenStep>,
  tokenizer: TokenDecoder,
  { row = 0, skipSpecialTokens = true }: { row?: number; skipSpecialTokens?: boolean } = {},
): AsyncGenerator<string, void> {
  const ids: number[] = []
  let shown = 0
  let text = ''
  for await (const { rows, tokens } of steps) {
    const fresh = [...tokens].filter((_, i) => rows[i] === row)
    if (fresh.length === 0) continue
    ids.push(...fresh)
    text = await tokenizer.decode(ids, { skipSpecialTokens })
    const end = completeLength(text)
    if (end <= shown) continue
    yield text.slice(shown, end)
    shown = end
  }
  if (text.length > shown) yield text.slice(shown)
}

/** Length of the part of a text that is complete whatever follows. */
function completeLength(text: string): number {
  if (text.endsWith('\n') || ideograph.test(text)) return text.length
  return text.lastIndexOf(' ') + 1
}
