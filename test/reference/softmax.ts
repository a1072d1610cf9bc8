import { type NdArray, type Round, zeros } from './array.ts'

/** y = e^(x − m) / Σ e^(x − m), or its logarithm; a row of −inf alone: zeros (−inf). */
export function softmax(x: NdArray, log: boolean, r: Round): NdArray {
  const V = x.shape.at(-1)!
  const y = zeros(x.shape)
  for (let begin = 0; begin < x.data.length; begin += V) {
    const row = x.data.subarray(begin, begin + V)
    const max = row.reduce((a, b) => Math.max(a, b), -Infinity)
    let total = 0
    for (const value of row) total = r(total + r(Math.exp(r(value - max))))
    for (let c = 0; c < V; c++) {
      const shifted = r(row[c]! - max)
      const value = log ? r(shifted - r(Math.log(total))) : r(r(Math.exp(shifted)) / total)
      y.data[begin + c] = max === -Infinity ? (log ? -Infinity : 0) : value
    }
  }
  return y
}

export function softmaxGradient(x: NdArray, log: boolean, dY: NdArray, r: Round): NdArray {
  const V = x.shape.at(-1)!
  const y = softmax(x, log, r)
  const dX = zeros(x.shape)
  for (let begin = 0; begin < x.data.length; begin += V) {
    if (x.data.subarray(begin, begin + V).every((value) => value === -Infinity)) continue
    let total = 0
    for (let i = begin; i < begin + V; i++) total = r(total + (log ? dY.data[i]! : r(y.data[i]! * dY.data[i]!)))
    for (let i = begin; i < begin + V; i++) {
      dX.data[i] = log ? r(dY.data[i]! - r(r(Math.exp(y.data[i]!)) * total)) : r(y.data[i]! * r(dY.data[i]! - total))
    }
  }
  return dX
}
