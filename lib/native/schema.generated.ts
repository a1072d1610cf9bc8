// Printed by `npm run schema` from the op registry (native/ops). Do not edit.

/** Every native op over tensors of type T. */
export interface NativeOps<T> {
  /** q (Nq H D) float · k (Nk H D) float · v (Nk H D) float · cuSeqlensQ (B+1) int32 · cuSeqlensK (B+1) int32 · positionsQ (Nq) int32 · positionsK (Nk) int32 · biasTable (numBuckets H) float · biasDense (batch H Tq Tk) float */
  attentionFwd(q: T, k: T, v: T, cuSeqlensQ: T, cuSeqlensK: T, positionsQ: T | null, positionsK: T | null, biasTable: T | null, biasDense: T | null, attrs?: { scale?: number; causal?: boolean; bidirectional?: boolean; maxDistance?: number; dropoutP?: number; seed?: number; site?: number; step?: number }): { o: T; lse: T }
  /** q (Nq H D) float · k (Nk H D) float · v (Nk H D) float · cuSeqlensQ (B+1) int32 · cuSeqlensK (B+1) int32 · positionsQ (Nq) int32 · positionsK (Nk) int32 · biasTable (numBuckets H) float · biasDense (batch H Tq Tk) float · o (Nq H D) float · lse (H Nq) float32 · dO (Nq H D) float */
  attentionBwd(q: T, k: T, v: T, cuSeqlensQ: T, cuSeqlensK: T, positionsQ: T | null, positionsK: T | null, biasTable: T | null, biasDense: T | null, o: T, lse: T, dO: T, attrs?: { scale?: number; causal?: boolean; bidirectional?: boolean; maxDistance?: number; dropoutP?: number; seed?: number; site?: number; step?: number; wantTable?: boolean; wantDense?: boolean }): { dQ: T; dK: T; dV: T; dBiasTable: T | null; dBiasDense: T | null }
  /** cacheK (S H L D) float32, updated in place · cacheV (S H L D) float32, updated in place · k (N H D) float · v (N H D) float · cuSeqlens (n+1) int32 · slots (n) int32 · lengths (n) int32 */
  kvCacheAppend(cacheK: T, cacheV: T, k: T, v: T, cuSeqlens: T, slots: T, lengths: T): void
  /** q (N H D) float · cacheK (S H L D) float32 · cacheV (S H L D) float32 · cuSeqlens (n+1) int32 · slots (n) int32 · lengths (n) int32 · slotTable (S L) int32 · biasTable (numBuckets H) float */
  attentionDecode(q: T, cacheK: T, cacheV: T, cuSeqlens: T, slots: T, lengths: T, slotTable: T | null, biasTable: T | null, attrs?: { scale?: number; causal?: boolean; bidirectional?: boolean; maxDistance?: number }): T
  /** a (*) float · b (*) float */
  binary(a: T, b: T, attrs: { op: 'add' | 'sub' | 'mul' | 'div' }): T
  /** x (*) float */
  affine(x: T, attrs?: { scale?: number; shift?: number }): T
  /** x (*) any, updated in place */
  fill(x: T, attrs: { value: number }): void
  /** x (*) float32, updated in place · y (*) float */
  accumulate(x: T, y: T): void
  /** x (*) float32, updated in place · factor () float */
  scale(x: T, factor: T): void
  /** x (*) any */
  cast(x: T, attrs: { dtype: 'float32' | 'float16' | 'bfloat16' | 'int32' | 'uint8' | 'int8' }): T
  /** x (*) float */
  reduce(x: T, attrs: { kind: 'sum' | 'mean' | 'max'; axes: number; keepDims?: boolean }): T
  /** x (...) float · y (*) float · dY (*) float */
  maxBwd(x: T, y: T, dY: T, attrs: { axes: number }): T
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
  /** x (R K) float · weight (V K) float · codes (V K) any · scales (V) float32 · bounds (V) float32 · banned (B) int32 */
  linearArgmax(x: T, weight: T, codes: T, scales: T, bounds: T, banned: T | null): T
  /** weight (V K) float */
  screenWeight(weight: T): { codes: T; scales: T; bounds: T }
  /** x (R K) float32 · b (K N) float32 · residual (R N) float32 */
  sparseLinear(x: T, b: T, residual: T | null): T
  /** logits (N V) float · labels (N) int32 · weights (N) float */
  crossEntropyFwd(logits: T, labels: T, weights: T | null, attrs?: { ignoreIndex?: number; labelSmoothing?: number; smoothing?: 'uniform' | 't5x'; zLoss?: number; reduction?: 'mean' | 'sum' | 'none' | 'weighted' }): { loss: T; lse: T; scale: T }
  /** logits (N V) float · labels (N) int32 · weights (N) float · lse (N 2) float32 · scale () float32 · dLoss (*) float32 */
  crossEntropyBwd(logits: T, labels: T, weights: T | null, lse: T, scale: T, dLoss: T, attrs?: { ignoreIndex?: number; labelSmoothing?: number; smoothing?: 'uniform' | 't5x'; zLoss?: number; reduction?: 'mean' | 'sum' | 'none' | 'weighted' }): T
  /** x (N K) float · weight (V K) float · bias (V) float · labels (N) int32 · weights (N) float · dLoss (N) float32 */
  linearCrossEntropy(x: T, weight: T, bias: T | null, labels: T, weights: T | null, dLoss: T | null, attrs?: { ignoreIndex?: number; labelSmoothing?: number; smoothing?: 'uniform' | 't5x'; zLoss?: number; reduction?: 'mean' | 'sum' | 'none' | 'weighted'; gradX?: boolean; gradWeight?: boolean; gradBias?: boolean }): { loss: T; dX: T | null; dWeight: T | null; dBias: T | null }
  /** logits (...) float · targets (...) float · mask (...) uint8 */
  bceWithLogits(logits: T, targets: T, mask: T | null, attrs?: { reduction?: 'mean' | 'sum' | 'none'; gradient?: boolean }): { loss: T; dLogits: T | null }
  /** logits (N) float · isReplaced (N) uint8 · mask (N) uint8 */
  rtdLoss(logits: T, isReplaced: T, mask: T | null, attrs?: { gradient?: boolean }): { loss: T; dLogits: T | null }
  /** logits (M V) float · originalIds (N) int32 · maskedPositions (M) int32 */
  replaceTokens(logits: T, originalIds: T, maskedPositions: T, attrs: { temperature?: number; disallowCorrect?: boolean; seed: number; site?: number; step?: number }): { corruptedIds: T; isReplaced: T; sampledIds: T }
  /** x (M K) float · weight (V K) float · bias (V) float · originalIds (N) int32 · maskedPositions (M) int32 · weights (M) float */
  generatorObjective(x: T, weight: T, bias: T | null, originalIds: T, maskedPositions: T, weights: T | null, attrs: { temperature?: number; disallowCorrect?: boolean; seed: number; site?: number; step?: number; gradX?: boolean; gradWeight?: boolean; gradBias?: boolean }): { loss: T; corruptedIds: T; isReplaced: T; sampledIds: T; dX: T | null; dWeight: T | null; dBias: T | null }
  /** params (*) float32, updated in place · grads (*) float32 · velocities (*) float32, updated in place · shadows (*) any, updated in place · norm () float32 · skipped () int32, updated in place */
  sgd(params: readonly T[], grads: readonly T[], velocities: readonly T[], shadows: readonly T[], norm: T | null, skipped: T | null, attrs: { lr: number; step: number; weightDecay?: number; momentum?: number; nesterov?: boolean; countSkip?: boolean }): void
  /** params (*) float32, updated in place · grads (*) float32 · sums (*) float32, updated in place · shadows (*) any, updated in place · norm () float32 · skipped () int32, updated in place */
  adagrad(params: readonly T[], grads: readonly T[], sums: readonly T[], shadows: readonly T[], norm: T | null, skipped: T | null, attrs: { lr: number; step: number; weightDecay?: number; lrDecay?: number; eps?: number; countSkip?: boolean }): void
  /** params (*) float32, updated in place · grads (*) float32 · means (*) float32, updated in place · squares (*) float32, updated in place · shadows (*) any, updated in place · norm () float32 · skipped () int32, updated in place */
  adamw(params: readonly T[], grads: readonly T[], means: readonly T[], squares: readonly T[], shadows: readonly T[], norm: T | null, skipped: T | null, attrs: { lr: number; step: number; weightDecay?: number; beta1?: number; beta2?: number; eps?: number; biasCorrection?: boolean; rmsScale?: boolean; countSkip?: boolean }): void
  /** params (*) float32, updated in place · grads (*) float32 · rows (*) float32, updated in place · columns (*) float32, updated in place · squares (*) float32, updated in place · means (*) float32, updated in place · shadows (*) any, updated in place · norm () float32 · skipped () int32, updated in place */
  adafactor(params: readonly T[], grads: readonly T[], rows: readonly T[], columns: readonly T[], squares: readonly T[], means: readonly T[], shadows: readonly T[], norm: T | null, skipped: T | null, attrs: { lr: number; step: number; weightDecay?: number; factoring?: 'lastTwo' | 'largestTwo'; minDimSizeToFactor?: number; relativeStep?: boolean; warmupInit?: boolean; scaleParameter?: boolean; decayRate?: number; eps1?: number; eps2?: number; clipThreshold?: number; beta1?: number; countSkip?: boolean }): void
  /** grads (*) float32 */
  globalNorm(grads: readonly T[]): T
  /** grads (*) float32, updated in place · norm () float32 */
  clipByGlobalNorm(grads: readonly T[], norm: T, attrs: { maxNorm: number; style?: 'torch' | 'tf' }): void
  /** x (... D) float · residual (... D) float · weight (D) float */
  rmsNorm(x: T, residual: T | null, weight: T, attrs: { eps: number; dropoutP?: number; seed?: number; site?: number; step?: number }): { y: T; h: T | null; rstd: T }
  /** h (... D) float · weight (D) float · rstd (...) float32 · dY (... D) float · dHOut (... D) float */
  rmsNormBwd(h: T, weight: T, rstd: T, dY: T, dHOut: T | null, attrs?: { dropoutP?: number; seed?: number; site?: number; step?: number }): { dH: T; dX: T | null; dWeight: T }
  /** x (... D) float · residual (... D) float · weight (D) float · bias (D) float */
  layerNorm(x: T, residual: T | null, weight: T, bias: T, attrs: { eps: number; dropoutP?: number; seed?: number; site?: number; step?: number }): { y: T; h: T | null; mean: T; rstd: T }
  /** h (... D) float · weight (D) float · mean (...) float32 · rstd (...) float32 · dY (... D) float · dHOut (... D) float */
  layerNormBwd(h: T, weight: T, mean: T, rstd: T, dY: T, dHOut: T | null, attrs?: { dropoutP?: number; seed?: number; site?: number; step?: number }): { dH: T; dX: T | null; dWeight: T; dBias: T }
  /** x (... V) float */
  softmax(x: T, attrs?: { log?: boolean }): T
  /** y (... V) float · dY (... V) float */
  softmaxBwd(y: T, dY: T, attrs?: { log?: boolean }): T
  /** tables (*) any · ids (*) int32 */
  embedding(tables: readonly T[], ids: readonly T[]): T
  /** x (*) any · ids (*) int32 */
  gatherRows(x: T, ids: T): T
  /** x (*) float · ids (*) int32 */
  scatterRows(x: T, ids: T, attrs: { rows: number; skip?: number }): T
  /** x (*) any */
  concat(x: readonly T[], attrs: { axis: number }): T
  /** logits (R V) float */
  argmax(logits: T): T
  /** logits (R V) float */
  topK(logits: T, attrs: { k: number }): { values: T; ids: T }
  /** logits (R V) float · streams (R) int32 */
  sampleCategorical(logits: T, streams: T | null, attrs: { seed: number; site?: number; step?: number }): T
  /** logits (R V) float · beamScores (B b) float32 */
  beamCandidates(logits: T, beamScores: T, attrs: { k: number }): { scores: T; parents: T; tokens: T }
  /** logits (R V) float · beamScores (B b) float32 · streams (B) int32 */
  sampleCandidates(logits: T, beamScores: T, streams: T | null, attrs: { k: number; seed: number; site?: number; step?: number }): { scores: T; parents: T; tokens: T }
  /** logits (R V) float */
  warpLogits(logits: T, attrs: { rule: 'temperature' | 'topK' | 'topP' | 'minP' | 'typical' | 'epsilon' | 'eta' | 'topH'; value: number; minTokensToKeep?: number }): T
  /** logits (R V) float · ids (R L) int32 · lengths (R) int32 */
  penalizeRepetition(logits: T, ids: T, lengths: T | null, attrs: { penalty: number }): T
  /** logits (R V) float · ids (R L) int32 · lengths (R) int32 · sources (R S) int32 · sourceLengths (R) int32 */
  banRepeatedNgrams(logits: T, ids: T, lengths: T | null, sources: T | null, sourceLengths: T | null, attrs: { n: number }): T
  /** logits (R V) float · tokens (K) int32 */
  banTokens(logits: T, tokens: T): T
  /** logits (R V) float · rows (K) int32 · tokens (K) int32 · bias (K) float32 */
  biasTokens(logits: T, rows: T, tokens: T, bias: T): T
  /** logits (R V) float · rows (K) int32 · tokens (K) int32 */
  allowTokens(logits: T, rows: T, tokens: T, attrs?: { group?: number }): T
  /** logits (R V) float · rows (K) int32 · tokens (K) int32 */
  forceTokens(logits: T, rows: T, tokens: T): T
  /** logits (R V) float · rows (K) int32 · tokens (K) int32 · factors (K) float32 */
  boostTokens(logits: T, rows: T, tokens: T, factors: T): T
  /** logits (R V) float */
  replaceNonFinite(logits: T): T
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
  {"name":"attentionFwd","inputs":[{"name":"q","dims":"Nq H D","kind":"float"},{"name":"k","dims":"Nk H D","kind":"float"},{"name":"v","dims":"Nk H D","kind":"float"},{"name":"cuSeqlensQ","dims":"B+1","kind":"int32"},{"name":"cuSeqlensK","dims":"B+1","kind":"int32"},{"name":"positionsQ","dims":"Nq","kind":"int32","optional":true},{"name":"positionsK","dims":"Nk","kind":"int32","optional":true},{"name":"biasTable","dims":"numBuckets H","kind":"float","optional":true},{"name":"biasDense","dims":"batch H Tq Tk","kind":"float","optional":true}],"attrs":[{"name":"scale","type":"float","fallback":1},{"name":"causal","type":"bool","fallback":0},{"name":"bidirectional","type":"bool","fallback":1},{"name":"maxDistance","type":"int","fallback":128},{"name":"dropoutP","type":"float","fallback":0},{"name":"seed","type":"int","fallback":0},{"name":"site","type":"int","fallback":0},{"name":"step","type":"int","fallback":0}],"outputs":[{"name":"o"},{"name":"lse"}],"cpu":true,"cuda":true},
  {"name":"attentionBwd","inputs":[{"name":"q","dims":"Nq H D","kind":"float"},{"name":"k","dims":"Nk H D","kind":"float"},{"name":"v","dims":"Nk H D","kind":"float"},{"name":"cuSeqlensQ","dims":"B+1","kind":"int32"},{"name":"cuSeqlensK","dims":"B+1","kind":"int32"},{"name":"positionsQ","dims":"Nq","kind":"int32","optional":true},{"name":"positionsK","dims":"Nk","kind":"int32","optional":true},{"name":"biasTable","dims":"numBuckets H","kind":"float","optional":true},{"name":"biasDense","dims":"batch H Tq Tk","kind":"float","optional":true},{"name":"o","dims":"Nq H D","kind":"float"},{"name":"lse","dims":"H Nq","kind":"float32"},{"name":"dO","dims":"Nq H D","kind":"float"}],"attrs":[{"name":"scale","type":"float","fallback":1},{"name":"causal","type":"bool","fallback":0},{"name":"bidirectional","type":"bool","fallback":1},{"name":"maxDistance","type":"int","fallback":128},{"name":"dropoutP","type":"float","fallback":0},{"name":"seed","type":"int","fallback":0},{"name":"site","type":"int","fallback":0},{"name":"step","type":"int","fallback":0},{"name":"wantTable","type":"bool","fallback":0},{"name":"wantDense","type":"bool","fallback":0}],"outputs":[{"name":"dQ"},{"name":"dK"},{"name":"dV"},{"name":"dBiasTable","optional":true},{"name":"dBiasDense","optional":true}],"cpu":true,"cuda":true},
  {"name":"kvCacheAppend","inputs":[{"name":"cacheK","dims":"S H L D","kind":"float32","mutated":true},{"name":"cacheV","dims":"S H L D","kind":"float32","mutated":true},{"name":"k","dims":"N H D","kind":"float"},{"name":"v","dims":"N H D","kind":"float"},{"name":"cuSeqlens","dims":"n+1","kind":"int32"},{"name":"slots","dims":"n","kind":"int32"},{"name":"lengths","dims":"n","kind":"int32"}],"attrs":[],"outputs":[],"cpu":true,"cuda":true},
  {"name":"attentionDecode","inputs":[{"name":"q","dims":"N H D","kind":"float"},{"name":"cacheK","dims":"S H L D","kind":"float32"},{"name":"cacheV","dims":"S H L D","kind":"float32"},{"name":"cuSeqlens","dims":"n+1","kind":"int32"},{"name":"slots","dims":"n","kind":"int32"},{"name":"lengths","dims":"n","kind":"int32"},{"name":"slotTable","dims":"S L","kind":"int32","optional":true},{"name":"biasTable","dims":"numBuckets H","kind":"float","optional":true}],"attrs":[{"name":"scale","type":"float","fallback":1},{"name":"causal","type":"bool","fallback":0},{"name":"bidirectional","type":"bool","fallback":1},{"name":"maxDistance","type":"int","fallback":128}],"outputs":[{"name":"o"}],"cpu":true,"cuda":true},
  {"name":"binary","inputs":[{"name":"a","dims":"*","kind":"float"},{"name":"b","dims":"*","kind":"float"}],"attrs":[{"name":"op","type":"enum","choices":["add","sub","mul","div"]}],"outputs":[{"name":"y"}],"cpu":true,"cuda":true},
  {"name":"affine","inputs":[{"name":"x","dims":"*","kind":"float"}],"attrs":[{"name":"scale","type":"float","fallback":1},{"name":"shift","type":"float","fallback":0}],"outputs":[{"name":"y"}],"cpu":true,"cuda":true},
  {"name":"fill","inputs":[{"name":"x","dims":"*","kind":"any","mutated":true}],"attrs":[{"name":"value","type":"float"}],"outputs":[],"cpu":true,"cuda":true},
  {"name":"accumulate","inputs":[{"name":"x","dims":"*","kind":"float32","mutated":true},{"name":"y","dims":"*","kind":"float"}],"attrs":[],"outputs":[],"cpu":true,"cuda":true},
  {"name":"scale","inputs":[{"name":"x","dims":"*","kind":"float32","mutated":true},{"name":"factor","dims":"","kind":"float"}],"attrs":[],"outputs":[],"cpu":true,"cuda":true},
  {"name":"cast","inputs":[{"name":"x","dims":"*","kind":"any"}],"attrs":[{"name":"dtype","type":"enum","choices":["float32","float16","bfloat16","int32","uint8","int8"]}],"outputs":[{"name":"y"}],"cpu":true,"cuda":true},
  {"name":"reduce","inputs":[{"name":"x","dims":"*","kind":"float"}],"attrs":[{"name":"kind","type":"enum","choices":["sum","mean","max"]},{"name":"axes","type":"int"},{"name":"keepDims","type":"bool","fallback":0}],"outputs":[{"name":"y"}],"cpu":true,"cuda":true},
  {"name":"maxBwd","inputs":[{"name":"x","dims":"...","kind":"float"},{"name":"y","dims":"*","kind":"float"},{"name":"dY","dims":"*","kind":"float"}],"attrs":[{"name":"axes","type":"int"}],"outputs":[{"name":"dX"}],"cpu":true,"cuda":true},
  {"name":"unary","inputs":[{"name":"x","dims":"...","kind":"float"}],"attrs":[{"name":"kind","type":"enum","choices":["neg","abs","square","sqrt","rsqrt","exp","log","tanh","sigmoid","relu","geluErf","geluTanh","silu"]}],"outputs":[{"name":"y"}],"cpu":true,"cuda":true},
  {"name":"unaryBwd","inputs":[{"name":"at","dims":"...","kind":"float"},{"name":"dY","dims":"...","kind":"float"}],"attrs":[{"name":"kind","type":"enum","choices":["neg","abs","square","sqrt","rsqrt","exp","log","tanh","sigmoid","relu","geluErf","geluTanh","silu"]}],"outputs":[{"name":"dX"}],"cpu":true,"cuda":true},
  {"name":"gated","inputs":[{"name":"gate","dims":"...","kind":"float"},{"name":"linear","dims":"...","kind":"float"}],"attrs":[{"name":"kind","type":"enum","choices":["relu","geluErf","geluTanh","silu"]}],"outputs":[{"name":"y"}],"cpu":true,"cuda":true},
  {"name":"gatedBwd","inputs":[{"name":"gate","dims":"...","kind":"float"},{"name":"linear","dims":"...","kind":"float"},{"name":"dY","dims":"...","kind":"float"}],"attrs":[{"name":"kind","type":"enum","choices":["relu","geluErf","geluTanh","silu"]}],"outputs":[{"name":"dGate"},{"name":"dLinear"}],"cpu":true,"cuda":true},
  {"name":"dropout","inputs":[{"name":"x","dims":"*","kind":"float"}],"attrs":[{"name":"dropoutP","type":"float","fallback":0},{"name":"seed","type":"int","fallback":0},{"name":"site","type":"int","fallback":0},{"name":"step","type":"int","fallback":0}],"outputs":[{"name":"y"}],"cpu":true,"cuda":true},
  {"name":"gemm","inputs":[{"name":"a","dims":"... M K","kind":"float"},{"name":"b","dims":"*","kind":"float","optional":true},{"name":"packedB","dims":"P","kind":"float32","optional":true},{"name":"c","dims":"*","kind":"float","optional":true},{"name":"bias","dims":"*","kind":"float","optional":true},{"name":"gate","dims":"*","kind":"float","optional":true},{"name":"residual","dims":"*","kind":"float","optional":true}],"attrs":[{"name":"alpha","type":"float","fallback":1},{"name":"beta","type":"float","fallback":1},{"name":"n","type":"int","fallback":0},{"name":"saveZ","type":"bool","fallback":0},{"name":"act","type":"enum","fallback":0,"choices":["none","relu","geluErf","geluTanh","silu"]},{"name":"dropoutP","type":"float","fallback":0},{"name":"seed","type":"int","fallback":0},{"name":"site","type":"int","fallback":0},{"name":"step","type":"int","fallback":0}],"outputs":[{"name":"y"},{"name":"z","optional":true}],"cpu":true,"cuda":true},
  {"name":"gemmPack","inputs":[{"name":"b","dims":"K N","kind":"float"}],"attrs":[],"outputs":[{"name":"packedB"}],"cpu":true,"cuda":true},
  {"name":"gemmEpilogueBwd","inputs":[{"name":"dy","dims":"... N","kind":"float"},{"name":"z","dims":"*","kind":"float","optional":true},{"name":"gate","dims":"*","kind":"float","optional":true}],"attrs":[{"name":"biasGrad","type":"bool","fallback":0},{"name":"act","type":"enum","fallback":0,"choices":["none","relu","geluErf","geluTanh","silu"]},{"name":"dropoutP","type":"float","fallback":0},{"name":"seed","type":"int","fallback":0},{"name":"site","type":"int","fallback":0},{"name":"step","type":"int","fallback":0}],"outputs":[{"name":"dz","optional":true},{"name":"dGate","optional":true},{"name":"dBias","optional":true}],"cpu":true,"cuda":true},
  {"name":"linearArgmax","inputs":[{"name":"x","dims":"R K","kind":"float"},{"name":"weight","dims":"V K","kind":"float"},{"name":"codes","dims":"V K","kind":"any"},{"name":"scales","dims":"V","kind":"float32"},{"name":"bounds","dims":"V","kind":"float32"},{"name":"banned","dims":"B","kind":"int32","optional":true}],"attrs":[],"outputs":[{"name":"ids"}],"cpu":true,"cuda":false},
  {"name":"screenWeight","inputs":[{"name":"weight","dims":"V K","kind":"float"}],"attrs":[],"outputs":[{"name":"codes"},{"name":"scales"},{"name":"bounds"}],"cpu":true,"cuda":false},
  {"name":"sparseLinear","inputs":[{"name":"x","dims":"R K","kind":"float32"},{"name":"b","dims":"K N","kind":"float32"},{"name":"residual","dims":"R N","kind":"float32","optional":true}],"attrs":[],"outputs":[{"name":"y"}],"cpu":true,"cuda":false},
  {"name":"crossEntropyFwd","inputs":[{"name":"logits","dims":"N V","kind":"float"},{"name":"labels","dims":"N","kind":"int32"},{"name":"weights","dims":"N","kind":"float","optional":true}],"attrs":[{"name":"ignoreIndex","type":"int","fallback":-100},{"name":"labelSmoothing","type":"float","fallback":0},{"name":"smoothing","type":"enum","fallback":0,"choices":["uniform","t5x"]},{"name":"zLoss","type":"float","fallback":0},{"name":"reduction","type":"enum","fallback":0,"choices":["mean","sum","none","weighted"]}],"outputs":[{"name":"loss"},{"name":"lse"},{"name":"scale"}],"cpu":true,"cuda":true},
  {"name":"crossEntropyBwd","inputs":[{"name":"logits","dims":"N V","kind":"float"},{"name":"labels","dims":"N","kind":"int32"},{"name":"weights","dims":"N","kind":"float","optional":true},{"name":"lse","dims":"N 2","kind":"float32"},{"name":"scale","dims":"","kind":"float32"},{"name":"dLoss","dims":"*","kind":"float32"}],"attrs":[{"name":"ignoreIndex","type":"int","fallback":-100},{"name":"labelSmoothing","type":"float","fallback":0},{"name":"smoothing","type":"enum","fallback":0,"choices":["uniform","t5x"]},{"name":"zLoss","type":"float","fallback":0},{"name":"reduction","type":"enum","fallback":0,"choices":["mean","sum","none","weighted"]}],"outputs":[{"name":"dLogits"}],"cpu":true,"cuda":true},
  {"name":"linearCrossEntropy","inputs":[{"name":"x","dims":"N K","kind":"float"},{"name":"weight","dims":"V K","kind":"float"},{"name":"bias","dims":"V","kind":"float","optional":true},{"name":"labels","dims":"N","kind":"int32"},{"name":"weights","dims":"N","kind":"float","optional":true},{"name":"dLoss","dims":"N","kind":"float32","optional":true}],"attrs":[{"name":"ignoreIndex","type":"int","fallback":-100},{"name":"labelSmoothing","type":"float","fallback":0},{"name":"smoothing","type":"enum","fallback":0,"choices":["uniform","t5x"]},{"name":"zLoss","type":"float","fallback":0},{"name":"reduction","type":"enum","fallback":0,"choices":["mean","sum","none","weighted"]},{"name":"gradX","type":"bool","fallback":0},{"name":"gradWeight","type":"bool","fallback":0},{"name":"gradBias","type":"bool","fallback":0}],"outputs":[{"name":"loss"},{"name":"dX","optional":true},{"name":"dWeight","optional":true},{"name":"dBias","optional":true}],"cpu":true,"cuda":true},
  {"name":"bceWithLogits","inputs":[{"name":"logits","dims":"...","kind":"float"},{"name":"targets","dims":"...","kind":"float"},{"name":"mask","dims":"...","kind":"uint8","optional":true}],"attrs":[{"name":"reduction","type":"enum","fallback":0,"choices":["mean","sum","none"]},{"name":"gradient","type":"bool","fallback":0}],"outputs":[{"name":"loss"},{"name":"dLogits","optional":true}],"cpu":true,"cuda":true},
  {"name":"rtdLoss","inputs":[{"name":"logits","dims":"N","kind":"float"},{"name":"isReplaced","dims":"N","kind":"uint8"},{"name":"mask","dims":"N","kind":"uint8","optional":true}],"attrs":[{"name":"gradient","type":"bool","fallback":0}],"outputs":[{"name":"loss"},{"name":"dLogits","optional":true}],"cpu":true,"cuda":true},
  {"name":"replaceTokens","inputs":[{"name":"logits","dims":"M V","kind":"float"},{"name":"originalIds","dims":"N","kind":"int32"},{"name":"maskedPositions","dims":"M","kind":"int32"}],"attrs":[{"name":"temperature","type":"float","fallback":1},{"name":"disallowCorrect","type":"bool","fallback":0},{"name":"seed","type":"int"},{"name":"site","type":"int","fallback":0},{"name":"step","type":"int","fallback":0}],"outputs":[{"name":"corruptedIds"},{"name":"isReplaced"},{"name":"sampledIds"}],"cpu":true,"cuda":true},
  {"name":"generatorObjective","inputs":[{"name":"x","dims":"M K","kind":"float"},{"name":"weight","dims":"V K","kind":"float"},{"name":"bias","dims":"V","kind":"float","optional":true},{"name":"originalIds","dims":"N","kind":"int32"},{"name":"maskedPositions","dims":"M","kind":"int32"},{"name":"weights","dims":"M","kind":"float","optional":true}],"attrs":[{"name":"temperature","type":"float","fallback":1},{"name":"disallowCorrect","type":"bool","fallback":0},{"name":"seed","type":"int"},{"name":"site","type":"int","fallback":0},{"name":"step","type":"int","fallback":0},{"name":"gradX","type":"bool","fallback":0},{"name":"gradWeight","type":"bool","fallback":0},{"name":"gradBias","type":"bool","fallback":0}],"outputs":[{"name":"loss"},{"name":"corruptedIds"},{"name":"isReplaced"},{"name":"sampledIds"},{"name":"dX","optional":true},{"name":"dWeight","optional":true},{"name":"dBias","optional":true}],"cpu":true,"cuda":true},
  {"name":"sgd","inputs":[{"name":"params","dims":"*","kind":"float32","list":true,"mutated":true},{"name":"grads","dims":"*","kind":"float32","list":true},{"name":"velocities","dims":"*","kind":"float32","list":true,"mutated":true},{"name":"shadows","dims":"*","kind":"any","list":true,"mutated":true},{"name":"norm","dims":"","kind":"float32","optional":true},{"name":"skipped","dims":"","kind":"int32","optional":true,"mutated":true}],"attrs":[{"name":"lr","type":"float"},{"name":"step","type":"int"},{"name":"weightDecay","type":"float","fallback":0},{"name":"momentum","type":"float","fallback":0},{"name":"nesterov","type":"bool","fallback":0},{"name":"countSkip","type":"bool","fallback":1}],"outputs":[],"cpu":true,"cuda":true},
  {"name":"adagrad","inputs":[{"name":"params","dims":"*","kind":"float32","list":true,"mutated":true},{"name":"grads","dims":"*","kind":"float32","list":true},{"name":"sums","dims":"*","kind":"float32","list":true,"mutated":true},{"name":"shadows","dims":"*","kind":"any","list":true,"mutated":true},{"name":"norm","dims":"","kind":"float32","optional":true},{"name":"skipped","dims":"","kind":"int32","optional":true,"mutated":true}],"attrs":[{"name":"lr","type":"float"},{"name":"step","type":"int"},{"name":"weightDecay","type":"float","fallback":0},{"name":"lrDecay","type":"float","fallback":0},{"name":"eps","type":"float","fallback":1e-10},{"name":"countSkip","type":"bool","fallback":1}],"outputs":[],"cpu":true,"cuda":true},
  {"name":"adamw","inputs":[{"name":"params","dims":"*","kind":"float32","list":true,"mutated":true},{"name":"grads","dims":"*","kind":"float32","list":true},{"name":"means","dims":"*","kind":"float32","list":true,"mutated":true},{"name":"squares","dims":"*","kind":"float32","list":true,"mutated":true},{"name":"shadows","dims":"*","kind":"any","list":true,"mutated":true},{"name":"norm","dims":"","kind":"float32","optional":true},{"name":"skipped","dims":"","kind":"int32","optional":true,"mutated":true}],"attrs":[{"name":"lr","type":"float"},{"name":"step","type":"int"},{"name":"weightDecay","type":"float","fallback":0},{"name":"beta1","type":"float","fallback":0.9},{"name":"beta2","type":"float","fallback":0.999},{"name":"eps","type":"float","fallback":1e-8},{"name":"biasCorrection","type":"bool","fallback":1},{"name":"rmsScale","type":"bool","fallback":0},{"name":"countSkip","type":"bool","fallback":1}],"outputs":[],"cpu":true,"cuda":true},
  {"name":"adafactor","inputs":[{"name":"params","dims":"*","kind":"float32","list":true,"mutated":true},{"name":"grads","dims":"*","kind":"float32","list":true},{"name":"rows","dims":"*","kind":"float32","list":true,"mutated":true},{"name":"columns","dims":"*","kind":"float32","list":true,"mutated":true},{"name":"squares","dims":"*","kind":"float32","list":true,"mutated":true},{"name":"means","dims":"*","kind":"float32","list":true,"mutated":true},{"name":"shadows","dims":"*","kind":"any","list":true,"mutated":true},{"name":"norm","dims":"","kind":"float32","optional":true},{"name":"skipped","dims":"","kind":"int32","optional":true,"mutated":true}],"attrs":[{"name":"lr","type":"float"},{"name":"step","type":"int"},{"name":"weightDecay","type":"float","fallback":0},{"name":"factoring","type":"enum","fallback":0,"choices":["lastTwo","largestTwo"]},{"name":"minDimSizeToFactor","type":"int","fallback":0},{"name":"relativeStep","type":"bool","fallback":0},{"name":"warmupInit","type":"bool","fallback":0},{"name":"scaleParameter","type":"bool","fallback":1},{"name":"decayRate","type":"float","fallback":-0.8},{"name":"eps1","type":"float","fallback":1e-30},{"name":"eps2","type":"float","fallback":0.001},{"name":"clipThreshold","type":"float","fallback":1},{"name":"beta1","type":"float","fallback":0},{"name":"countSkip","type":"bool","fallback":1}],"outputs":[],"cpu":true,"cuda":true},
  {"name":"globalNorm","inputs":[{"name":"grads","dims":"*","kind":"float32","list":true}],"attrs":[],"outputs":[{"name":"norm"}],"cpu":true,"cuda":true},
  {"name":"clipByGlobalNorm","inputs":[{"name":"grads","dims":"*","kind":"float32","list":true,"mutated":true},{"name":"norm","dims":"","kind":"float32"}],"attrs":[{"name":"maxNorm","type":"float"},{"name":"style","type":"enum","fallback":0,"choices":["torch","tf"]}],"outputs":[],"cpu":true,"cuda":true},
  {"name":"rmsNorm","inputs":[{"name":"x","dims":"... D","kind":"float"},{"name":"residual","dims":"... D","kind":"float","optional":true},{"name":"weight","dims":"D","kind":"float"}],"attrs":[{"name":"eps","type":"float"},{"name":"dropoutP","type":"float","fallback":0},{"name":"seed","type":"int","fallback":0},{"name":"site","type":"int","fallback":0},{"name":"step","type":"int","fallback":0}],"outputs":[{"name":"y"},{"name":"h","optional":true},{"name":"rstd"}],"cpu":true,"cuda":true},
  {"name":"rmsNormBwd","inputs":[{"name":"h","dims":"... D","kind":"float"},{"name":"weight","dims":"D","kind":"float"},{"name":"rstd","dims":"...","kind":"float32"},{"name":"dY","dims":"... D","kind":"float"},{"name":"dHOut","dims":"... D","kind":"float","optional":true}],"attrs":[{"name":"dropoutP","type":"float","fallback":0},{"name":"seed","type":"int","fallback":0},{"name":"site","type":"int","fallback":0},{"name":"step","type":"int","fallback":0}],"outputs":[{"name":"dH"},{"name":"dX","optional":true},{"name":"dWeight"}],"cpu":true,"cuda":true},
  {"name":"layerNorm","inputs":[{"name":"x","dims":"... D","kind":"float"},{"name":"residual","dims":"... D","kind":"float","optional":true},{"name":"weight","dims":"D","kind":"float"},{"name":"bias","dims":"D","kind":"float"}],"attrs":[{"name":"eps","type":"float"},{"name":"dropoutP","type":"float","fallback":0},{"name":"seed","type":"int","fallback":0},{"name":"site","type":"int","fallback":0},{"name":"step","type":"int","fallback":0}],"outputs":[{"name":"y"},{"name":"h","optional":true},{"name":"mean"},{"name":"rstd"}],"cpu":true,"cuda":true},
  {"name":"layerNormBwd","inputs":[{"name":"h","dims":"... D","kind":"float"},{"name":"weight","dims":"D","kind":"float"},{"name":"mean","dims":"...","kind":"float32"},{"name":"rstd","dims":"...","kind":"float32"},{"name":"dY","dims":"... D","kind":"float"},{"name":"dHOut","dims":"... D","kind":"float","optional":true}],"attrs":[{"name":"dropoutP","type":"float","fallback":0},{"name":"seed","type":"int","fallback":0},{"name":"site","type":"int","fallback":0},{"name":"step","type":"int","fallback":0}],"outputs":[{"name":"dH"},{"name":"dX","optional":true},{"name":"dWeight"},{"name":"dBias"}],"cpu":true,"cuda":true},
  {"name":"softmax","inputs":[{"name":"x","dims":"... V","kind":"float"}],"attrs":[{"name":"log","type":"bool","fallback":0}],"outputs":[{"name":"y"}],"cpu":true,"cuda":true},
  {"name":"softmaxBwd","inputs":[{"name":"y","dims":"... V","kind":"float"},{"name":"dY","dims":"... V","kind":"float"}],"attrs":[{"name":"log","type":"bool","fallback":0}],"outputs":[{"name":"dX"}],"cpu":true,"cuda":true},
  {"name":"embedding","inputs":[{"name":"tables","dims":"*","kind":"any","list":true},{"name":"ids","dims":"*","kind":"int32","list":true}],"attrs":[],"outputs":[{"name":"y"}],"cpu":true,"cuda":true},
  {"name":"gatherRows","inputs":[{"name":"x","dims":"*","kind":"any"},{"name":"ids","dims":"*","kind":"int32"}],"attrs":[],"outputs":[{"name":"y"}],"cpu":true,"cuda":true},
  {"name":"scatterRows","inputs":[{"name":"x","dims":"*","kind":"float"},{"name":"ids","dims":"*","kind":"int32"}],"attrs":[{"name":"rows","type":"int"},{"name":"skip","type":"int","fallback":-1}],"outputs":[{"name":"y"}],"cpu":true,"cuda":true},
  {"name":"concat","inputs":[{"name":"x","dims":"*","kind":"any","list":true}],"attrs":[{"name":"axis","type":"int"}],"outputs":[{"name":"y"}],"cpu":true,"cuda":true},
  {"name":"argmax","inputs":[{"name":"logits","dims":"R V","kind":"float"}],"attrs":[],"outputs":[{"name":"ids"}],"cpu":true,"cuda":true},
  {"name":"topK","inputs":[{"name":"logits","dims":"R V","kind":"float"}],"attrs":[{"name":"k","type":"int"}],"outputs":[{"name":"values"},{"name":"ids"}],"cpu":true,"cuda":true},
  {"name":"sampleCategorical","inputs":[{"name":"logits","dims":"R V","kind":"float"},{"name":"streams","dims":"R","kind":"int32","optional":true}],"attrs":[{"name":"seed","type":"int"},{"name":"site","type":"int","fallback":0},{"name":"step","type":"int","fallback":0}],"outputs":[{"name":"ids"}],"cpu":true,"cuda":true},
  {"name":"beamCandidates","inputs":[{"name":"logits","dims":"R V","kind":"float"},{"name":"beamScores","dims":"B b","kind":"float32"}],"attrs":[{"name":"k","type":"int"}],"outputs":[{"name":"scores"},{"name":"parents"},{"name":"tokens"}],"cpu":true,"cuda":true},
  {"name":"sampleCandidates","inputs":[{"name":"logits","dims":"R V","kind":"float"},{"name":"beamScores","dims":"B b","kind":"float32"},{"name":"streams","dims":"B","kind":"int32","optional":true}],"attrs":[{"name":"k","type":"int"},{"name":"seed","type":"int"},{"name":"site","type":"int","fallback":0},{"name":"step","type":"int","fallback":0}],"outputs":[{"name":"scores"},{"name":"parents"},{"name":"tokens"}],"cpu":true,"cuda":true},
  {"name":"warpLogits","inputs":[{"name":"logits","dims":"R V","kind":"float"}],"attrs":[{"name":"rule","type":"enum","choices":["temperature","topK","topP","minP","typical","epsilon","eta","topH"]},{"name":"value","type":"float"},{"name":"minTokensToKeep","type":"int","fallback":1}],"outputs":[{"name":"scores"}],"cpu":true,"cuda":true},
  {"name":"penalizeRepetition","inputs":[{"name":"logits","dims":"R V","kind":"float"},{"name":"ids","dims":"R L","kind":"int32"},{"name":"lengths","dims":"R","kind":"int32","optional":true}],"attrs":[{"name":"penalty","type":"float"}],"outputs":[{"name":"scores"}],"cpu":true,"cuda":true},
  {"name":"banRepeatedNgrams","inputs":[{"name":"logits","dims":"R V","kind":"float"},{"name":"ids","dims":"R L","kind":"int32"},{"name":"lengths","dims":"R","kind":"int32","optional":true},{"name":"sources","dims":"R S","kind":"int32","optional":true},{"name":"sourceLengths","dims":"R","kind":"int32","optional":true}],"attrs":[{"name":"n","type":"int"}],"outputs":[{"name":"scores"}],"cpu":true,"cuda":true},
  {"name":"banTokens","inputs":[{"name":"logits","dims":"R V","kind":"float"},{"name":"tokens","dims":"K","kind":"int32"}],"attrs":[],"outputs":[{"name":"scores"}],"cpu":true,"cuda":true},
  {"name":"biasTokens","inputs":[{"name":"logits","dims":"R V","kind":"float"},{"name":"rows","dims":"K","kind":"int32"},{"name":"tokens","dims":"K","kind":"int32"},{"name":"bias","dims":"K","kind":"float32"}],"attrs":[],"outputs":[{"name":"scores"}],"cpu":true,"cuda":true},
  {"name":"allowTokens","inputs":[{"name":"logits","dims":"R V","kind":"float"},{"name":"rows","dims":"K","kind":"int32"},{"name":"tokens","dims":"K","kind":"int32"}],"attrs":[{"name":"group","type":"int","fallback":1}],"outputs":[{"name":"scores"}],"cpu":true,"cuda":true},
  {"name":"forceTokens","inputs":[{"name":"logits","dims":"R V","kind":"float"},{"name":"rows","dims":"K","kind":"int32"},{"name":"tokens","dims":"K","kind":"int32"}],"attrs":[],"outputs":[{"name":"scores"}],"cpu":true,"cuda":true},
  {"name":"boostTokens","inputs":[{"name":"logits","dims":"R V","kind":"float"},{"name":"rows","dims":"K","kind":"int32"},{"name":"tokens","dims":"K","kind":"int32"},{"name":"factors","dims":"K","kind":"float32"}],"attrs":[],"outputs":[{"name":"scores"}],"cpu":true,"cuda":true},
  {"name":"replaceNonFinite","inputs":[{"name":"logits","dims":"R V","kind":"float"}],"attrs":[],"outputs":[{"name":"scores"}],"cpu":true,"cuda":true},
]
