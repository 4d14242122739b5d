import { DataError, ValueError } from '../errors';
import type { NdArray } from './dataset';

/**
 * Rows of text, all of one length. Cells are cut from the text when a row is asked for: sixty thousand images
 * of 784 cells each would not fit as strings.
 */
export interface Table {
  readonly name: string;
  readonly columns: readonly string[];
  /** Rows of data. */
  readonly length: number;
  row(index: number): string[];
  /** The line of the text on which a row begins, counted from 1. */
  line(index: number): number;
}

export interface XYOptions {
  /** The column to predict: its name, or its number, from 0 on or from the end where negative. */
  target: string | number;
  /**
   * 'auto': classification where the target is words or whole numbers 0 … k - 1, all of them present; else regression.
   * 'classification' makes any numbers classes too.
   */
  task?: 'auto' | 'classification' | 'regression';
  /** The classes, in order, where they are known: those of the training data, for all data that the model sees later. */
  classes?: readonly string[];
  dtype?: 'f32' | 'f64';
}

/** `y` is [n]: i32 indices of `classes`, or real numbers where there are none. `x` is [n, features]. */
export interface LabelledTable {
  x: NdArray<Float32Array | Float64Array>;
  y: NdArray<Float32Array | Float64Array | Int32Array>;
  classes?: string[];
  featureNames: string[];
}

/** Features and target of a table. A cell that is not what its column needs is a DataError with line, column and value. */
export function tableToXY(table: Table, { target, task = 'auto', classes, dtype = 'f32' }: XYOptions): LabelledTable {
  const targetColumn = findColumn(table, target);
  const targetName = table.columns[targetColumn]!;
  const featureNames = table.columns.filter((_, column) => column !== targetColumn);
  const width = featureNames.length;
  if (width === 0) {
    throw new DataError(`the target ${quote(targetName)} is the only column: nothing is left to predict it from.`, {
      file: table.name,
      argument: 'target',
      got: target,
    });
  }

  const Reals = dtype === 'f64' ? Float64Array : Float32Array;
  const x = new Reals(table.length * width);
  const labels: string[] = [];
  for (let row = 0; row < table.length; row++) {
    const cells = table.row(row);
    labels.push(cells.splice(targetColumn, 1)[0]!);
    if (labels[row]!.trim() === '') throw badCell(table, row, targetName, labels[row]!, 'must not be empty');
    for (let column = 0; column < width; column++) {
      const value = toNumber(cells[column]!, dtype);
      if (value === undefined) throw badCell(table, row, featureNames[column]!, cells[column]!, NOT_A_NUMBER);
      x[row * width + column] = value;
    }
  }
  const features = { x: { shape: [table.length, width], data: x }, featureNames };

  const known = classes ?? (task === 'regression' ? undefined : classesOf(labels, task));
  if (!known || task === 'regression') {
    const y = new Reals(labels.length);
    labels.forEach((label, row) => {
      const value = toNumber(label, dtype);
      if (value === undefined) throw badCell(table, row, targetName, label, NOT_A_NUMBER);
      y[row] = value;
    });
    return { ...features, y: { shape: [labels.length], data: y } };
  }
  const indices = new Map(known.map((name, index) => [name, index]));
  const y = Int32Array.from(labels, (label, row) => {
    const index = indices.get(label) ?? (isNumber(label) ? indices.get(String(Number(label))) : undefined);
    if (index === undefined) throw badCell(table, row, targetName, label, `must be one of ${list(known)}`);
    return index;
  });
  return { ...features, y: { shape: [labels.length], data: y }, classes: [...known] };
}

const NOT_A_NUMBER = 'must be a finite number';

/** The classes that labels name; undefined where 'auto' takes the labels for measured numbers. */
function classesOf(labels: string[], task: 'auto' | 'classification'): string[] | undefined {
  const distinct = [...new Set(labels)];
  const numbers = [...new Set(distinct.map((label) => toNumber(label, 'f64')))];
  if (!numbers.every((number) => number !== undefined)) return distinct.sort();
  numbers.sort((a, b) => a - b);
  const dense = numbers.every((number, index) => number === index);
  return dense || task === 'classification' ? numbers.map(String) : undefined;
}

/** A cell as a finite number of the dtype, or undefined. `Number` alone takes an empty cell for 0. */
function toNumber(cell: string, dtype: 'f32' | 'f64'): number | undefined {
  const value = cell.trim() === '' ? Number.NaN : Number(cell);
  return Number.isFinite(dtype === 'f32' ? Math.fround(value) : value) ? value : undefined;
}

export function isNumber(cell: string): boolean {
  return toNumber(cell, 'f64') !== undefined;
}

function findColumn({ columns, name }: Table, target: string | number): number {
  const column = typeof target === 'string' ? columns.indexOf(target) : -1;
  if (column === -1) {
    const index = isNumber(String(target)) ? Number(target) : Number.NaN;
    if (Number.isInteger(index) && index >= -columns.length && index < columns.length) {
      return index < 0 ? index + columns.length : index;
    }
  } else if (column === columns.lastIndexOf(String(target))) return column;
  throw new ValueError(
    column === -1
      ? `there is no column ${quote(target)} to be the target; there are ${list(columns)}.`
      : `two columns are called ${quote(target)}; name the target by its number, from 0 to ${columns.length - 1}.`,
    { file: name, argument: 'target', got: target, expected: columns },
  );
}

function badCell({ name, line }: Table, row: number, column: string, got: string, must: string): DataError {
  return new DataError(`the cell of column ${quote(column)} ${must}; got ${quote(got)}.`, {
    file: name,
    line: line(row),
    argument: column,
    got,
  });
}

function quote(name: string | number): string {
  return typeof name === 'string' ? JSON.stringify(name) : String(name);
}

function list(names: readonly string[]): string {
  const shown = names.slice(0, 12).map(quote).join(', ');
  return names.length > 12 ? `${shown}, … (${names.length} in all)` : shown;
}
