/** Sentences in a few scripts, enough for vocabularies of some hundred tokens. */
export const corpus: readonly string[] = [
  'The river rose in the night, and by morning the lower meadow was a lake with fences standing in it.',
  'Nobody had seen the river rise so fast; the oldest of them remembered one flood, the one that took the bridge.',
  'They carried the hens up to the loft, then the seed potatoes, then whatever else the water might spoil.',
  'At noon the rain stopped. The children waded along the fence posts and counted what floated by: 3 barrels, 12 planks.',
  '"It will fall as fast as it rose," said the miller, who had said in the night that it would never reach his wheel.',
  'It fell. It left mud on the walls as high as a hand, and a smell of river in the bread for a week.',
  'Der Fluß stieg über Nacht; am Morgen stand die Wiese unter Wasser, und die Kinder zählten die Bretter.',
  'La rivière est montée pendant la nuit, et le meunier n’a rien dit: l’été suivant, le pont était reconstruit.',
  'Река поднялась за ночь, и утром луг был под водой. Река ушла через неделю, и луг снова был лугом.',
  '川は夜のうちに増水した。朝、川の水は庭まで来ていた。',
  'Water levels (cm): 120, 135, 180, 240, 235, 190, 150; the gauge reads 100 cm at 8:00 & 20:00 <normal>.',
  'We waited 🙂 and waited 🙂 until the water fell.',
]

/** Strings of words, scripts, marks, emoji and spaces of all kinds, from a seed. */
export function randomTexts(count: number, seed: number): string[] {
  let state = seed
  const below = (limit: number) => {
    // Lehmer's generator: its products stay below 2^53.
    state = (state * 48271) % 2147483647
    return state % limit
  }
  const pick = (list: readonly string[]) => list[below(list.length)] as string
  const words = corpus.flatMap((text) => text.split(' '))
  const spaces = [' ', ' ', ' ', '  ', '\t', '\n', '\r\n', '\u00a0', '\u3000', '\u200b', '\u2028', '\u000b', '']
  const marks = ['\u0301', '\u0308', '\u0327', '\u20dd', '\u200d', '\ufe0f', '\u0345']
  const odd = [
    '😀',
    '👩‍👩‍👧',
    '🇫🇷',
    'ﬁ',
    '①',
    '㎏',
    'ＡＢ',
    '＜/s＞',
    '<0x41>',
    '▁',
    '\u0000',
    '\u00ad',
    '½',
    'ǆ',
    '한글',
    'ที่',
  ]
  const specials = ['<extra_id_0>', '<extra_id_7>', '</s>', '<pad>', '<unk>', '[MASK]', '[SEP]']
  const codePoint = () => String.fromCodePoint(below(2) ? 32 + below(0x2fff) : 0x10000 + below(0x10000))
  const part = () => {
    const kind = below(12)
    if (kind < 6) return pick(words)
    if (kind < 8) return [...pick(words)].slice(0, 1 + below(4)).join('') + pick(marks)
    if (kind < 9) return pick(specials)
    if (kind < 11) return pick(odd)
    return codePoint()
  }
  return Array.from({ length: count }, () => Array.from({ length: below(14) }, () => part() + pick(spaces)).join(''))
}
