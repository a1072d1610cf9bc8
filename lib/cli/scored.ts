/** `word 0.93`: as many digits as mean something to a reader. */
export function scored(word: string, score: number): string {
  return `${word} ${score.toFixed(4)}`
}
