import { DataError } from '../../errors.ts'

/** Class names and their numbers. */
export class Labels {
  readonly #numbers: ReadonlyMap<string, number>

  constructor(readonly names: readonly string[]) {
    this.#numbers = new Map(names.map((name, number) => [name, number]))
  }

  /** The names that occur: numbers in their order, else by the alphabet. */
  static of(names: Iterable<string>): Labels {
    const all = [...new Set(names)]
    const isNumeric = all.every((name) => /^-?\d+$/.test(name))
    return new Labels(isNumeric ? all.sort((a, b) => Number(a) - Number(b)) : all.sort())
  }

  /** @throws {DataError} for a name that training did not have. */
  number(name: string, place: string): number {
    const number = this.#numbers.get(name)
    if (number !== undefined) return number
    const known = this.names.slice(0, 20).join(', ')
    throw new DataError(`data: expected a label of ${known}, got ${JSON.stringify(name)} in ${place}`)
  }

  /** As config.json has them. */
  get config(): { readonly id2label: Record<string, string>; readonly label2id: Record<string, number> } {
    return {
      id2label: Object.fromEntries(this.names.map((name, number) => [String(number), name])),
      label2id: Object.fromEntries(this.names.map((name, number) => [name, number])),
    }
  }
}
