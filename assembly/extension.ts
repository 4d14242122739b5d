import { Op, Record } from './isa';
import { attention, attentionBackward } from './kernels/attention';
import { convolution, convolutionTranspose, convolutionWeight } from './kernels/convolution';
import { dynamicCopy } from './kernels/dynamic';
import { averagePool, averagePoolBackward, maxPool, maxPoolBackward } from './kernels/pooling';
import { cholesky, solve } from './kernels/linalg';
import { loop } from './kernels/loop';
import { normalize, normalizeBackward } from './kernels/norm';
import { recurrent, recurrentBackward } from './kernels/recurrent';
import { argsort } from './kernels/sort';
import { upsample, upsampleBackward } from './kernels/upsample';
import { word } from './real';

/**
 * The extension: kernels that an application with dense layers alone does not need, as a wasm of their own on the same memory. The
 * core calls it for every opcode from Op.EXTENSION on; src/ops/extension.ts sees to it that only those carry it who have such an op.
 */
export function execute(record: usize, chunk: i32, scratch: usize): void {
  switch (word(record, Record.OP)) {
    case Op.ARGSORT:
      argsort(record, chunk);
      break;
    case Op.MAX_POOL:
      maxPool(record, chunk);
      break;
    case Op.AVERAGE_POOL:
      averagePool(record, chunk);
      break;
    case Op.AVERAGE_POOL_BACKWARD:
      averagePoolBackward(record, chunk);
      break;
    case Op.MAX_POOL_BACKWARD:
      maxPoolBackward(record, chunk);
      break;
    case Op.CONVOLUTION:
      convolution(record, chunk, scratch);
      break;
    case Op.CONVOLUTION_WEIGHT:
      convolutionWeight(record, chunk, scratch);
      break;
    case Op.CONVOLUTION_TRANSPOSE:
      convolutionTranspose(record, chunk, scratch);
      break;
    case Op.SOLVE:
      solve(record, chunk);
      break;
    case Op.CHOLESKY:
      cholesky(record, chunk);
      break;
    case Op.NORMALIZE:
      normalize(record, chunk, scratch);
      break;
    case Op.NORMALIZE_BACKWARD:
      normalizeBackward(record, chunk, scratch);
      break;
    case Op.UPSAMPLE:
      upsample(record, chunk, scratch);
      break;
    case Op.UPSAMPLE_BACKWARD:
      upsampleBackward(record, chunk);
      break;
    case Op.DYNAMIC_COPY:
      dynamicCopy(record, chunk);
      break;
    case Op.LOOP:
      loop(record, scratch);
      break;
    case Op.ATTENTION:
      attention(record, chunk, scratch);
      break;
    case Op.ATTENTION_BACKWARD:
      attentionBackward(record, chunk, scratch);
      break;
    case Op.RECURRENT:
      recurrent(record, chunk, scratch);
      break;
    case Op.RECURRENT_BACKWARD:
      recurrentBackward(record, chunk, scratch);
      break;
  }
}
