export * from './objective.ts'
export { type LaunchedStep, launchStep, type StepSettings } from './step.ts'
