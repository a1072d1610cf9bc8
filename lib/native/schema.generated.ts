// Printed by `npm run schema` from the op registry (native/ops). Do not edit.

/** Every native op over tensors of type T. */
export interface NativeOps<T> {
  /** q (Nq H D) float · k (Nk H D) float · v (Nk H D) float · cuSeqlensQ (B+1) int32 · cuSeqlensK (B+1) int32 · positionsQ (Nq) int32 · positionsK (Nk) int32 · biasTable (numBuckets H) float · biasDense (batch H Tq Tk) float */
  attentionFwd(q: T, k: T, v: T, cuSeqlensQ: T, cuSeqlensK: T, positionsQ: T | null, positionsK: T | null, biasTable: T | null, biasDense: T | null, attrs?: { scale?: number; causal?: boolean; bidirectional?: boolean; maxDistance?: number; dropoutP?: number; seed?: number; site?: number; step?: number }): { o: T; lse: T }
  /** q (Nq H D) float · k (Nk H D) float · v (Nk H D) float · cuSeqlensQ (B+1) int32 · cuSeqlensK (B+1) int32 · positionsQ (Nq) int32 · positionsK (Nk) int32 · biasTable (numBuckets H) float · biasDense (batch H Tq Tk) float · o (Nq H D) float · lse (H Nq) float32 · dO (Nq H D) float */
  attentionBwd(q: T, k: T, v: T, cuSeqlensQ: T, cuSeqlensK: T, positionsQ: T | null, positionsK: T | null, biasTable: T | null, biasDense: T | null, o: T, lse: T, dO: T, attrs?: { scale?: number; causal?: boolean; bidirectional?: boolean; maxDistance?: number; dropoutP?: number; seed?: number; site?: number; step?: number; wantTable?: boolean; wantDense?: boolean }): { dQ: T; dK: T; dV: T; dBiasTable: T | null; dBiasDense: T | null }
  /** a (*) float · b (*) float */
  binary(a: T, b: T, attrs: { op: 'add' | 'sub' | 'mul' | 'div' }): T
  /** x (*) any, updated in place */
  fill(x: T, attrs: { value: number }): void
  /** x (*) float32, updated in place · y (*) float */
  accumulate(x: T, y: T): void
  /** x (*) any */
  cast(x: T, attrs: { dtype: 'float32' | 'float16' | 'bfloat16' | 'int32' | 'uint8' | 'int8' }): T
  /** x (*) float */
  reduce(x: T, attrs: { kind: 'sum' | 'mean' | 'max'; axes: number; keepDims?: boolean }): T
  /** logits (N V) float · labels (N) int32 · weights (N) float */
  crossEntropyFwd(logits: T, labels: T, weights: T | null, attrs?: { ignoreIndex?: number; labelSmoothing?: number; smoothing?: 'uniform' | 't5x'; zLoss?: number; reduction?: 'mean' | 'sum' | 'none' | 'weighted' }): { loss: T; lse: T; scale: T }
  /** logits (N V) float · labels (N) int32 · weights (N) float · lse (N 2) float · scale () float · dLoss (*) float */
  crossEntropyBwd(logits: T, labels: T, weights: T | null, lse: T, scale: T, dLoss: T, attrs?: { ignoreIndex?: number; labelSmoothing?: number; smoothing?: 'uniform' | 't5x'; zLoss?: number; reduction?: 'mean' | 'sum' | 'none' | 'weighted' }): T
  /** logits (...) float · targets (...) float · mask (...) uint8 */
  bceWithLogits(logits: T, targets: T, mask: T | null, attrs?: { reduction?: 'mean' | 'sum' | 'none'; gradient?: boolean }): { loss: T; dLogits: T | null }
  /** logits (N) float · isReplaced (N) uint8 · mask (N) uint8 */
  rtdLoss(logits: T, isReplaced: T, mask: T | null, attrs?: { gradient?: boolean }): { loss: T; dLogits: T | null }
  /** logits (M V) float · originalIds (N) int32 · maskedPositions (M) int32 */
  replaceTokens(logits: T, originalIds: T, maskedPositions: T, attrs: { temperature?: number; disallowCorrect?: boolean; seed: number; site?: number; step?: number }): { corruptedIds: T; isReplaced: T; sampledIds: T }
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
  {"name":"attentionFwd","inputs":[{"name":"q","dims":"Nq H D","kind":"float"},{"name":"k","dims":"Nk H D","kind":"float"},{"name":"v","dims":"Nk H D","kind":"float"},{"name":"cuSeqlensQ","dims":"B+1","kind":"int32"},{"name":"cuSeqlensK","dims":"B+1","kind":"int32"},{"name":"positionsQ","dims":"Nq","kind":"int32","optional":true},{"name":"positionsK","dims":"Nk","kind":"int32","optional":true},{"name":"biasTable","dims":"numBuckets H","kind":"float","optional":true},{"name":"biasDense","dims":"batch H Tq Tk","kind":"float","optional":true}],"attrs":[{"name":"scale","type":"float","fallback":1},{"name":"causal","type":"bool","fallback":0},{"name":"bidirectional","type":"bool","fallback":1},{"name":"maxDistance","type":"int","fallback":128},{"name":"dropoutP","type":"float","fallback":0},{"name":"seed","type":"int","fallback":0},{"name":"site","type":"int","fallback":0},{"name":"step","type":"int","fallback":0}],"outputs":[{"name":"o"},{"name":"lse"}],"cpu":true,"cuda":false},
  {"name":"attentionBwd","inputs":[{"name":"q","dims":"Nq H D","kind":"float"},{"name":"k","dims":"Nk H D","kind":"float"},{"name":"v","dims":"Nk H D","kind":"float"},{"name":"cuSeqlensQ","dims":"B+1","kind":"int32"},{"name":"cuSeqlensK","dims":"B+1","kind":"int32"},{"name":"positionsQ","dims":"Nq","kind":"int32","optional":true},{"name":"positionsK","dims":"Nk","kind":"int32","optional":true},{"name":"biasTable","dims":"numBuckets H","kind":"float","optional":true},{"name":"biasDense","dims":"batch H Tq Tk","kind":"float","optional":true},{"name":"o","dims":"Nq H D","kind":"float"},{"name":"lse","dims":"H Nq","kind":"float32"},{"name":"dO","dims":"Nq H D","kind":"float"}],"attrs":[{"name":"scale","type":"float","fallback":1},{"name":"causal","type":"bool","fallback":0},{"name":"bidirectional","type":"bool","fallback":1},{"name":"maxDistance","type":"int","fallback":128},{"name":"dropoutP","type":"float","fallback":0},{"name":"seed","type":"int","fallback":0},{"name":"site","type":"int","fallback":0},{"name":"step","type":"int","fallback":0},{"name":"wantTable","type":"bool","fallback":0},{"name":"wantDense","type":"bool","fallback":0}],"outputs":[{"name":"dQ"},{"name":"dK"},{"name":"dV"},{"name":"dBiasTable","optional":true},{"name":"dBiasDense","optional":true}],"cpu":true,"cuda":false},
  {"name":"binary","inputs":[{"name":"a","dims":"*","kind":"float"},{"name":"b","dims":"*","kind":"float"}],"attrs":[{"name":"op","type":"enum","choices":["add","sub","mul","div"]}],"outputs":[{"name":"y"}],"cpu":true,"cuda":false},
  {"name":"fill","inputs":[{"name":"x","dims":"*","kind":"any","mutated":true}],"attrs":[{"name":"value","type":"float"}],"outputs":[],"cpu":true,"cuda":false},
  {"name":"accumulate","inputs":[{"name":"x","dims":"*","kind":"float32","mutated":true},{"name":"y","dims":"*","kind":"float"}],"attrs":[],"outputs":[],"cpu":true,"cuda":false},
  {"name":"cast","inputs":[{"name":"x","dims":"*","kind":"any"}],"attrs":[{"name":"dtype","type":"enum","choices":["float32","float16","bfloat16","int32","uint8","int8"]}],"outputs":[{"name":"y"}],"cpu":true,"cuda":false},
  {"name":"reduce","inputs":[{"name":"x","dims":"*","kind":"float"}],"attrs":[{"name":"kind","type":"enum","choices":["sum","mean","max"]},{"name":"axes","type":"int"},{"name":"keepDims","type":"bool","fallback":0}],"outputs":[{"name":"y"}],"cpu":true,"cuda":false},
  {"name":"crossEntropyFwd","inputs":[{"name":"logits","dims":"N V","kind":"float"},{"name":"labels","dims":"N","kind":"int32"},{"name":"weights","dims":"N","kind":"float","optional":true}],"attrs":[{"name":"ignoreIndex","type":"int","fallback":-100},{"name":"labelSmoothing","type":"float","fallback":0},{"name":"smoothing","type":"enum","fallback":0,"choices":["uniform","t5x"]},{"name":"zLoss","type":"float","fallback":0},{"name":"reduction","type":"enum","fallback":0,"choices":["mean","sum","none","weighted"]}],"outputs":[{"name":"loss"},{"name":"lse"},{"name":"scale"}],"cpu":true,"cuda":false},
  {"name":"crossEntropyBwd","inputs":[{"name":"logits","dims":"N V","kind":"float"},{"name":"labels","dims":"N","kind":"int32"},{"name":"weights","dims":"N","kind":"float","optional":true},{"name":"lse","dims":"N 2","kind":"float"},{"name":"scale","dims":"","kind":"float"},{"name":"dLoss","dims":"*","kind":"float"}],"attrs":[{"name":"ignoreIndex","type":"int","fallback":-100},{"name":"labelSmoothing","type":"float","fallback":0},{"name":"smoothing","type":"enum","fallback":0,"choices":["uniform","t5x"]},{"name":"zLoss","type":"float","fallback":0},{"name":"reduction","type":"enum","fallback":0,"choices":["mean","sum","none","weighted"]}],"outputs":[{"name":"dLogits"}],"cpu":true,"cuda":false},
  {"name":"bceWithLogits","inputs":[{"name":"logits","dims":"...","kind":"float"},{"name":"targets","dims":"...","kind":"float"},{"name":"mask","dims":"...","kind":"uint8","optional":true}],"attrs":[{"name":"reduction","type":"enum","fallback":0,"choices":["mean","sum","none"]},{"name":"gradient","type":"bool","fallback":0}],"outputs":[{"name":"loss"},{"name":"dLogits","optional":true}],"cpu":true,"cuda":false},
  {"name":"rtdLoss","inputs":[{"name":"logits","dims":"N","kind":"float"},{"name":"isReplaced","dims":"N","kind":"uint8"},{"name":"mask","dims":"N","kind":"uint8","optional":true}],"attrs":[{"name":"gradient","type":"bool","fallback":0}],"outputs":[{"name":"loss"},{"name":"dLogits","optional":true}],"cpu":true,"cuda":false},
  {"name":"replaceTokens","inputs":[{"name":"logits","dims":"M V","kind":"float"},{"name":"originalIds","dims":"N","kind":"int32"},{"name":"maskedPositions","dims":"M","kind":"int32"}],"attrs":[{"name":"temperature","type":"float","fallback":1},{"name":"disallowCorrect","type":"bool","fallback":0},{"name":"seed","type":"int"},{"name":"site","type":"int","fallback":0},{"name":"step","type":"int","fallback":0}],"outputs":[{"name":"corruptedIds"},{"name":"isReplaced"},{"name":"sampledIds"}],"cpu":true,"cuda":false},
]
