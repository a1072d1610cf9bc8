/** One step of the optimiser. */
export interface StepEvent {
  readonly type: 'step'
  /** From 1: the number of steps so far. */
  readonly step: number
  /** Before the step. */
  readonly loss: number
  /** The terms of the loss, before their factors. */
  readonly terms: Readonly<Record<string, number>>
  /** Targets that each term was the mean of. */
  readonly targets: Readonly<Record<string, number>>
  /** Real tokens that were read. */
  readonly tokens: number
  /** Before clipping. */
  readonly gradNorm: number
  readonly lr: number
  /** Whether loss or gradients were not finite, so that the step changed nothing. */
  readonly skipped: boolean
  /** Since the step before, or the start. */
  readonly seconds: number
}

export interface EvaluateEvent {
  readonly type: 'evaluate'
  readonly step: number
  readonly metrics: Readonly<Record<string, number>>
  /** Whether the metric that is watched was better than ever. */
  readonly best: boolean
}

export interface SaveEvent {
  readonly type: 'save'
  readonly step: number
  readonly path: string
}

/**
 * Why a run ended: all steps were taken, the data came to its end, the watched metric stopped improving, a step was not
 * finite, or the signal was aborted.
 */
export type EndReason = 'maxSteps' | 'dataEnd' | 'earlyStopping' | 'nonFinite' | 'aborted'

export interface EndEvent {
  readonly type: 'end'
  readonly step: number
  readonly reason: EndReason
  /** Steps of all runs that were left out because loss or gradients were not finite. */
  readonly skipped: number
}

export type TrainingEvent = StepEvent | EvaluateEvent | SaveEvent | EndEvent
