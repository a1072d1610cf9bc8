import { group } from '../command.ts'
import { classify } from './classify.ts'
import { detect } from './detect.ts'
import { evaluate } from './evaluate.ts'
import { fillMask } from './fill-mask.ts'
import { finetune } from './finetune.ts'
import { generate } from './generate.ts'
import { info } from './info.ts'
import { pretrain } from './pretrain.ts'
import { tokenizer } from './tokenizer.ts'

/** The program: all commands by name. */
export const duoformer = group({
  summary: 'trains and runs T5 and ELECTRA models',
  details:
    "MODEL is a folder in Hugging Face's layout, or the id of a model on its hub, such as google-t5/t5-small. Exit codes: 0 done, 1 failed, 2 a command written wrong, 130 stopped by Ctrl-C. DUOFORMER_DEBUG=1 shows where errors come from.",
  commands: { pretrain, finetune, evaluate, generate, classify, detect, 'fill-mask': fillMask, tokenizer, info },
})
