import { binariesOf } from '../machine/cores';
import { NUMERICS } from './checkpoints';
import { fingerprint, sha256 } from './fingerprint';
import type { TrainingRun } from './run';

/** What two people compare who want to know that they trained the same thing: plain data, the same on every engine and number of threads. */
export interface Receipt {
  /** SHA-256 of the examples (null where batches came from somewhere), and of those held out. */
  data: string | null;
  validation: string | null;
  /** SHA-256 of what was computed, step after step: all programs, of model, loss, optimizer, schedule, augmentation and metrics. */
  program: string;
  /** SHA-256 of the code that computed it, and the number of its numerics. */
  core: string;
  numerics: number;
  seed: number;
  epochs: number;
  batchSize: number;
  shuffle: boolean;
  dropLast: boolean;
  steps: number;
  /** SHA-256 of the model's state, in the order of the names. */
  weights: string;
}

/** The receipt of a run that is done; resolves when it is, and rejects where it fails. */
export async function receipt(run: TrainingRun): Promise<Receipt> {
  const { steps } = await run.done;
  const { model, builder, plan } = run.job;
  const programs: string[] = [];
  for (const { program } of builder.programs) {
    const { words, relocations, segments, constants, cells, inputs, outputs, real } = program;
    for (const array of [words, relocations, segments, ...constants.map(({ data }) => data)]) {
      programs.push(await sha256(array));
    }
    programs.push(JSON.stringify({ cells, inputs, outputs, real }));
  }
  const text = (parts: string[]) => sha256(new TextEncoder().encode(parts.join('\n')));
  const state = model.namedCells().sort(([a], [b]) => (a < b ? -1 : 1));
  const weights: string[] = [];
  for (const [name, cell] of state) {
    weights.push(`${name} ${cell.dtype}[${cell.shape}]`, await sha256(cell.values()));
  }
  const { epochs, batchSize, seed, shuffle, dropLast } = plan;
  const { core, extension } = binariesOf(builder.programs[0]!.program.real);
  const isExtended = builder.programs.some(({ program }) => program.extended);
  return {
    data: plan.data && (await fingerprint(plan.data)),
    validation: plan.validation && (await fingerprint(plan.validation.data)),
    program: await text(programs),
    core: await text([await sha256(core), isExtended ? await sha256(extension!) : '']),
    numerics: NUMERICS,
    ...{ seed, epochs, batchSize, shuffle, dropLast, steps },
    weights: await text(weights),
  };
}
