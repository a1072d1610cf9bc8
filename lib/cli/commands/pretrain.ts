import { group } from '../command.ts'
import { pretrainElectra } from './pretrain-electra.ts'
import { pretrainT5 } from './pretrain-t5.ts'

export const pretrain = group({
  summary: 'trains a model on unlabelled text',
  details:
    'Ctrl-C finishes the step, saves and ends with exit code 130; --resume then goes on as if nothing had happened.',
  commands: { electra: pretrainElectra, t5: pretrainT5 },
})
