export * from './elementwise.ts'
