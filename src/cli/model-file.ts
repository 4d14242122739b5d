import { writeFile } from 'node:fs/promises';
import { FormatError } from '../errors';
import { readSafetensors, writeSafetensors } from '../formats/safetensors';
import type { Module } from '../nn/module';
import { tensor } from '../tensor';
import { fileError, readPath } from './files';
import { buildModel, parseModelSpec } from './model-spec';

/** All that turns a row of a file into a prediction, besides the weights. Stored as JSON in the file's metadata. */
export interface ModelCard {
  version: 1;
  /** As `--model` has it. */
  model: string;
  /** The inputs are (value - mean) / std, each with its own. */
  inputs: {
    mean: number[];
    std: number[];
    /** The columns' names; null where inputs are told apart by position only. */
    names: string[] | null;
    /** Height and width, of pictures. */
    picture: [number, number] | null;
  };
  /**
   * What is predicted: one of the classes, or, where those are null, a number, the model's output · std + mean. `column` is its
   * column's name (its number where columns have no names); null where it does not come from a table.
   */
  target: { column: string | null; classes: string[] | null; mean: number; std: number };
  /** Which rows of which table were held out; null where the test examples are a file of their own. */
  split: { sha256: string; seed: number; validation: number; test: number } | null;
}

export interface StoredModel {
  module: Module;
  card: ModelCard;
}

/** The card's name in the metadata. */
const CARD = 'wasmgrad';

export function moduleFor({ model, inputs, target }: ModelCard): Module {
  return buildModel(model, inputs.mean.length, target.classes?.length ?? 1);
}

export async function saveModel(path: string, { module, card }: StoredModel): Promise<void> {
  const tensors = Object.fromEntries(
    Object.entries(module.stateDict()).map(([name, value]) => [
      name,
      { shape: value.shape, dtype: value.dtype, data: value.data() },
    ]),
  );
  await writeFile(path, writeSafetensors(tensors, { metadata: { [CARD]: JSON.stringify(card) } })).catch((error) => {
    throw fileError(path, error);
  });
}

/** The model again, with its weights. A file that `wasmgrad` has not written is a FormatError. */
export async function loadModel(path: string): Promise<StoredModel> {
  const { tensors, metadata } = parse(await readPath(path), path);
  const card = parseCard(metadata[CARD], path);
  const module = moduleFor(card);
  const state = Object.entries(tensors).map(([name, { data, ...kind }]) => [name, tensor(data, kind)] as const);
  try {
    module.loadStateDict(Object.fromEntries(state));
  } catch (error) {
    throw new FormatError(`its tensors are not those of ${card.model}: ${(error as Error).message}`, { file: path });
  }
  return { module, card };
}

function parse(bytes: Uint8Array, file: string) {
  try {
    return readSafetensors(bytes);
  } catch (error) {
    throw new FormatError(`it holds no model; ${(error as Error).message}`, { file });
  }
}

function parseCard(text: string | undefined, file: string): ModelCard {
  if (text === undefined) {
    throw new FormatError(
      `its metadata has no entry ${JSON.stringify(CARD)}, which says how data becomes the model's inputs: it was not ` +
        'written by "wasmgrad train" or "wasmgrad demo".',
      { file, argument: 'metadata', expected: CARD },
    );
  }
  let card: unknown;
  try {
    card = JSON.parse(text);
  } catch {
    card = undefined;
  }
  if (!isCard(card)) {
    throw new FormatError(`the entry ${JSON.stringify(CARD)} of its metadata is damaged, or of a newer version.`, {
      file,
      argument: 'metadata',
      got: text.slice(0, 200),
    });
  }
  return card;
}

function isCard(value: unknown): value is ModelCard {
  const { version, model, inputs, target } = (value ?? {}) as Partial<ModelCard>;
  return (
    version === 1 &&
    typeof model === 'string' &&
    parseModelSpec(model) !== undefined &&
    areNumbers(inputs?.mean) &&
    areNumbers(inputs.std) &&
    inputs.mean.length === inputs.std.length &&
    (inputs.names === null || (areTexts(inputs.names) && inputs.names.length === inputs.mean.length)) &&
    (target?.classes === null || areTexts(target?.classes)) &&
    areNumbers([target.mean, target.std])
  );
}

function areNumbers(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((each) => Number.isFinite(each));
}

function areTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'string');
}
