import { describe, expect, test } from 'vitest'
import { ConfigError, GenerationDefaults } from '../../lib/index.ts'

describe('generation_config.json', () => {
  const json = {
    _from_model_config: true,
    transformers_version: '5.18.0',
    max_new_tokens: 40,
    num_beams: 4,
    early_stopping: 'never',
    eos_token_id: [1, 2],
    bad_words_ids: [[3], [4, 5]],
    something_new: { a: 1 },
  }

  test('is read in camelCase, and written again with what is unknown', () => {
    const defaults = GenerationDefaults.fromJson(json)
    expect(defaults.values).toEqual({
      maxNewTokens: 40,
      numBeams: 4,
      earlyStopping: 'never',
      eosTokenId: [1, 2],
      badWordsIds: [[3], [4, 5]],
    })
    expect(defaults.toJson()).toEqual(json)
    defaults.values.topK = 3
    expect(defaults.toJson()).toEqual({ ...json, top_k: 3 })
  })

  test('stands below the options and above the defaults', () => {
    const defaults = GenerationDefaults.fromJson({ num_beams: 4, length_penalty: 2, max_new_tokens: 7 })
    expect(defaults.resolve({ numBeams: 2 })).toMatchObject({
      numBeams: 2,
      lengthPenalty: 2,
      maxNewTokens: 7,
      topK: 50,
    })
    // A length that the caller gives is not beaten by the file's other way of giving one.
    expect(defaults.resolve({ maxLength: 9 })).toMatchObject({ maxLength: 9, maxNewTokens: null })
  })

  test.each([
    ['num_beams', 0],
    ['temperature', -1],
    ['top_p', 1.5],
    ['early_stopping', 'sometimes'],
    ['bad_words_ids', [[]]],
    ['eos_token_id', -1],
    ['exponential_decay_length_penalty', [1]],
    ['stop_strings', ''],
    ['do_sample', 1],
  ])('refuses %s %j', (key, value) => {
    expect(() => GenerationDefaults.fromJson({ [key]: value })).toThrow(ConfigError)
  })

  test.each([
    ['guidance_scale', 2, 1],
    ['num_beam_groups', 2, 1],
    ['penalty_alpha', 0.6, 0],
    ['diversity_penalty', 0.5, 0],
    ['constraints', [{}], null],
    ['force_words_ids', [[5]], null],
    ['watermarking_config', {}, null],
    ['dola_layers', 'high', null],
    ['token_healing', true, false],
    ['assistant_early_exit', 3, null],
  ])('with %s, which is not offered, loads but does not generate', (key, value, neutral) => {
    expect(() => GenerationDefaults.fromJson({ [key]: value }).resolve({})).toThrow(`without ${key}`)
    GenerationDefaults.fromJson({ [key]: neutral }).resolve({})
  })

  test('falls back to config.json: its special tokens, and all of old files', () => {
    const config = { model_type: 't5', d_model: 8, pad_token_id: 0, eos_token_id: 1, num_beams: 4 }
    expect(GenerationDefaults.ofModel(config, null).values).toEqual({ padTokenId: 0, eosTokenId: 1, numBeams: 4 })
    expect(GenerationDefaults.ofModel(config, { eos_token_id: 2 }).values).toEqual({ padTokenId: 0, eosTokenId: 2 })
    expect(GenerationDefaults.ofModel(config, null).toJson()).not.toHaveProperty('d_model')
  })
})
