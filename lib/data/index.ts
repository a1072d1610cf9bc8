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
export * from './objectives/noise-functions.ts'
export * from './objectives/noise-mask.ts'
export * from './objectives/objectives.ts'
export * from './objectives/ul2.ts'
export * from './objectives/vocabulary.ts'
