import { roundHalfEven } from '../data/index.ts'
import { labelField, numberField, textField } from './fields.ts'
import { binaryF1Score, correlationScore, exactScore, matthewsScore, referentScore } from './scores.ts'
import type { TextTask } from './text-task.ts'
import { winogradInference } from './wnli.ts'

/** `name field: text field: text`, and the name of the class. */
export function labelledFormat(
  prefix: string,
  columns: readonly string[],
  labels: readonly string[],
): TextTask['format'] {
  return (row) => {
    const input = [prefix, ...columns.flatMap((column) => [`${column}:`, textField(row, column)])].join(' ')
    return [{ input, target: labelField(row, labels) }]
  }
}

/** Most tokens of a target in GLUE. */
const maxTargetLength = 84

const inference = ['entailment', 'neutral', 'contradiction'] as const
const entailment = ['entailment', 'not_entailment'] as const
const acceptability = ['unacceptable', 'acceptable'] as const
const paraphrase = ['not_equivalent', 'equivalent'] as const
const duplicate = ['not_duplicate', 'duplicate'] as const

/**
 * GLUE's tasks as T5 was trained on them, on rows with GLUE's own columns.
 *
 * @see Raffel et al. 2020, appendix D. https://arxiv.org/abs/1910.10683
 */
export const glueTasks: readonly TextTask[] = [
  {
    name: 'cola',
    maxTargetLength,
    format: labelledFormat('cola', ['sentence'], acceptability),
    metric: 'matthews',
    score: matthewsScore(acceptability),
  },
  {
    name: 'sst2',
    maxTargetLength,
    format: labelledFormat('sst2', ['sentence'], ['negative', 'positive']),
    metric: 'accuracy',
    score: exactScore,
  },
  {
    name: 'mrpc',
    maxTargetLength,
    format: labelledFormat('mrpc', ['sentence1', 'sentence2'], paraphrase),
    metric: 'f1',
    score: binaryF1Score(paraphrase),
  },
  {
    name: 'stsb',
    maxTargetLength,
    format(row) {
      const input = `stsb sentence1: ${textField(row, 'sentence1')} sentence2: ${textField(row, 'sentence2')}`
      // Similarities become one of 21 classes, 0.2 apart.
      return [{ input, target: (roundHalfEven(numberField(row, 'label') * 5) / 5).toFixed(1) }]
    },
    metric: 'pearson',
    score: correlationScore,
  },
  {
    name: 'qqp',
    maxTargetLength,
    format: labelledFormat('qqp', ['question1', 'question2'], duplicate),
    metric: 'f1',
    score: binaryF1Score(duplicate),
  },
  // MNLI, and GLUE's diagnostic set ax, which has its form.
  ...['mnli', 'ax'].map((name) => ({
    name,
    maxTargetLength,
    format: labelledFormat('mnli', ['hypothesis', 'premise'], inference),
    metric: 'accuracy',
    score: exactScore,
  })),
  {
    name: 'qnli',
    maxTargetLength,
    format: labelledFormat('qnli', ['question', 'sentence'], entailment),
    metric: 'accuracy',
    score: exactScore,
  },
  {
    name: 'rte',
    maxTargetLength,
    // GLUE and SuperGLUE have the same task under different names of columns.
    format: (row) => {
      const columns = 'premise' in row ? ['hypothesis', 'premise'] : ['sentence1', 'sentence2']
      return labelledFormat('rte', columns, entailment)(row)
    },
    metric: 'accuracy',
    score: exactScore,
  },
  { name: 'wnli', maxTargetLength, format: winogradInference, metric: 'accuracy', score: referentScore },
]
