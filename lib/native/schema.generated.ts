// Printed by `npm run schema` from the op registry (native/ops). Do not edit.

/** Every native op over tensors of type T. */
export interface NativeOps<T> {
  /** a (*) float · b (*) float */
  binary(a: T, b: T, attrs: { op: 'add' | 'sub' | 'mul' | 'div' }): T
  /** x (*) float */
  affine(x: T, attrs?: { scale?: number; shift?: number }): T
  /** x (*) any, updated in place */
  fill(x: T, attrs: { value: number }): void
  /** x (*) float32, updated in place · y (*) float */
  accumulate(x: T, y: T): void
  /** x (*) any */
  cast(x: T, attrs: { dtype: 'float32' | 'float16' | 'bfloat16' | 'int32' | 'uint8' | 'int8' }): T
  /** x (*) float */
  reduce(x: T, attrs: { kind: 'sum' | 'mean' | 'max'; axes: number; keepDims?: boolean }): T
  /** x (...) float */
  unary(x: T, attrs: { kind: 'neg' | 'abs' | 'square' | 'sqrt' | 'rsqrt' | 'exp' | 'log' | 'tanh' | 'sigmoid' | 'relu' | 'geluErf' | 'geluTanh' | 'silu' }): T
  /** at (...) float · dY (...) float */
  unaryBwd(at: T, dY: T, attrs: { kind: 'neg' | 'abs' | 'square' | 'sqrt' | 'rsqrt' | 'exp' | 'log' | 'tanh' | 'sigmoid' | 'relu' | 'geluErf' | 'geluTanh' | 'silu' }): T
  /** gate (...) float · linear (...) float */
  gated(gate: T, linear: T, attrs: { kind: 'relu' | 'geluErf' | 'geluTanh' | 'silu' }): T
  /** gate (...) float · linear (...) float · dY (...) float */
  gatedBwd(gate: T, linear: T, dY: T, attrs: { kind: 'relu' | 'geluErf' | 'geluTanh' | 'silu' }): { dGate: T; dLinear: T }
  /** x (*) float */
  dropout(x: T, attrs?: { dropoutP?: number; seed?: number; site?: number; step?: number }): T
  /** a (... M K) float · b (*) float · packedB (P) float32 · c (*) float · bias (*) float · gate (*) float · residual (*) float */
  gemm(a: T, b: T | null, packedB: T | null, c: T | null, bias: T | null, gate: T | null, residual: T | null, attrs?: { alpha?: number; beta?: number; n?: number; saveZ?: boolean; act?: 'none' | 'relu' | 'geluErf' | 'geluTanh' | 'silu'; dropoutP?: number; seed?: number; site?: number; step?: number }): { y: T; z: T | null }
  /** b (K N) float */
  gemmPack(b: T): T
  /** dy (... N) float · z (*) float · gate (*) float */
  gemmEpilogueBwd(dy: T, z: T | null, gate: T | null, attrs?: { biasGrad?: boolean; act?: 'none' | 'relu' | 'geluErf' | 'geluTanh' | 'silu'; dropoutP?: number; seed?: number; site?: number; step?: number }): { dz: T | null; dGate: T | null; dBias: T | null }
}

export interface OpSchema {
  readonly name: string
  readonly inputs: readonly { name: string; dims: string; kind: string; optional?: true; list?: true; mutated?: true }[]
  readonly attrs: readonly { name: string; type: string; fallback?: number; choices?: readonly string[] }[]
  readonly outputs: readonly { name: string; optional?: true }[]
  readonly cpu: boolean
  readonly cuda: boolean
}

export const schema: readonly OpSchema[] = [
  {"name":"binary","inputs":[{"name":"a","dims":"*","kind":"float"},{"name":"b","dims":"*","kind":"float"}],"attrs":[{"name":"op","type":"enum","choices":["add","sub","mul","div"]}],"outputs":[{"name":"y"}],"cpu":true,"cuda":false},
  {"name":"affine","inputs":[{"name":"x","dims":"*","kind":"float"}],"attrs":[{"name":"scale","type":"float","fallback":1},{"name":"shift","type":"float","fallback":0}],"outputs":[{"name":"y"}],"cpu":true,"cuda":false},
  {"name":"fill","inputs":[{"name":"x","dims":"*","kind":"any","mutated":true}],"attrs":[{"name":"value","type":"float"}],"outputs":[],"cpu":true,"cuda":false},
  {"name":"accumulate","inputs":[{"name":"x","dims":"*","kind":"float32","mutated":true},{"name":"y","dims":"*","kind":"float"}],"attrs":[],"outputs":[],"cpu":true,"cuda":false},
  {"name":"cast","inputs":[{"name":"x","dims":"*","kind":"any"}],"attrs":[{"name":"dtype","type":"enum","choices":["float32","float16","bfloat16","int32","uint8","int8"]}],"outputs":[{"name":"y"}],"cpu":true,"cuda":false},
  {"name":"reduce","inputs":[{"name":"x","dims":"*","kind":"float"}],"attrs":[{"name":"kind","type":"enum","choices":["sum","mean","max"]},{"name":"axes","type":"int"},{"name":"keepDims","type":"bool","fallback":0}],"outputs":[{"name":"y"}],"cpu":true,"cuda":false},
  {"name":"unary","inputs":[{"name":"x","dims":"...","kind":"float"}],"attrs":[{"name":"kind","type":"enum","choices":["neg","abs","square","sqrt","rsqrt","exp","log","tanh","sigmoid","relu","geluErf","geluTanh","silu"]}],"outputs":[{"name":"y"}],"cpu":true,"cuda":false},
  {"name":"unaryBwd","inputs":[{"name":"at","dims":"...","kind":"float"},{"name":"dY","dims":"...","kind":"float"}],"attrs":[{"name":"kind","type":"enum","choices":["neg","abs","square","sqrt","rsqrt","exp","log","tanh","sigmoid","relu","geluErf","geluTanh","silu"]}],"outputs":[{"name":"dX"}],"cpu":true,"cuda":false},
  {"name":"gated","inputs":[{"name":"gate","dims":"...","kind":"float"},{"name":"linear","dims":"...","kind":"float"}],"attrs":[{"name":"kind","type":"enum","choices":["relu","geluErf","geluTanh","silu"]}],"outputs":[{"name":"y"}],"cpu":true,"cuda":false},
  {"name":"gatedBwd","inputs":[{"name":"gate","dims":"...","kind":"float"},{"name":"linear","dims":"...","kind":"float"},{"name":"dY","dims":"...","kind":"float"}],"attrs":[{"name":"kind","type":"enum","choices":["relu","geluErf","geluTanh","silu"]}],"outputs":[{"name":"dGate"},{"name":"dLinear"}],"cpu":true,"cuda":false},
  {"name":"dropout","inputs":[{"name":"x","dims":"*","kind":"float"}],"attrs":[{"name":"dropoutP","type":"float","fallback":0},{"name":"seed","type":"int","fallback":0},{"name":"site","type":"int","fallback":0},{"name":"step","type":"int","fallback":0}],"outputs":[{"name":"y"}],"cpu":true,"cuda":false},
  {"name":"gemm","inputs":[{"name":"a","dims":"... M K","kind":"float"},{"name":"b","dims":"*","kind":"float","optional":true},{"name":"packedB","dims":"P","kind":"float32","optional":true},{"name":"c","dims":"*","kind":"float","optional":true},{"name":"bias","dims":"*","kind":"float","optional":true},{"name":"gate","dims":"*","kind":"float","optional":true},{"name":"residual","dims":"*","kind":"float","optional":true}],"attrs":[{"name":"alpha","type":"float","fallback":1},{"name":"beta","type":"float","fallback":1},{"name":"n","type":"int","fallback":0},{"name":"saveZ","type":"bool","fallback":0},{"name":"act","type":"enum","fallback":0,"choices":["none","relu","geluErf","geluTanh","silu"]},{"name":"dropoutP","type":"float","fallback":0},{"name":"seed","type":"int","fallback":0},{"name":"site","type":"int","fallback":0},{"name":"step","type":"int","fallback":0}],"outputs":[{"name":"y"},{"name":"z","optional":true}],"cpu":true,"cuda":false},
  {"name":"gemmPack","inputs":[{"name":"b","dims":"K N","kind":"float"}],"attrs":[],"outputs":[{"name":"packedB"}],"cpu":true,"cuda":false},
  {"name":"gemmEpilogueBwd","inputs":[{"name":"dy","dims":"... N","kind":"float"},{"name":"z","dims":"*","kind":"float","optional":true},{"name":"gate","dims":"*","kind":"float","optional":true}],"attrs":[{"name":"biasGrad","type":"bool","fallback":0},{"name":"act","type":"enum","fallback":0,"choices":["none","relu","geluErf","geluTanh","silu"]},{"name":"dropoutP","type":"float","fallback":0},{"name":"seed","type":"int","fallback":0},{"name":"site","type":"int","fallback":0},{"name":"step","type":"int","fallback":0}],"outputs":[{"name":"dz","optional":true},{"name":"dGate","optional":true},{"name":"dBias","optional":true}],"cpu":true,"cuda":false},
]
