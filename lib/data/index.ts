export * from './augment/infill-spans.ts'
export * from './augment/replace-by-generator.ts'
export * from './augment/rules.ts'
export { type CachedTokensOptions, cachedTokens } from './cache/cached-tokens.ts'
export { TokenCache } from './cache/token-cache.ts'
export * from './collate.ts'
export {
  type Dataset,
  datasetOf,
  type ReadOptions,
  type SampleOptions,
  sample,
} from './dataset.ts'
export * from './mixture.ts'
export * from './objectives/copying.ts'
export * from './objectives/denoise.ts'
export * from './objectives/electra-masking.ts'
export * from './objectives/electra-segments.ts'
export {
  copyingLengths,
  roundHalfEven,
  type SegmentLengths,
  type SpanOptions,
  spanCorruptionLengths,
} from './objectives/lengths.ts'
export { type NamedObjectiveOptions, namedObjectives, type ObjectiveName } from './objectives/named.ts'
export * from './objectives/noise-functions.ts'
export * from './objectives/noise-mask.ts'
export * from './objectives/objectives.ts'
export * from './objectives/ul2.ts'
export * from './objectives/vocabulary.ts'
export * from './packing.ts'
export { prefetch } from './prefetch.ts'
export * from './pretraining.ts'
export * from './segments.ts'
export type { DelimitedOptions } from './sources/delimited.ts'
export { findFiles } from './sources/find-files.ts'
export type { Row } from './sources/formats.ts'
export { dataFiles, type FormatName, type RowOptions, type Rows, readRows } from './sources/read-rows.ts'
export type { TextUnit } from './sources/text.ts'
export { batch, filter, flatMap, map, type ShardOptions, shard, shuffle } from './stages.ts'
export { type Item, itemsOf, type JsonValue, type Stage, Stream, type StreamState } from './stream.ts'
export { column, tokenize, tokenizeLines } from './tokenize.ts'
