export interface Point {
  readonly x: number
  readonly y: number
}

const mostPoints = 1024

/**
 * A curve of any length in little memory: points are means over parts of equal length, which double when there are too many.
 * Values that are not finite are left out.
 */
export class Curve {
  #points: Point[] = []
  #perPoint = 1
  #sum = { x: 0, y: 0, count: 0 }

  add(x: number, y: number): void {
    if (!Number.isFinite(y)) return
    const { x: xs, y: ys, count } = this.#sum
    this.#sum = { x: xs + x, y: ys + y, count: count + 1 }
    if (this.#sum.count < this.#perPoint) return
    this.#points.push(meanOf(this.#sum))
    this.#sum = { x: 0, y: 0, count: 0 }
    if (this.#points.length < mostPoints) return
    this.#perPoint *= 2
    this.#points = Array.from({ length: mostPoints / 2 }, (_, i) => {
      const [a, b] = this.#points.slice(2 * i, 2 * i + 2) as [Point, Point]
      return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 }
    })
  }

  /** In their order; the last one may be of fewer values. */
  get points(): readonly Point[] {
    return this.#sum.count > 0 ? [...this.#points, meanOf(this.#sum)] : this.#points
  }
}

function meanOf({ x, y, count }: { x: number; y: number; count: number }): Point {
  return { x: x / count, y: y / count }
}
