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
  /** slotTable (S L) int32 · before (m) int32 · rows (n) int32 · slots (n) int32 · lengths (n) int32 */
  continueSlots(slotTable: T, before: T, rows: T, slots: T, lengths: T): T
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
  /** y (*) float32, updated in place · x (*) float · ids (*) int32 */
  addRows(y: T, x: T, ids: T, attrs?: { skip?: number }): void
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
  /** scores (B k) float32 · parents (B k) int32 · tokens (B k) int32 · ends (E) int32 */
  runningBeams(scores: T, parents: T, tokens: T, ends: T, attrs: { beams: number; demotion: number }): { beamScores: T; rows: T; running: T }
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
  {"name":"continueSlots","inputs":[{"name":"slotTable","dims":"S L","kind":"int32"},{"name":"before","dims":"m","kind":"int32"},{"name":"rows","dims":"n","kind":"int32"},{"name":"slots","dims":"n","kind":"int32"},{"name":"lengths","dims":"n","kind":"int32"}],"attrs":[],"outputs":[{"name":"y"}],"cpu":true,"cuda":true},
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
  {"name":"addRows","inputs":[{"name":"y","dims":"*","kind":"float32","mutated":true},{"name":"x","dims":"*","kind":"float"},{"name":"ids","dims":"*","kind":"int32"}],"attrs":[{"name":"skip","type":"int","fallback":-1}],"outputs":[],"cpu":true,"cuda":true},
  {"name":"concat","inputs":[{"name":"x","dims":"*","kind":"any","list":true}],"attrs":[{"name":"axis","type":"int"}],"outputs":[{"name":"y"}],"cpu":true,"cuda":true},
  {"name":"argmax","inputs":[{"name":"logits","dims":"R V","kind":"float"}],"attrs":[],"outputs":[{"name":"ids"}],"cpu":true,"cuda":true},
  {"name":"topK","inputs":[{"name":"logits","dims":"R V","kind":"float"}],"attrs":[{"name":"k","type":"int"}],"outputs":[{"name":"values"},{"name":"ids"}],"cpu":true,"cuda":true},
  {"name":"sampleCategorical","inputs":[{"name":"logits","dims":"R V","kind":"float"},{"name":"streams","dims":"R","kind":"int32","optional":true}],"attrs":[{"name":"seed","type":"int"},{"name":"site","type":"int","fallback":0},{"name":"step","type":"int","fallback":0}],"outputs":[{"name":"ids"}],"cpu":true,"cuda":true},
  {"name":"beamCandidates","inputs":[{"name":"logits","dims":"R V","kind":"float"},{"name":"beamScores","dims":"B b","kind":"float32"}],"attrs":[{"name":"k","type":"int"}],"outputs":[{"name":"scores"},{"name":"parents"},{"name":"tokens"}],"cpu":true,"cuda":true},
  {"name":"sampleCandidates","inputs":[{"name":"logits","dims":"R V","kind":"float"},{"name":"beamScores","dims":"B b","kind":"float32"},{"name":"streams","dims":"B","kind":"int32","optional":true}],"attrs":[{"name":"k","type":"int"},{"name":"seed","type":"int"},{"name":"site","type":"int","fallback":0},{"name":"step","type":"int","fallback":0}],"outputs":[{"name":"scores"},{"name":"parents"},{"name":"tokens"}],"cpu":true,"cuda":true},
  {"name":"runningBeams","inputs":[{"name":"scores","dims":"B k","kind":"float32"},{"name":"parents","dims":"B k","kind":"int32"},{"name":"tokens","dims":"B k","kind":"int32"},{"name":"ends","dims":"E","kind":"int32"}],"attrs":[{"name":"beams","type":"int"},{"name":"demotion","type":"float"}],"outputs":[{"name":"beamScores"},{"name":"rows"},{"name":"running"}],"cpu":true,"cuda":true},
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

/** How arguments get to the addon, each to its place, and results back, one after the other. */
export interface Binder<T> {
  tensor(op: string, name: string, value: T, at: number): void
  optional(op: string, name: string, value: T | null, at: number): void
  /** @returns the place behind the list. */
  list(op: string, name: string, values: readonly T[], at: number): number
  number(op: string, name: string, value: number | undefined, at: number, fallback: number | null): void
  flag(op: string, name: string, value: boolean | undefined, at: number, fallback: number | null): void
  choice(op: string, name: string, value: string | undefined, at: number, fallback: number | null, choices: readonly string[]): void
  enqueue(index: number): void
  output(): T | null
  updated(tensors: T | readonly T[] | null): void
}

const binaryOp = ['add', 'sub', 'mul', 'div']
const castDtype = ['float32', 'float16', 'bfloat16', 'int32', 'uint8', 'int8']
const reduceKind = ['sum', 'mean', 'max']
const unaryKind = ['neg', 'abs', 'square', 'sqrt', 'rsqrt', 'exp', 'log', 'tanh', 'sigmoid', 'relu', 'geluErf', 'geluTanh', 'silu']
const unaryBwdKind = ['neg', 'abs', 'square', 'sqrt', 'rsqrt', 'exp', 'log', 'tanh', 'sigmoid', 'relu', 'geluErf', 'geluTanh', 'silu']
const gatedKind = ['relu', 'geluErf', 'geluTanh', 'silu']
const gatedBwdKind = ['relu', 'geluErf', 'geluTanh', 'silu']
const gemmAct = ['none', 'relu', 'geluErf', 'geluTanh', 'silu']
const gemmEpilogueBwdAct = ['none', 'relu', 'geluErf', 'geluTanh', 'silu']
const crossEntropyFwdSmoothing = ['uniform', 't5x']
const crossEntropyFwdReduction = ['mean', 'sum', 'none', 'weighted']
const crossEntropyBwdSmoothing = ['uniform', 't5x']
const crossEntropyBwdReduction = ['mean', 'sum', 'none', 'weighted']
const linearCrossEntropySmoothing = ['uniform', 't5x']
const linearCrossEntropyReduction = ['mean', 'sum', 'none', 'weighted']
const bceWithLogitsReduction = ['mean', 'sum', 'none']
const adafactorFactoring = ['lastTwo', 'largestTwo']
const clipByGlobalNormStyle = ['torch', 'tf']
const warpLogitsRule = ['temperature', 'topK', 'topP', 'minP', 'typical', 'epsilon', 'eta', 'topH']

/** A function for each op, so that the engine compiles each for what it is called with. */
export function bindOps<T>({ tensor, optional, list, number, flag, choice, enqueue, output, updated }: Binder<T>): NativeOps<T> {
  return {
    attentionFwd(q, k, v, cuSeqlensQ, cuSeqlensK, positionsQ, positionsK, biasTable, biasDense, attrs) {
      tensor('attentionFwd', 'q', q, 0)
      tensor('attentionFwd', 'k', k, 1)
      tensor('attentionFwd', 'v', v, 2)
      tensor('attentionFwd', 'cuSeqlensQ', cuSeqlensQ, 3)
      tensor('attentionFwd', 'cuSeqlensK', cuSeqlensK, 4)
      optional('attentionFwd', 'positionsQ', positionsQ, 5)
      optional('attentionFwd', 'positionsK', positionsK, 6)
      optional('attentionFwd', 'biasTable', biasTable, 7)
      optional('attentionFwd', 'biasDense', biasDense, 8)
      number('attentionFwd', 'scale', attrs?.scale, 9, 1)
      flag('attentionFwd', 'causal', attrs?.causal, 10, 0)
      flag('attentionFwd', 'bidirectional', attrs?.bidirectional, 11, 1)
      number('attentionFwd', 'maxDistance', attrs?.maxDistance, 12, 128)
      number('attentionFwd', 'dropoutP', attrs?.dropoutP, 13, 0)
      number('attentionFwd', 'seed', attrs?.seed, 14, 0)
      number('attentionFwd', 'site', attrs?.site, 15, 0)
      number('attentionFwd', 'step', attrs?.step, 16, 0)
      enqueue(0)
      return { o: output() as T, lse: output() as T }
    },
    attentionBwd(q, k, v, cuSeqlensQ, cuSeqlensK, positionsQ, positionsK, biasTable, biasDense, o, lse, dO, attrs) {
      tensor('attentionBwd', 'q', q, 0)
      tensor('attentionBwd', 'k', k, 1)
      tensor('attentionBwd', 'v', v, 2)
      tensor('attentionBwd', 'cuSeqlensQ', cuSeqlensQ, 3)
      tensor('attentionBwd', 'cuSeqlensK', cuSeqlensK, 4)
      optional('attentionBwd', 'positionsQ', positionsQ, 5)
      optional('attentionBwd', 'positionsK', positionsK, 6)
      optional('attentionBwd', 'biasTable', biasTable, 7)
      optional('attentionBwd', 'biasDense', biasDense, 8)
      tensor('attentionBwd', 'o', o, 9)
      tensor('attentionBwd', 'lse', lse, 10)
      tensor('attentionBwd', 'dO', dO, 11)
      number('attentionBwd', 'scale', attrs?.scale, 12, 1)
      flag('attentionBwd', 'causal', attrs?.causal, 13, 0)
      flag('attentionBwd', 'bidirectional', attrs?.bidirectional, 14, 1)
      number('attentionBwd', 'maxDistance', attrs?.maxDistance, 15, 128)
      number('attentionBwd', 'dropoutP', attrs?.dropoutP, 16, 0)
      number('attentionBwd', 'seed', attrs?.seed, 17, 0)
      number('attentionBwd', 'site', attrs?.site, 18, 0)
      number('attentionBwd', 'step', attrs?.step, 19, 0)
      flag('attentionBwd', 'wantTable', attrs?.wantTable, 20, 0)
      flag('attentionBwd', 'wantDense', attrs?.wantDense, 21, 0)
      enqueue(1)
      return { dQ: output() as T, dK: output() as T, dV: output() as T, dBiasTable: output(), dBiasDense: output() }
    },
    kvCacheAppend(cacheK, cacheV, k, v, cuSeqlens, slots, lengths) {
      tensor('kvCacheAppend', 'cacheK', cacheK, 0)
      tensor('kvCacheAppend', 'cacheV', cacheV, 1)
      tensor('kvCacheAppend', 'k', k, 2)
      tensor('kvCacheAppend', 'v', v, 3)
      tensor('kvCacheAppend', 'cuSeqlens', cuSeqlens, 4)
      tensor('kvCacheAppend', 'slots', slots, 5)
      tensor('kvCacheAppend', 'lengths', lengths, 6)
      enqueue(2)
      updated(cacheK)
      updated(cacheV)
    },
    attentionDecode(q, cacheK, cacheV, cuSeqlens, slots, lengths, slotTable, biasTable, attrs) {
      tensor('attentionDecode', 'q', q, 0)
      tensor('attentionDecode', 'cacheK', cacheK, 1)
      tensor('attentionDecode', 'cacheV', cacheV, 2)
      tensor('attentionDecode', 'cuSeqlens', cuSeqlens, 3)
      tensor('attentionDecode', 'slots', slots, 4)
      tensor('attentionDecode', 'lengths', lengths, 5)
      optional('attentionDecode', 'slotTable', slotTable, 6)
      optional('attentionDecode', 'biasTable', biasTable, 7)
      number('attentionDecode', 'scale', attrs?.scale, 8, 1)
      flag('attentionDecode', 'causal', attrs?.causal, 9, 0)
      flag('attentionDecode', 'bidirectional', attrs?.bidirectional, 10, 1)
      number('attentionDecode', 'maxDistance', attrs?.maxDistance, 11, 128)
      enqueue(3)
      return output() as T
    },
    continueSlots(slotTable, before, rows, slots, lengths) {
      tensor('continueSlots', 'slotTable', slotTable, 0)
      tensor('continueSlots', 'before', before, 1)
      tensor('continueSlots', 'rows', rows, 2)
      tensor('continueSlots', 'slots', slots, 3)
      tensor('continueSlots', 'lengths', lengths, 4)
      enqueue(4)
      return output() as T
    },
    binary(a, b, attrs) {
      tensor('binary', 'a', a, 0)
      tensor('binary', 'b', b, 1)
      choice('binary', 'op', attrs.op, 2, null, binaryOp)
      enqueue(5)
      return output() as T
    },
    affine(x, attrs) {
      tensor('affine', 'x', x, 0)
      number('affine', 'scale', attrs?.scale, 1, 1)
      number('affine', 'shift', attrs?.shift, 2, 0)
      enqueue(6)
      return output() as T
    },
    fill(x, attrs) {
      tensor('fill', 'x', x, 0)
      number('fill', 'value', attrs.value, 1, null)
      enqueue(7)
      updated(x)
    },
    accumulate(x, y) {
      tensor('accumulate', 'x', x, 0)
      tensor('accumulate', 'y', y, 1)
      enqueue(8)
      updated(x)
    },
    scale(x, factor) {
      tensor('scale', 'x', x, 0)
      tensor('scale', 'factor', factor, 1)
      enqueue(9)
      updated(x)
    },
    cast(x, attrs) {
      tensor('cast', 'x', x, 0)
      choice('cast', 'dtype', attrs.dtype, 1, null, castDtype)
      enqueue(10)
      return output() as T
    },
    reduce(x, attrs) {
      tensor('reduce', 'x', x, 0)
      choice('reduce', 'kind', attrs.kind, 1, null, reduceKind)
      number('reduce', 'axes', attrs.axes, 2, null)
      flag('reduce', 'keepDims', attrs.keepDims, 3, 0)
      enqueue(11)
      return output() as T
    },
    maxBwd(x, y, dY, attrs) {
      tensor('maxBwd', 'x', x, 0)
      tensor('maxBwd', 'y', y, 1)
      tensor('maxBwd', 'dY', dY, 2)
      number('maxBwd', 'axes', attrs.axes, 3, null)
      enqueue(12)
      return output() as T
    },
    unary(x, attrs) {
      tensor('unary', 'x', x, 0)
      choice('unary', 'kind', attrs.kind, 1, null, unaryKind)
      enqueue(13)
      return output() as T
    },
    unaryBwd(at, dY, attrs) {
      tensor('unaryBwd', 'at', at, 0)
      tensor('unaryBwd', 'dY', dY, 1)
      choice('unaryBwd', 'kind', attrs.kind, 2, null, unaryBwdKind)
      enqueue(14)
      return output() as T
    },
    gated(gate, linear, attrs) {
      tensor('gated', 'gate', gate, 0)
      tensor('gated', 'linear', linear, 1)
      choice('gated', 'kind', attrs.kind, 2, null, gatedKind)
      enqueue(15)
      return output() as T
    },
    gatedBwd(gate, linear, dY, attrs) {
      tensor('gatedBwd', 'gate', gate, 0)
      tensor('gatedBwd', 'linear', linear, 1)
      tensor('gatedBwd', 'dY', dY, 2)
      choice('gatedBwd', 'kind', attrs.kind, 3, null, gatedBwdKind)
      enqueue(16)
      return { dGate: output() as T, dLinear: output() as T }
    },
    dropout(x, attrs) {
      tensor('dropout', 'x', x, 0)
      number('dropout', 'dropoutP', attrs?.dropoutP, 1, 0)
      number('dropout', 'seed', attrs?.seed, 2, 0)
      number('dropout', 'site', attrs?.site, 3, 0)
      number('dropout', 'step', attrs?.step, 4, 0)
      enqueue(17)
      return output() as T
    },
    gemm(a, b, packedB, c, bias, gate, residual, attrs) {
      tensor('gemm', 'a', a, 0)
      optional('gemm', 'b', b, 1)
      optional('gemm', 'packedB', packedB, 2)
      optional('gemm', 'c', c, 3)
      optional('gemm', 'bias', bias, 4)
      optional('gemm', 'gate', gate, 5)
      optional('gemm', 'residual', residual, 6)
      number('gemm', 'alpha', attrs?.alpha, 7, 1)
      number('gemm', 'beta', attrs?.beta, 8, 1)
      number('gemm', 'n', attrs?.n, 9, 0)
      flag('gemm', 'saveZ', attrs?.saveZ, 10, 0)
      choice('gemm', 'act', attrs?.act, 11, 0, gemmAct)
      number('gemm', 'dropoutP', attrs?.dropoutP, 12, 0)
      number('gemm', 'seed', attrs?.seed, 13, 0)
      number('gemm', 'site', attrs?.site, 14, 0)
      number('gemm', 'step', attrs?.step, 15, 0)
      enqueue(18)
      return { y: output() as T, z: output() }
    },
    gemmPack(b) {
      tensor('gemmPack', 'b', b, 0)
      enqueue(19)
      return output() as T
    },
    gemmEpilogueBwd(dy, z, gate, attrs) {
      tensor('gemmEpilogueBwd', 'dy', dy, 0)
      optional('gemmEpilogueBwd', 'z', z, 1)
      optional('gemmEpilogueBwd', 'gate', gate, 2)
      flag('gemmEpilogueBwd', 'biasGrad', attrs?.biasGrad, 3, 0)
      choice('gemmEpilogueBwd', 'act', attrs?.act, 4, 0, gemmEpilogueBwdAct)
      number('gemmEpilogueBwd', 'dropoutP', attrs?.dropoutP, 5, 0)
      number('gemmEpilogueBwd', 'seed', attrs?.seed, 6, 0)
      number('gemmEpilogueBwd', 'site', attrs?.site, 7, 0)
      number('gemmEpilogueBwd', 'step', attrs?.step, 8, 0)
      enqueue(20)
      return { dz: output(), dGate: output(), dBias: output() }
    },
    linearArgmax(x, weight, codes, scales, bounds, banned) {
      tensor('linearArgmax', 'x', x, 0)
      tensor('linearArgmax', 'weight', weight, 1)
      tensor('linearArgmax', 'codes', codes, 2)
      tensor('linearArgmax', 'scales', scales, 3)
      tensor('linearArgmax', 'bounds', bounds, 4)
      optional('linearArgmax', 'banned', banned, 5)
      enqueue(21)
      return output() as T
    },
    screenWeight(weight) {
      tensor('screenWeight', 'weight', weight, 0)
      enqueue(22)
      return { codes: output() as T, scales: output() as T, bounds: output() as T }
    },
    sparseLinear(x, b, residual) {
      tensor('sparseLinear', 'x', x, 0)
      tensor('sparseLinear', 'b', b, 1)
      optional('sparseLinear', 'residual', residual, 2)
      enqueue(23)
      return output() as T
    },
    crossEntropyFwd(logits, labels, weights, attrs) {
      tensor('crossEntropyFwd', 'logits', logits, 0)
      tensor('crossEntropyFwd', 'labels', labels, 1)
      optional('crossEntropyFwd', 'weights', weights, 2)
      number('crossEntropyFwd', 'ignoreIndex', attrs?.ignoreIndex, 3, -100)
      number('crossEntropyFwd', 'labelSmoothing', attrs?.labelSmoothing, 4, 0)
      choice('crossEntropyFwd', 'smoothing', attrs?.smoothing, 5, 0, crossEntropyFwdSmoothing)
      number('crossEntropyFwd', 'zLoss', attrs?.zLoss, 6, 0)
      choice('crossEntropyFwd', 'reduction', attrs?.reduction, 7, 0, crossEntropyFwdReduction)
      enqueue(24)
      return { loss: output() as T, lse: output() as T, scale: output() as T }
    },
    crossEntropyBwd(logits, labels, weights, lse, scale, dLoss, attrs) {
      tensor('crossEntropyBwd', 'logits', logits, 0)
      tensor('crossEntropyBwd', 'labels', labels, 1)
      optional('crossEntropyBwd', 'weights', weights, 2)
      tensor('crossEntropyBwd', 'lse', lse, 3)
      tensor('crossEntropyBwd', 'scale', scale, 4)
      tensor('crossEntropyBwd', 'dLoss', dLoss, 5)
      number('crossEntropyBwd', 'ignoreIndex', attrs?.ignoreIndex, 6, -100)
      number('crossEntropyBwd', 'labelSmoothing', attrs?.labelSmoothing, 7, 0)
      choice('crossEntropyBwd', 'smoothing', attrs?.smoothing, 8, 0, crossEntropyBwdSmoothing)
      number('crossEntropyBwd', 'zLoss', attrs?.zLoss, 9, 0)
      choice('crossEntropyBwd', 'reduction', attrs?.reduction, 10, 0, crossEntropyBwdReduction)
      enqueue(25)
      return output() as T
    },
    linearCrossEntropy(x, weight, bias, labels, weights, dLoss, attrs) {
      tensor('linearCrossEntropy', 'x', x, 0)
      tensor('linearCrossEntropy', 'weight', weight, 1)
      optional('linearCrossEntropy', 'bias', bias, 2)
      tensor('linearCrossEntropy', 'labels', labels, 3)
      optional('linearCrossEntropy', 'weights', weights, 4)
      optional('linearCrossEntropy', 'dLoss', dLoss, 5)
      number('linearCrossEntropy', 'ignoreIndex', attrs?.ignoreIndex, 6, -100)
      number('linearCrossEntropy', 'labelSmoothing', attrs?.labelSmoothing, 7, 0)
      choice('linearCrossEntropy', 'smoothing', attrs?.smoothing, 8, 0, linearCrossEntropySmoothing)
      number('linearCrossEntropy', 'zLoss', attrs?.zLoss, 9, 0)
      choice('linearCrossEntropy', 'reduction', attrs?.reduction, 10, 0, linearCrossEntropyReduction)
      flag('linearCrossEntropy', 'gradX', attrs?.gradX, 11, 0)
      flag('linearCrossEntropy', 'gradWeight', attrs?.gradWeight, 12, 0)
      flag('linearCrossEntropy', 'gradBias', attrs?.gradBias, 13, 0)
      enqueue(26)
      return { loss: output() as T, dX: output(), dWeight: output(), dBias: output() }
    },
    bceWithLogits(logits, targets, mask, attrs) {
      tensor('bceWithLogits', 'logits', logits, 0)
      tensor('bceWithLogits', 'targets', targets, 1)
      optional('bceWithLogits', 'mask', mask, 2)
      choice('bceWithLogits', 'reduction', attrs?.reduction, 3, 0, bceWithLogitsReduction)
      flag('bceWithLogits', 'gradient', attrs?.gradient, 4, 0)
      enqueue(27)
      return { loss: output() as T, dLogits: output() }
    },
    rtdLoss(logits, isReplaced, mask, attrs) {
      tensor('rtdLoss', 'logits', logits, 0)
      tensor('rtdLoss', 'isReplaced', isReplaced, 1)
      optional('rtdLoss', 'mask', mask, 2)
      flag('rtdLoss', 'gradient', attrs?.gradient, 3, 0)
      enqueue(28)
      return { loss: output() as T, dLogits: output() }
    },
    replaceTokens(logits, originalIds, maskedPositions, attrs) {
      tensor('replaceTokens', 'logits', logits, 0)
      tensor('replaceTokens', 'originalIds', originalIds, 1)
      tensor('replaceTokens', 'maskedPositions', maskedPositions, 2)
      number('replaceTokens', 'temperature', attrs.temperature, 3, 1)
      flag('replaceTokens', 'disallowCorrect', attrs.disallowCorrect, 4, 0)
      number('replaceTokens', 'seed', attrs.seed, 5, null)
      number('replaceTokens', 'site', attrs.site, 6, 0)
      number('replaceTokens', 'step', attrs.step, 7, 0)
      enqueue(29)
      return { corruptedIds: output() as T, isReplaced: output() as T, sampledIds: output() as T }
    },
    generatorObjective(x, weight, bias, originalIds, maskedPositions, weights, attrs) {
      tensor('generatorObjective', 'x', x, 0)
      tensor('generatorObjective', 'weight', weight, 1)
      optional('generatorObjective', 'bias', bias, 2)
      tensor('generatorObjective', 'originalIds', originalIds, 3)
      tensor('generatorObjective', 'maskedPositions', maskedPositions, 4)
      optional('generatorObjective', 'weights', weights, 5)
      number('generatorObjective', 'temperature', attrs.temperature, 6, 1)
      flag('generatorObjective', 'disallowCorrect', attrs.disallowCorrect, 7, 0)
      number('generatorObjective', 'seed', attrs.seed, 8, null)
      number('generatorObjective', 'site', attrs.site, 9, 0)
      number('generatorObjective', 'step', attrs.step, 10, 0)
      flag('generatorObjective', 'gradX', attrs.gradX, 11, 0)
      flag('generatorObjective', 'gradWeight', attrs.gradWeight, 12, 0)
      flag('generatorObjective', 'gradBias', attrs.gradBias, 13, 0)
      enqueue(30)
      return { loss: output() as T, corruptedIds: output() as T, isReplaced: output() as T, sampledIds: output() as T, dX: output(), dWeight: output(), dBias: output() }
    },
    sgd(params, grads, velocities, shadows, norm, skipped, attrs) {
      let at = 0
      at = list('sgd', 'params', params, at)
      at = list('sgd', 'grads', grads, at)
      at = list('sgd', 'velocities', velocities, at)
      at = list('sgd', 'shadows', shadows, at)
      optional('sgd', 'norm', norm, at++)
      optional('sgd', 'skipped', skipped, at++)
      number('sgd', 'lr', attrs.lr, at++, null)
      number('sgd', 'step', attrs.step, at++, null)
      number('sgd', 'weightDecay', attrs.weightDecay, at++, 0)
      number('sgd', 'momentum', attrs.momentum, at++, 0)
      flag('sgd', 'nesterov', attrs.nesterov, at++, 0)
      flag('sgd', 'countSkip', attrs.countSkip, at++, 1)
      enqueue(31)
      updated(params)
      updated(velocities)
      updated(shadows)
      updated(skipped)
    },
    adagrad(params, grads, sums, shadows, norm, skipped, attrs) {
      let at = 0
      at = list('adagrad', 'params', params, at)
      at = list('adagrad', 'grads', grads, at)
      at = list('adagrad', 'sums', sums, at)
      at = list('adagrad', 'shadows', shadows, at)
      optional('adagrad', 'norm', norm, at++)
      optional('adagrad', 'skipped', skipped, at++)
      number('adagrad', 'lr', attrs.lr, at++, null)
      number('adagrad', 'step', attrs.step, at++, null)
      number('adagrad', 'weightDecay', attrs.weightDecay, at++, 0)
      number('adagrad', 'lrDecay', attrs.lrDecay, at++, 0)
      number('adagrad', 'eps', attrs.eps, at++, 1e-10)
      flag('adagrad', 'countSkip', attrs.countSkip, at++, 1)
      enqueue(32)
      updated(params)
      updated(sums)
      updated(shadows)
      updated(skipped)
    },
    adamw(params, grads, means, squares, shadows, norm, skipped, attrs) {
      let at = 0
      at = list('adamw', 'params', params, at)
      at = list('adamw', 'grads', grads, at)
      at = list('adamw', 'means', means, at)
      at = list('adamw', 'squares', squares, at)
      at = list('adamw', 'shadows', shadows, at)
      optional('adamw', 'norm', norm, at++)
      optional('adamw', 'skipped', skipped, at++)
      number('adamw', 'lr', attrs.lr, at++, null)
      number('adamw', 'step', attrs.step, at++, null)
      number('adamw', 'weightDecay', attrs.weightDecay, at++, 0)
      number('adamw', 'beta1', attrs.beta1, at++, 0.9)
      number('adamw', 'beta2', attrs.beta2, at++, 0.999)
      number('adamw', 'eps', attrs.eps, at++, 1e-8)
      flag('adamw', 'biasCorrection', attrs.biasCorrection, at++, 1)
      flag('adamw', 'rmsScale', attrs.rmsScale, at++, 0)
      flag('adamw', 'countSkip', attrs.countSkip, at++, 1)
      enqueue(33)
      updated(params)
      updated(means)
      updated(squares)
      updated(shadows)
      updated(skipped)
    },
    adafactor(params, grads, rows, columns, squares, means, shadows, norm, skipped, attrs) {
      let at = 0
      at = list('adafactor', 'params', params, at)
      at = list('adafactor', 'grads', grads, at)
      at = list('adafactor', 'rows', rows, at)
      at = list('adafactor', 'columns', columns, at)
      at = list('adafactor', 'squares', squares, at)
      at = list('adafactor', 'means', means, at)
      at = list('adafactor', 'shadows', shadows, at)
      optional('adafactor', 'norm', norm, at++)
      optional('adafactor', 'skipped', skipped, at++)
      number('adafactor', 'lr', attrs.lr, at++, null)
      number('adafactor', 'step', attrs.step, at++, null)
      number('adafactor', 'weightDecay', attrs.weightDecay, at++, 0)
      choice('adafactor', 'factoring', attrs.factoring, at++, 0, adafactorFactoring)
      number('adafactor', 'minDimSizeToFactor', attrs.minDimSizeToFactor, at++, 0)
      flag('adafactor', 'relativeStep', attrs.relativeStep, at++, 0)
      flag('adafactor', 'warmupInit', attrs.warmupInit, at++, 0)
      flag('adafactor', 'scaleParameter', attrs.scaleParameter, at++, 1)
      number('adafactor', 'decayRate', attrs.decayRate, at++, -0.8)
      number('adafactor', 'eps1', attrs.eps1, at++, 1e-30)
      number('adafactor', 'eps2', attrs.eps2, at++, 0.001)
      number('adafactor', 'clipThreshold', attrs.clipThreshold, at++, 1)
      number('adafactor', 'beta1', attrs.beta1, at++, 0)
      flag('adafactor', 'countSkip', attrs.countSkip, at++, 1)
      enqueue(34)
      updated(params)
      updated(rows)
      updated(columns)
      updated(squares)
      updated(means)
      updated(shadows)
      updated(skipped)
    },
    globalNorm(grads) {
      let at = 0
      at = list('globalNorm', 'grads', grads, at)
      enqueue(35)
      return output() as T
    },
    clipByGlobalNorm(grads, norm, attrs) {
      let at = 0
      at = list('clipByGlobalNorm', 'grads', grads, at)
      tensor('clipByGlobalNorm', 'norm', norm, at++)
      number('clipByGlobalNorm', 'maxNorm', attrs.maxNorm, at++, null)
      choice('clipByGlobalNorm', 'style', attrs.style, at++, 0, clipByGlobalNormStyle)
      enqueue(36)
      updated(grads)
    },
    rmsNorm(x, residual, weight, attrs) {
      tensor('rmsNorm', 'x', x, 0)
      optional('rmsNorm', 'residual', residual, 1)
      tensor('rmsNorm', 'weight', weight, 2)
      number('rmsNorm', 'eps', attrs.eps, 3, null)
      number('rmsNorm', 'dropoutP', attrs.dropoutP, 4, 0)
      number('rmsNorm', 'seed', attrs.seed, 5, 0)
      number('rmsNorm', 'site', attrs.site, 6, 0)
      number('rmsNorm', 'step', attrs.step, 7, 0)
      enqueue(37)
      return { y: output() as T, h: output(), rstd: output() as T }
    },
    rmsNormBwd(h, weight, rstd, dY, dHOut, attrs) {
      tensor('rmsNormBwd', 'h', h, 0)
      tensor('rmsNormBwd', 'weight', weight, 1)
      tensor('rmsNormBwd', 'rstd', rstd, 2)
      tensor('rmsNormBwd', 'dY', dY, 3)
      optional('rmsNormBwd', 'dHOut', dHOut, 4)
      number('rmsNormBwd', 'dropoutP', attrs?.dropoutP, 5, 0)
      number('rmsNormBwd', 'seed', attrs?.seed, 6, 0)
      number('rmsNormBwd', 'site', attrs?.site, 7, 0)
      number('rmsNormBwd', 'step', attrs?.step, 8, 0)
      enqueue(38)
      return { dH: output() as T, dX: output(), dWeight: output() as T }
    },
    layerNorm(x, residual, weight, bias, attrs) {
      tensor('layerNorm', 'x', x, 0)
      optional('layerNorm', 'residual', residual, 1)
      tensor('layerNorm', 'weight', weight, 2)
      tensor('layerNorm', 'bias', bias, 3)
      number('layerNorm', 'eps', attrs.eps, 4, null)
      number('layerNorm', 'dropoutP', attrs.dropoutP, 5, 0)
      number('layerNorm', 'seed', attrs.seed, 6, 0)
      number('layerNorm', 'site', attrs.site, 7, 0)
      number('layerNorm', 'step', attrs.step, 8, 0)
      enqueue(39)
      return { y: output() as T, h: output(), mean: output() as T, rstd: output() as T }
    },
    layerNormBwd(h, weight, mean, rstd, dY, dHOut, attrs) {
      tensor('layerNormBwd', 'h', h, 0)
      tensor('layerNormBwd', 'weight', weight, 1)
      tensor('layerNormBwd', 'mean', mean, 2)
      tensor('layerNormBwd', 'rstd', rstd, 3)
      tensor('layerNormBwd', 'dY', dY, 4)
      optional('layerNormBwd', 'dHOut', dHOut, 5)
      number('layerNormBwd', 'dropoutP', attrs?.dropoutP, 6, 0)
      number('layerNormBwd', 'seed', attrs?.seed, 7, 0)
      number('layerNormBwd', 'site', attrs?.site, 8, 0)
      number('layerNormBwd', 'step', attrs?.step, 9, 0)
      enqueue(40)
      return { dH: output() as T, dX: output(), dWeight: output() as T, dBias: output() as T }
    },
    softmax(x, attrs) {
      tensor('softmax', 'x', x, 0)
      flag('softmax', 'log', attrs?.log, 1, 0)
      enqueue(41)
      return output() as T
    },
    softmaxBwd(y, dY, attrs) {
      tensor('softmaxBwd', 'y', y, 0)
      tensor('softmaxBwd', 'dY', dY, 1)
      flag('softmaxBwd', 'log', attrs?.log, 2, 0)
      enqueue(42)
      return output() as T
    },
    embedding(tables, ids) {
      let at = 0
      at = list('embedding', 'tables', tables, at)
      at = list('embedding', 'ids', ids, at)
      enqueue(43)
      return output() as T
    },
    gatherRows(x, ids) {
      tensor('gatherRows', 'x', x, 0)
      tensor('gatherRows', 'ids', ids, 1)
      enqueue(44)
      return output() as T
    },
    scatterRows(x, ids, attrs) {
      tensor('scatterRows', 'x', x, 0)
      tensor('scatterRows', 'ids', ids, 1)
      number('scatterRows', 'rows', attrs.rows, 2, null)
      number('scatterRows', 'skip', attrs.skip, 3, -1)
      enqueue(45)
      return output() as T
    },
    addRows(y, x, ids, attrs) {
      tensor('addRows', 'y', y, 0)
      tensor('addRows', 'x', x, 1)
      tensor('addRows', 'ids', ids, 2)
      number('addRows', 'skip', attrs?.skip, 3, -1)
      enqueue(46)
      updated(y)
    },
    concat(x, attrs) {
      let at = 0
      at = list('concat', 'x', x, at)
      number('concat', 'axis', attrs.axis, at++, null)
      enqueue(47)
      return output() as T
    },
    argmax(logits) {
      tensor('argmax', 'logits', logits, 0)
      enqueue(48)
      return output() as T
    },
    topK(logits, attrs) {
      tensor('topK', 'logits', logits, 0)
      number('topK', 'k', attrs.k, 1, null)
      enqueue(49)
      return { values: output() as T, ids: output() as T }
    },
    sampleCategorical(logits, streams, attrs) {
      tensor('sampleCategorical', 'logits', logits, 0)
      optional('sampleCategorical', 'streams', streams, 1)
      number('sampleCategorical', 'seed', attrs.seed, 2, null)
      number('sampleCategorical', 'site', attrs.site, 3, 0)
      number('sampleCategorical', 'step', attrs.step, 4, 0)
      enqueue(50)
      return output() as T
    },
    beamCandidates(logits, beamScores, attrs) {
      tensor('beamCandidates', 'logits', logits, 0)
      tensor('beamCandidates', 'beamScores', beamScores, 1)
      number('beamCandidates', 'k', attrs.k, 2, null)
      enqueue(51)
      return { scores: output() as T, parents: output() as T, tokens: output() as T }
    },
    sampleCandidates(logits, beamScores, streams, attrs) {
      tensor('sampleCandidates', 'logits', logits, 0)
      tensor('sampleCandidates', 'beamScores', beamScores, 1)
      optional('sampleCandidates', 'streams', streams, 2)
      number('sampleCandidates', 'k', attrs.k, 3, null)
      number('sampleCandidates', 'seed', attrs.seed, 4, null)
      number('sampleCandidates', 'site', attrs.site, 5, 0)
      number('sampleCandidates', 'step', attrs.step, 6, 0)
      enqueue(52)
      return { scores: output() as T, parents: output() as T, tokens: output() as T }
    },
    runningBeams(scores, parents, tokens, ends, attrs) {
      tensor('runningBeams', 'scores', scores, 0)
      tensor('runningBeams', 'parents', parents, 1)
      tensor('runningBeams', 'tokens', tokens, 2)
      tensor('runningBeams', 'ends', ends, 3)
      number('runningBeams', 'beams', attrs.beams, 4, null)
      number('runningBeams', 'demotion', attrs.demotion, 5, null)
      enqueue(53)
      return { beamScores: output() as T, rows: output() as T, running: output() as T }
    },
    warpLogits(logits, attrs) {
      tensor('warpLogits', 'logits', logits, 0)
      choice('warpLogits', 'rule', attrs.rule, 1, null, warpLogitsRule)
      number('warpLogits', 'value', attrs.value, 2, null)
      number('warpLogits', 'minTokensToKeep', attrs.minTokensToKeep, 3, 1)
      enqueue(54)
      return output() as T
    },
    penalizeRepetition(logits, ids, lengths, attrs) {
      tensor('penalizeRepetition', 'logits', logits, 0)
      tensor('penalizeRepetition', 'ids', ids, 1)
      optional('penalizeRepetition', 'lengths', lengths, 2)
      number('penalizeRepetition', 'penalty', attrs.penalty, 3, null)
      enqueue(55)
      return output() as T
    },
    banRepeatedNgrams(logits, ids, lengths, sources, sourceLengths, attrs) {
      tensor('banRepeatedNgrams', 'logits', logits, 0)
      tensor('banRepeatedNgrams', 'ids', ids, 1)
      optional('banRepeatedNgrams', 'lengths', lengths, 2)
      optional('banRepeatedNgrams', 'sources', sources, 3)
      optional('banRepeatedNgrams', 'sourceLengths', sourceLengths, 4)
      number('banRepeatedNgrams', 'n', attrs.n, 5, null)
      enqueue(56)
      return output() as T
    },
    banTokens(logits, tokens) {
      tensor('banTokens', 'logits', logits, 0)
      tensor('banTokens', 'tokens', tokens, 1)
      enqueue(57)
      return output() as T
    },
    biasTokens(logits, rows, tokens, bias) {
      tensor('biasTokens', 'logits', logits, 0)
      tensor('biasTokens', 'rows', rows, 1)
      tensor('biasTokens', 'tokens', tokens, 2)
      tensor('biasTokens', 'bias', bias, 3)
      enqueue(58)
      return output() as T
    },
    allowTokens(logits, rows, tokens, attrs) {
      tensor('allowTokens', 'logits', logits, 0)
      tensor('allowTokens', 'rows', rows, 1)
      tensor('allowTokens', 'tokens', tokens, 2)
      number('allowTokens', 'group', attrs?.group, 3, 1)
      enqueue(59)
      return output() as T
    },
    forceTokens(logits, rows, tokens) {
      tensor('forceTokens', 'logits', logits, 0)
      tensor('forceTokens', 'rows', rows, 1)
      tensor('forceTokens', 'tokens', tokens, 2)
      enqueue(60)
      return output() as T
    },
    boostTokens(logits, rows, tokens, factors) {
      tensor('boostTokens', 'logits', logits, 0)
      tensor('boostTokens', 'rows', rows, 1)
      tensor('boostTokens', 'tokens', tokens, 2)
      tensor('boostTokens', 'factors', factors, 3)
      enqueue(61)
      return output() as T
    },
    replaceNonFinite(logits) {
      tensor('replaceNonFinite', 'logits', logits, 0)
      enqueue(62)
      return output() as T
    },
  }
}
