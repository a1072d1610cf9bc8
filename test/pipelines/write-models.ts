// Writes the models of the golden pipelines to a folder, for test/golden/pipelines/make.py to read.
import { join } from 'node:path'
import { modelNames, writeModel } from './folders.ts'

const [root] = process.argv.slice(2)
if (root === undefined) throw new Error('expected the folder to write to')
for (const name of modelNames) writeModel(join(root, name), name)
