export { type ChartOptions, chart, type Series } from './chart.ts'
export { Html, html } from './html.ts'
export { page, table, writePage } from './page.ts'
export { RunCurves, RunReport, type RunReportOptions } from './run-report.ts'
