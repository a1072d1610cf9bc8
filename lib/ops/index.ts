export * from './activation.ts'
export * from './dropout.ts'
export * from './elementwise.ts'
export * from './gemm.ts'
