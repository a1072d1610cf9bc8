import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openWeights, readJson, readOptionalJson } from '../../lib/checkpoint/model-folder.ts'
import { CheckpointError } from '../../lib/index.ts'
import { valid } from './malformed.ts'

let root: string
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'folder-'))
})
afterAll(() => rmSync(root, { recursive: true }))

function folderOf(name: string, files: Record<string, string | Uint8Array>): string {
  const folder = join(root, name)
  mkdirSync(folder, { recursive: true })
  for (const [file, contents] of Object.entries(files)) writeFileSync(join(folder, file), contents)
  return folder
}

describe('JSON files of a folder', () => {
  it('are read with their text', async () => {
    const text = '\ufeff{"d_model": 8, "name": "é"}'
    const folder = folderOf('good', { 'config.json': text })
    const config = await readJson(folder, 'config.json')
    expect(config.value).toEqual({ d_model: 8, name: 'é' })
    expect(config.text).toBe(text.slice(1))
    expect(await readOptionalJson(folder, 'generation_config.json')).toBe(null)
  })

  it('that are missing or broken are named', async () => {
    const folder = folderOf('bad', {
      'latin.json': Uint8Array.of(0x7b, 0x22, 0xe9, 0x22, 0x3a, 0x31, 0x7d),
      'list.json': '[1]',
    })
    mkdirSync(join(folder, 'folder.json'))
    await expect(readJson(folder, 'config.json')).rejects.toThrow(/expected config\.json in .*bad, got none/)
    await expect(readJson(folder, 'latin.json')).rejects.toThrow(/bad\/latin\.json: expected UTF-8/)
    await expect(readOptionalJson(folder, 'list.json')).rejects.toThrow(/list\.json: expected a JSON object/)
    await expect(readOptionalJson(folder, 'folder.json')).rejects.toThrow(CheckpointError)
  })
})

describe('weights of a folder', () => {
  it('are its safetensors', async () => {
    using file = await openWeights(folderOf('weights', { 'model.safetensors': valid, 'pytorch_model.bin': '' }))
    expect(file.has('scalar')).toBe(true)
  })

  it('that are missing, or in a format that is not read, say what to do', async () => {
    await expect(openWeights(folderOf('none', {}))).rejects.toThrow(
      /expected model\.safetensors or .*index\.json in .*none, got neither/,
    )
    for (const name of ['pytorch_model.bin', 'pytorch_model.bin.index.json', 'tf_model.h5', 'flax_model.msgpack']) {
      const folder = folderOf(name, { [name]: '' })
      await expect(openWeights(folder)).rejects.toThrow(CheckpointError)
      await expect(openWeights(folder)).rejects.toThrow(`got only ${name}: in Python, `)
      await expect(openWeights(folder)).rejects.toThrow(/save_pretrained/)
    }
  })
})
