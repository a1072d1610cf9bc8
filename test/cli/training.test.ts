import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { duoformer, start } from './run.ts'

const words = ['the', 'old', 'new', 'king', 'tower', 'falls', 'rises', 'slowly', 'before', 'after', 'night', 'river']
const sentence = (seed: number, length = 9) =>
  Array.from({ length }, (_, i) => words[(seed * 7 + i * i + i * seed) % words.length]).join(' ')

let root: string
const at = (...names: string[]) => join(root, ...names)
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'cli-training-'))
  const corpus = (from: number) =>
    Array.from({ length: 40 }, (_, i) => `${sentence(from + i)}.\n${sentence(from + i + 5)}.\n`).join('\n')
  writeFileSync(at('corpus.txt'), corpus(0))
  writeFileSync(at('heldout.txt'), corpus(100))
  writeFileSync(
    at('tiny.yaml'),
    [
      'train: corpus.txt',
      'size: tiny',
      'modelConfig: {hidden_size: 16, embedding_size: 16, intermediate_size: 32, num_attention_heads: 1}',
      'vocabSize: 60',
      'maxLength: 24',
      'batchSize: 8',
      'steps: 12',
      'threads: 1',
    ].join('\n'),
  )
})
afterAll(() => rmSync(root, { recursive: true }))

const run = (args: string) => duoformer(args.split(' '), { cwd: root })
const weights = (...folder: string[]) => readFileSync(at(...folder, 'model.safetensors'))

describe('pretrain electra', () => {
  it('trains generator and discriminator, scores held-out text, and leaves models, logs and a report', async () => {
    const { code, stdout, stderr } = await run('pretrain electra --config tiny.yaml --eval heldout.txt --out joint')
    expect([code, stderr.match(/mlm \d.*rtd \d/g)?.length]).toEqual([0, 12])
    expect(stdout).toBe('saved: joint/discriminator and joint/generator\n')
    expect(readdirSync(at('joint')).sort()).toEqual([
      'cache',
      'checkpoints',
      'discriminator',
      'generator',
      'log.jsonl',
      'report.html',
      'run.json',
      'special_tokens_map.json',
      'tensorboard',
      'tokenizer.json',
      'tokenizer_config.json',
    ])
    const settings = JSON.parse(readFileSync(at('joint', 'run.json'), 'utf8'))
    expect(settings).toMatchObject({
      steps: 12,
      lr: 5e-4,
      schedule: 'electraLinear',
      warmupSteps: 1,
      sharing: 'embeddings',
    })
    const losses = readFileSync(at('joint', 'log.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(losses.filter(({ type }) => type === 'step')).toHaveLength(12)
    expect(readFileSync(at('joint', 'report.html'), 'utf8')).toContain('held-out rtd')
    const { stdout: detected } = await duoformer(['detect', at('joint', 'discriminator'), 'the old king falls'])
    expect(detected).toMatch(/king/)
  })

  it('takes masked words alone, and one network after the other', async () => {
    expect((await run('pretrain electra --config tiny.yaml --objective mlm --steps 3 --out mlm')).code).toBe(0)
    const two = await run('pretrain electra --config tiny.yaml --objective two-stage --steps 4 --out stages')
    expect([two.code, readdirSync(at('stages')).filter((name) => name.endsWith('-stage'))]).toEqual([
      0,
      ['discriminator-stage', 'generator-stage'],
    ])
    expect((await duoformer(['fill-mask', at('mlm'), 'the old [MASK] falls'])).code).toBe(0)
  })

  it('is stopped by SIGINT, resumes, and ends with the bits of a run that was not', async () => {
    const args = 'pretrain electra --config tiny.yaml --steps 60 --save-every 20'
    expect((await run(`${args} --out whole`)).code).toBe(0)
    const stopped = start(`${args} --out parts`.split(' '), { cwd: root })
    const log = at('parts', 'log.jsonl')
    while (!(await lines(log)).some((line) => line.includes('"step":5,')))
      await new Promise((wake) => setTimeout(wake, 5))
    stopped.child.kill('SIGINT')
    const { code, stderr } = await stopped.ended
    expect([code, stderr]).toEqual([130, expect.stringContaining('interrupted at step')])
    expect(readdirSync(at('parts'))).not.toContain('discriminator')
    const again = await run(`${args} --out parts --resume`)
    expect([again.code, again.stderr]).toEqual([0, expect.stringMatching(/resumed after step \d+/)])
    expect(weights('parts', 'discriminator').equals(weights('whole', 'discriminator'))).toBe(true)
    const steps = (await lines(log)).map((line) => JSON.parse(line)).filter(({ type }) => type === 'step')
    expect(steps.map(({ step }) => step)).toEqual(Array.from({ length: 60 }, (_, i) => i + 1))
  })
})

async function lines(path: string): Promise<string[]> {
  try {
    return readFileSync(path, 'utf8').trim().split('\n')
  } catch {
    return []
  }
}

const t5 = '{d_model: 16, d_kv: 8, d_ff: 32, num_heads: 2, num_layers: 1, num_decoder_layers: 1}'

describe('pretrain t5', () => {
  it('fills and copies spans unless it is told otherwise', async () => {
    const config = readFileSync(at('tiny.yaml'), 'utf8').replace(/modelConfig.*/, `modelConfig: ${t5}`)
    writeFileSync(at('t5.yaml'), config.replace('vocabSize: 60', 'vocabSize: 160'))
    const { code, stderr } = await run('pretrain t5 --config t5.yaml --eval heldout.txt --out t5')
    expect([code, stderr]).toEqual([0, expect.stringMatching(/loss \d.*perplexity \d/)])
    expect(JSON.parse(readFileSync(at('t5', 'run.json'), 'utf8')).objective).toEqual({ spanCorruption: 1, copying: 1 })
    const others = 'pretrain t5 --config t5.yaml --objective ul2=2 --objective prefixLanguageModel --steps 2 --out ul2'
    expect((await run(others)).code).toBe(0)
  })
})

describe('finetune and evaluate', () => {
  beforeAll(() => {
    const rows = Array.from({ length: 32 }, (_, i) => [sentence(i), i % 2 ? 'rise' : 'fall'] as const)
    writeFileSync(at('classes.tsv'), ['text\tlabel', ...rows.map((row) => row.join('\t'))].join('\n'))
    writeFileSync(at('scores.tsv'), ['text\tlabel', ...rows.map(([text], i) => `${text}\t${i / 10}`)].join('\n'))
    writeFileSync(
      at('several.jsonl'),
      rows.map(([text], i) => JSON.stringify({ text, label: i % 2 ? ['a', 'b'] : ['c'] })).join('\n'),
    )
    writeFileSync(
      at('tags.conll'),
      rows
        .map(([text]) =>
          text
            .split(' ')
            .map((word) => `${word}\t${word === 'king' ? 'B-person' : 'O'}`)
            .join('\n'),
        )
        .join('\n\n'),
    )
    writeFileSync(
      at('choices.jsonl'),
      rows
        .map(([text], i) => JSON.stringify({ text, choices: [sentence(i), sentence(i + 1)], label: i % 2 }))
        .join('\n'),
    )
    const qas = rows.slice(0, 8).map(([context]) => ({
      context,
      qas: [{ id: context, question: 'the king', answers: [{ text: 'old', answer_start: context.indexOf('old') }] }],
    }))
    writeFileSync(
      at('questions.json'),
      JSON.stringify({ data: [{ paragraphs: qas.filter(({ context }) => context.includes('old')) }] }),
    )
    writeFileSync(at('pairs.csv'), ['input,target', ...rows.map(([text, label]) => `${text},${label}`)].join('\n'))
  })

  it.each([
    ['classification', 'classes.tsv', /accuracy [01]\.\d{4}\nmacroF1/],
    ['regression', 'scores.tsv', /pearson -?[01]\.\d/],
    ['multi-label', 'several.jsonl', /macroF1 [01]\.\d/],
    ['tagging', 'tags.conll', /precision [01]\.\d{4}\nrecall/],
    ['multiple-choice', 'choices.jsonl', /accuracy [01]\.\d/],
    ['question-answering', 'questions.json', /exactMatch [01]\.\d{4}\nf1/],
  ])('%s', async (task, file, scores) => {
    const common = `--task ${task} --max-length 32 --doc-stride 4`
    const args = `finetune ${common} --model joint/discriminator --train ${file} --eval ${file} --epochs 1 --batch-size 8`
    const { code, stderr, stdout } = await run(`${args} --out ${task}`)
    expect([code, stdout], stderr).toEqual([0, expect.stringMatching(`^saved: ${task}  \\(held out: `)])
    const evaluated = await run(`evaluate ${common} --model ${task} --data ${file}`)
    expect([evaluated.code, evaluated.stdout], evaluated.stderr).toEqual([0, expect.stringMatching(scores)])
    // The best model was saved: its scores are those that were told.
    const told = /held out: (.*)\)/.exec(stdout)?.[1]?.split(', ').sort()
    expect(evaluated.stdout.trim().split('\n').sort()).toEqual(told)
  })

  it('T5 on a task in words, by name or described in a config file', async () => {
    writeFileSync(
      at('own.yaml'),
      'task: {name: mood, input: "mood: {input}", target: "{target}", maxTargetLength: 6}\nmodel: t5\ntrain: pairs.csv\neval: pairs.csv\nsteps: 3\nmaxLength: 32\nout: mood\n',
    )
    expect(await run('finetune --config own.yaml')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('held out: accuracy'),
    })
    expect((await duoformer(['generate', at('mood'), 'mood: the old king', '--max-new-tokens', '4'])).code).toBe(0)
    writeFileSync(at('sst.tsv'), `sentence\tlabel\n${sentence(1)}\t1\n${sentence(2)}\t0\n`)
    expect(
      (await run('finetune --task sst2 --model t5 --train sst.tsv --steps 1 --max-length 32 --out sst2')).code,
    ).toBe(0)
  })

  it('classify works on what was fine-tuned', async () => {
    const { stdout } = await duoformer(['classify', at('classification'), 'the old king falls'])
    expect(stdout).toMatch(/^(rise|fall) 0\.\d+/)
  })
})

describe('failures', () => {
  const base = 'pretrain electra --config tiny.yaml'
  it.each([
    [`${base} --out joint`, 1, '--resume goes on with it, --overwrite begins anew'],
    [`${base} --train nowhere.txt --out made`, 1, 'nowhere.txt'],
    [`${base} --out corpus.txt/deep`, 1, 'corpus.txt, which is a file'],
    [`${base} --size huge --out made`, 2, 'expected --size to be tiny or mini or small or base or large, got "huge"'],
    [`${base} --objective two-stage --sharing all --out made`, 1, '--sharing none'],
    ['pretrain electra --out made', 2, 'expected --train or train in --config, got neither'],
    ['pretrain electra --config wrong.yaml --out made', 2, 'got warmupStep; did you mean warmupSteps?'],
    ['pretrain electra --config broken.yaml --out made', 1, 'expected broken.yaml in YAML or JSON'],
    [
      'pretrain electra --config typed.yaml --out made',
      2,
      'expected steps in typed.yaml to be an integer >= 1, got "many"',
    ],
    [
      'finetune --task clasification --model joint/discriminator --train classes.tsv --out made',
      2,
      'did you mean classification?',
    ],
    [
      'finetune --task classification --model joint/discriminator --train columns.tsv --out made',
      1,
      'column "label" of columns.tsv:2',
    ],
    ['finetune --task tagging --model joint/discriminator --train bad.conll --out made', 1, 'bad.conll:2'],
    [
      'finetune --task classification --model joint/discriminator --tokenizer wide --train classes.tsv --out made',
      1,
      'expected a tokenizer of at most',
    ],
    ['finetune --task classification --model joint/discriminator --train ragged.tsv --out made', 1, 'ragged.tsv:3'],
  ])('%s', async (args, code, message) => {
    writeFileSync(at('wrong.yaml'), 'train: corpus.txt\nwarmupStep: 1\n')
    writeFileSync(at('broken.yaml'), 'train: [corpus.txt\n')
    writeFileSync(at('typed.yaml'), 'train: corpus.txt\nsteps: many\n')
    writeFileSync(at('columns.tsv'), 'text\tclass\na\tb\n')
    writeFileSync(at('ragged.tsv'), 'text\tlabel\na\tb\nc\n')
    writeFileSync(at('bad.conll'), 'a\tO\nalone\n')
    mkdirSync(at('wide'), { recursive: true })
    for (const file of ['tokenizer.json', 'tokenizer_config.json', 'special_tokens_map.json']) {
      writeFileSync(at('wide', file), readFileSync(at('t5', file)))
    }
    const ended = await run(args)
    expect([ended.code, ended.stderr]).toEqual([code, expect.stringContaining(message)])
    expect(ended.stderr).not.toMatch(/^ {4}at /m)
    expect(readdirSync(root)).not.toContain('made')
  })
})
