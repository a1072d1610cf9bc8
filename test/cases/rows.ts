import { ops } from '../../lib/index.ts'
import { native } from '../../lib/tensor.ts'
import { fromFn } from '../reference/array.ts'
import { concat, embeddingSum, gatherRows, scatterRows, split } from '../reference/rows.ts'
import type { Case, Input } from './case.ts'

const ids = (shape: number[], below: number): Input => ({
  shape,
  dtype: 'int32',
  values: (_, random) => random.integer(below),
})

function embeddingCase(title: string, table: Input, shape: number[], paddingIdx = -1): Case {
  const rows = table.shape[0]!
  return {
    name: `embedding ${title}`,
    covers: ['embedding', 'scatterRows'],
    inputs: { table, ids: ids(shape, rows) },
    run: (t) => ops.embedding(t.table!, t.ids!, { paddingIdx }),
    reference: (v) => [gatherRows(v.table!, v.ids!)],
    gradient: (v, [dY], r) => ({ table: scatterRows(dY!, v.ids!, rows, r, paddingIdx) }),
    // The row of paddingIdx is read, but gets no gradient.
    ...(paddingIdx >= 0 && { centralDifferences: false as const }),
  }
}

function embeddingSumCase(title: string, E: number, shape: number[], rows: [number, number, number]): Case {
  const names = ['word', 'position', 'type'] as const
  return {
    name: `embeddingSum ${title}`,
    covers: ['embedding', 'scatterRows'],
    inputs: Object.fromEntries(
      names.flatMap((name, i) => [
        [name, { shape: [rows[i]!, E] }],
        [`${name}Ids`, ids(shape, rows[i]!)],
      ]),
    ),
    run: (t) => ops.embeddingSum([t.word!, t.position!, t.type!], [t.wordIds!, t.positionIds!, t.typeIds!]),
    reference: (v, r) => [embeddingSum([v.word!, v.position!, v.type!], [v.wordIds!, v.positionIds!, v.typeIds!], r)],
    gradient: (v, [dY], r) =>
      Object.fromEntries(names.map((name, i) => [name, scatterRows(dY!, v[`${name}Ids`]!, rows[i]!, r)])),
  }
}

/** Onto what is there: nothing in rows that no id names, nor in that of `skip`. */
function addCase(title: string, y: Input, x: Input, shape: number[], skip = -1): Case {
  const rows = y.shape[0]!
  return {
    name: `addRows ${title}`,
    covers: ['addRows'],
    inputs: { y: { ...y, gradient: false }, x: { ...x, gradient: false }, ids: ids(shape, rows) },
    sixteenBit: false,
    run: ({ y, x, ids }) => {
      native.addRows(y!, x!, ids!, { skip })
      return y!
    },
    reference: (v, r) => {
      const sums = scatterRows(v.x!, v.ids!, rows, r, skip)
      return [fromFn(v.y!.shape, (i) => r(v.y!.data[i]! + sums.data[i]!))]
    },
  }
}

function gatherCase(title: string, x: Input, shape: number[]): Case {
  const rows = x.shape[0]!
  return {
    name: `gatherRows ${title}`,
    covers: ['gatherRows', 'scatterRows'],
    inputs: { x, ids: ids(shape, rows) },
    run: (t) => ops.gatherRows(t.x!, t.ids!),
    reference: (v) => [gatherRows(v.x!, v.ids!)],
    gradient: (v, [dY], r) => ({ x: scatterRows(dY!, v.ids!, rows, r) }),
  }
}

function scatterCase(title: string, x: Input, shape: number[], rows: number): Case {
  return {
    name: `scatterRows ${title}`,
    covers: ['gatherRows', 'scatterRows'],
    inputs: { x, ids: ids(shape, rows) },
    run: (t) => ops.scatterRows(t.x!, t.ids!, rows),
    reference: (v, r) => [scatterRows(v.x!, v.ids!, rows, r)],
    gradient: (v, [dY]) => ({ x: gatherRows(dY!, v.ids!) }),
  }
}

function concatCase(title: string, a: Input, b: Input, axis: number): Case {
  return {
    name: `concat ${title}`,
    covers: ['concat'],
    inputs: { a, b },
    run: (t) => ops.concat([t.a!, t.b!, t.a!], axis),
    reference: (v) => [concat([v.a!, v.b!, v.a!], axis)],
    gradient: (v, [dY], r) => {
      const size = v.a!.shape[axis]!
      const [first, b, second] = split(dY!, [size, v.b!.shape[axis]!, size], axis)
      return { a: fromFn(v.a!.shape, (i) => r(first!.data[i]! + second!.data[i]!)), b: b! }
    },
  }
}

function splitCase(title: string, x: Input, sizes: number[], axis: number): Case {
  return {
    name: `split ${title}`,
    covers: ['concat'],
    inputs: { x },
    run: (t) => ops.split(t.x!, sizes, axis),
    reference: (v) => split(v.x!, sizes, axis),
    gradient: (_, dParts) => ({ x: concat(dParts, axis) }),
  }
}

export const rowsCases: Case[] = [
  embeddingCase('(5,3) of 17', { shape: [5, 3] }, [17]),
  embeddingCase('(100,33) of (4,64)', { shape: [100, 33] }, [4, 64]),
  embeddingCase('(7,300) of (2,100)', { shape: [7, 300] }, [2, 100]),
  embeddingCase('one row', { shape: [1, 4] }, [6]),
  embeddingCase('no ids', { shape: [3, 4] }, [0]),
  embeddingCase('rows apart', { shape: [9, 10], strided: 'rows' }, [3, 4]),
  embeddingCase('padding', { shape: [6, 10] }, [4, 9], 0),
  embeddingSumCase('(2,13)', 40, [2, 13], [50, 13, 2]),
  embeddingSumCase('E 257', 257, [5], [11, 7, 1]),
  gatherCase('(9,6)', { shape: [9, 6] }, [14]),
  gatherCase('(5,2,3) strided', { shape: [5, 2, 3], strided: true }, [2, 2]),
  gatherCase('vector', { shape: [9] }, [4]),
  scatterCase('(14,6) into 9', { shape: [14, 6] }, [14], 9),
  scatterCase('(70,20) into 100', { shape: [70, 20], strided: 'rows' }, [70], 100),
  scatterCase('(2,3,4,5) into 3', { shape: [2, 3, 4, 5] }, [2, 3], 3),
  addCase('(70,20) onto 9', { shape: [9, 20] }, { shape: [70, 20], strided: 'rows' }, [70]),
  addCase('(5,300) onto 2000, skipping one', { shape: [2000, 300] }, { shape: [5, 300] }, [5], 3),
  addCase('(300,5) onto 4, skipping one', { shape: [4, 5] }, { shape: [300, 5] }, [300], 2),
  addCase('(2,3,4,5) onto 3', { shape: [3, 4, 5] }, { shape: [2, 3, 4, 5] }, [2, 3]),
  addCase('nothing onto 3', { shape: [3, 4] }, { shape: [0, 4] }, [0]),
  scatterCase('nothing into 3', { shape: [0, 4] }, [0], 3),
  concatCase('rows', { shape: [3, 5] }, { shape: [4, 5] }, 0),
  concatCase('columns', { shape: [3, 5], strided: true }, { shape: [3, 2] }, 1),
  concatCase('in the middle', { shape: [2, 3, 4] }, { shape: [2, 1, 4], strided: 'rows' }, 1),
  concatCase('vectors', { shape: [3] }, { shape: [0] }, 0),
  splitCase('rows', { shape: [9, 4] }, [2, 0, 7], 0),
  splitCase('columns', { shape: [3, 2, 9], strided: 'rows' }, [4, 5], 2),
  {
    ...embeddingCase('bench (32128,512) of 4096', { shape: [32128, 512] }, [4096]),
    flops: 1,
    bytes: 8 << 21,
  },
]
