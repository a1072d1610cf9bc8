// The pitfalls that the project's sheet on both families lists, section 9, and the tests that fail for whoever falls into one.
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'

interface Pitfall {
  readonly what: string
  /** Names of tests, or a part that tells them from others, by the file that they are in. */
  readonly tests?: Readonly<Record<string, readonly string[]>>
  /** What belongs to a part of the library that is not there yet. */
  readonly later?: string
}

const models = 'models/pitfalls.test.ts'
const joint = 'models/electra-joint.test.ts'
const packing = 'models/packing.test.ts'
const tokenizers = 'tokenizers/pitfalls.test.ts'
const objectives = 'data/objectives.test.ts'
const masking = 'data/electra.test.ts'

const pitfalls: Readonly<Record<number, Pitfall>> = {
  1: {
    what: 'T5 does not divide scores by √dKV, ELECTRA does by √headDim',
    tests: {
      [packing]: ['T5 gives what the padded computation gives', 'ELECTRA gives what the padded computation gives'],
    },
  },
  2: {
    what: 'GELU is the tanh form in T5 1.1, the erf form in ELECTRA',
    tests: {
      [models]: ['A§9.2 gated-gelu is the tanh form', 'A§9.2 gelu is the erf form'],
      [packing]: ['ELECTRA gives what the padded computation gives'],
      'models/golden.test.ts': ['all %s cases pass'],
    },
  },
  3: {
    what: 'decoder results are scaled by dModel^−½ in tied T5 1.0 alone',
    tests: {
      [models]: ['A§9.3 the scale before the output layer', 'A§9.3 an output layer of its own'],
      'models/save.test.ts': ['A§9.3: transformers 5 scales every umT5'],
      'models/inputs.test.ts': ['start the loss near ln V'],
    },
  },
  4: {
    what: 'buckets of relative positions: sign, offset, all 32 in decoders',
    tests: { [models]: ['A§9.4'], 'models/golden.test.ts': ['all %s cases pass'], [packing]: ['T5 gives what'] },
  },
  5: {
    what: 'one bias table for all layers, its gradient summed; umT5 has one a layer; decoding has absolute offsets',
    tests: {
      [models]: ['A§9.5'],
      'models/t5-heads.test.ts': ['with a bias table in each block (umT5)'],
      'models/t5-generation.test.ts': ['steps with the cache are the whole decoder, at every position'],
      'models/golden.test.ts': ['all %s cases pass'],
    },
  },
  6: {
    what: 'sentinels descend; targets have no closing one',
    tests: { [tokenizers]: ['A§9.6'], [objectives]: ['sentinels in order, no closing one'] },
  },
  7: { what: 'rounding half to even', tests: { [objectives]: ['roundHalfEven', 'spanCorruptionLengths'] } },
  8: {
    what: 'labels shifted right: −100 becomes padding, the start token comes first',
    tests: { [models]: ['A§9.8'] },
  },
  9: { what: 'decoder masks do not follow from ids', tests: { [models]: ['A§9.9'] } },
  10: {
    what: 'Adafactor: steps from 1, eps in g², RMS before the update, clipping after, factoring threshold',
    tests: { 'ops/ops.test.ts': ['forward against the float64 reference'] },
  },
  11: {
    what: 'schedules count steps from 0',
    tests: { 'train/schedule.test.ts': ['its first step has rate 0', 'is flat up to k'] },
  },
  12: {
    what: 'ELECTRA’s Adam: no bias correction, decay inside the learning rate, exclusions, layer-wise rates',
    tests: {
      'ops/ops.test.ts': ['forward against the float64 reference'],
      'train/groups.test.ts': ['norms and biases do not decay', 'learn slower from layer to layer in ELECTRA'],
    },
  },
  13: {
    what: 'a sample that equals the original is real; tokens left unmasked are sampled, too',
    tests: {
      [joint]: ['A§9.13 at every selected token'],
      'ops/losses.test.ts': ['a correct guess counts as real'],
    },
  },
  14: {
    what: 'masks are 85/15, at least one, of the full length',
    tests: { [masking]: ['and masks 85 % of it', 'has slots at rate'] },
  },
  15: {
    what: 'positions drawn with or without replacement',
    tests: { [masking]: ['with replacement, selects about as many different ones as chance says'] },
  },
  16: {
    what: 'the discriminator’s loss is a mean over all real tokens of the batch, times 50',
    tests: { [joint]: ['A§9.16'], 'models/golden.test.ts': ['all %s cases pass'] },
    later: 'numerator and denominator over ranks: data parallelism',
  },
  17: { what: 'sampling in 16 bits underflows', tests: { [models]: ['A§9.17'] } },
  18: {
    what: 'embeddings and their norm are shared by generator and discriminator; two copies in files must be equal',
    tests: {
      [joint]: ['A§9.18', 'adds up the gradients of all uses', 'gives the generator all but what is in common'],
    },
  },
  19: {
    what: 'an epsilon of 1e-12 is zero in 16 bits',
    tests: { [models]: ['A§9.19'], 'ops/rows.test.ts': ['a row of equal values gives the bias'] },
  },
  20: { what: 'the classification head of Hugging Face has two layers', tests: { [models]: ['A§9.20'] } },
  21: {
    what: 'losses of fine-tuning are sums or means',
    tests: { [models]: ['A§9.21'] },
  },
  22: { what: 'WordPiece: longest word; accents go with capitals', tests: { [tokenizers]: ['A§9.22'] } },
  23: {
    what: 'T5’s tokenizer: space after sentinels, one end, truncation keeps it',
    tests: { [tokenizers]: ['A§9.23'] },
  },
  24: {
    what: 'beams: both length penalties, top 2b, which may finish, processors on log-probabilities',
    tests: {
      'generate/beam-search.test.ts': ['finds what the reference finds: %o', "by T5's own rules finds what"],
      'models/golden.test.ts': ['all %s cases pass'],
    },
  },
  25: {
    what: 'the repetition penalty applies to the decoder’s start token',
    tests: { 'generate/processors.test.ts': ['processors run in the order of Hugging Face'] },
  },
  26: { what: 'T5 overflows 16 bits', tests: { [models]: ['A§9.26'] }, later: 'protected weights in 16 bits: CUDA' },
  27: {
    what: 'rows without a key give 0, not NaN, and no gradient',
    tests: {
      [models]: ['A§9.27 a source that', 'A§9.27 a text that'],
      'ops/rows.test.ts': ['has softmax 0 and no gradient'],
    },
  },
  28: { what: 'unused rows of the vocabulary take part in the softmax', tests: { [models]: ['A§9.28'] } },
  29: {
    what: 'dropout masks shared along the length, or element-wise',
    tests: { 'models/inputs.test.ts': ['masks may be shared along the length'] },
  },
  30: {
    what: 'z-loss takes logZ of the logits, and only in training',
    tests: { 'ops/ops.test.ts': ['backward against the reference backward'] },
    later: 'no model adds one, in training or evaluation',
  },
  31: {
    what: 'three forms of label smoothing',
    tests: { 'ops/ops.test.ts': ['forward against the float64 reference'] },
  },
  32: {
    what: 'accumulation averages over tokens, not micro-batches',
    tests: { 'train/trainer.test.ts': ['of unequal numbers of targets add up to what their whole gives'] },
  },
  33: { what: 'RMS of whole tensors, summed bias gradients', later: 'data parallelism' },
  34: {
    what: 'tied weights are saved once, the file marked pt',
    tests: { [models]: ['A§9.34'], 'checkpoint/save.test.ts': ['marked pt'] },
  },
  35: {
    what: '16-bit weights stall without float32 masters',
    tests: { 'ops/optimizer.test.ts': ['writes %s shadows of what it updates'] },
    later: 'training in 16 bits: CUDA',
  },
  36: { what: 'bias and masks in 16 bits', tests: { [models]: ['A§9.36 a 16-bit bias table', 'A§9.36 %s weights'] } },
  37: {
    what: 'metrics: ROUGE-Lsum, sacreBLEU, SQuAD, MRPC and QQP',
    tests: {
      'metrics/metrics.test.ts': ['takes sentences of a summary in any order', 'answers have SQuAD scores'],
      'tasks/text-tasks.test.ts': [
        'count a text that is no class as the wrong one',
        'take sentences of summaries apart',
      ],
    },
  },
  38: {
    what: 'STS-B targets',
    tests: {
      'tasks/text-tasks.test.ts': ['rounds similarities half to even', 'count numbers that cannot be read as −1'],
    },
  },
  39: {
    what: 'T5’s classification head needs equally many end tokens a row',
    tests: { 'models/t5-heads.test.ts': ['as many end-of-sequence tokens'] },
  },
  40: { what: 'what old T5 files have too much is ignored, the rest named', tests: { [models]: ['A§9.40'] } },
}

it('every pitfall has tests that are there, or a reason why not yet', () => {
  expect(Object.keys(pitfalls).map(Number)).toEqual(Array.from({ length: 40 }, (_, i) => i + 1))
  for (const [number, { tests = {}, later }] of Object.entries(pitfalls)) {
    expect(Object.keys(tests).length > 0 || later !== undefined, number).toBe(true)
    for (const [file, names] of Object.entries(tests)) {
      const text = readFileSync(new URL(file, import.meta.url), 'utf8')
      for (const name of names) expect(text, `${number}: ${file}`).toContain(name)
    }
  }
})
