import { ShapeError, ValueError } from '../errors';
import { show, sizeOf } from '../shape';
import { checkReal, eye, type Tensor } from '../tensor';
import { cast, mul, where } from './elementwise';
import { matmul } from './matmul';
import { broadcastTo, permute, reshape, unsqueeze } from './movement';
import { sum } from './reduce';

/** A tensor whose axes have labels, none of them twice. */
interface Labelled {
  x: Tensor;
  labels: string[];
}

/**
 * Einstein's summation (torch.einsum): an operand's axes are letters, axes of one letter are multiplied together, and those that the
 * result lacks are added up. Without `->` the result has the letters that come once, in the order of the alphabet. `...` stands for
 * axes that broadcast, in front of the result unless it says where.
 *
 *     einsum('ij,jk->ik', a, b)      // a matrix product
 *     einsum('bhqd,bhkd->bhqk', q, k)
 *     einsum('ii->i', x)             // the diagonal
 *
 * Operands are multiplied from left to right, two at a time, by `matmul` where there is something to add up. Throws a ValueError for
 * an equation that cannot be read, a ShapeError where operands do not fit it, a DtypeError unless they are real and of one dtype.
 */
export function einsum(equation: string, ...operands: Tensor[]): Tensor {
  checkReal('einsum', Object.fromEntries(operands.map((x, i) => [`operand ${i + 1}`, x])));
  const { inputs, output } = parse(equation, operands);
  const sizes = sizesOf(equation, inputs, operands);
  let [result, ...others] = operands.map((x, i) => withoutRepeats({ x, labels: inputs[i]! }, sizes)) as [
    Labelled,
    ...Labelled[],
  ];
  while (others.length > 0) {
    const [next, ...rest] = others as [Labelled, ...Labelled[]];
    const needed = new Set([...output, ...rest.flatMap(({ labels }) => labels)]);
    result = product(result, next, needed);
    others = rest;
  }
  const { x, labels } = reduced(result, new Set(output));
  return permute(
    x,
    output.map((label) => labels.indexOf(label)),
  );
}

/** The labels of each axis: letters, and '0', '1', … for what dots stand for, counted from the last. */
function parse(equation: string, operands: Tensor[]): { inputs: string[][]; output: string[] } {
  const bad = (why: string) =>
    new ValueError(`'${equation}' ${why}.`, { op: 'einsum', argument: 'equation', got: equation });
  const match = /^((?:[A-Za-z]|\.\.\.|,)*)(->((?:[A-Za-z]|\.\.\.)*))?$/.exec(equation.replaceAll(' ', ''));
  if (!match) throw bad("is no equation; write it as 'ij,jk->ik'");
  const terms = match[1]!.split(',');
  if (terms.length !== operands.length) throw bad(`names ${terms.length} operands; got ${operands.length}`);
  let dots = 0;
  const inputs = terms.map((term, i) => {
    const letters = term.replace('...', '');
    if (letters.includes('.')) throw bad('has dots twice in one operand');
    const { rank, shape } = operands[i]!;
    const open = rank - letters.length;
    if (open < 0 || (open > 0 && letters === term)) {
      throw new ShapeError(
        `operand ${i + 1} of shape ${show(shape)} has ${rank} axes; '${term}' in '${equation}' names ${letters.length}.`,
        { op: 'einsum', argument: `operand ${i + 1}`, got: shape, expected: letters.length },
      );
    }
    if (letters !== term) dots = Math.max(dots, open);
    return labelsOf(term, open);
  });
  if (match[2]) {
    if (match[3]!.replace('...', '').includes('.')) throw bad('has dots twice in its result');
    const output = labelsOf(match[3]!, dots);
    if (new Set(output).size !== output.length) throw bad('names an axis of its result twice');
    const unknown = output.find((label) => !inputs.some((labels) => labels.includes(label)));
    if (unknown !== undefined) throw bad(`has ${unknown} in its result, which no operand has`);
    return { inputs, output };
  }
  const letters = inputs.flat().filter((label) => /[A-Za-z]/.test(label));
  const once = letters.filter((label) => letters.indexOf(label) === letters.lastIndexOf(label));
  return { inputs, output: [...labelsOf('...', dots), ...once.sort()] };
}

/** One label an axis; dots are `open` axes. */
function labelsOf(term: string, open: number): string[] {
  const [before, behind] = term.split('...') as [string, string?];
  if (behind === undefined) return [...before];
  return [...before, ...Array.from({ length: open }, (_, i) => String(open - 1 - i)), ...behind];
}

/** The length of each label's axes: of those that dots stand for, 1 stretches. */
function sizesOf(equation: string, inputs: string[][], operands: Tensor[]): Map<string, number> {
  const sizes = new Map<string, number>();
  inputs.forEach((labels, i) => {
    labels.forEach((label, axis) => {
      const [known, own] = [sizes.get(label), operands[i]!.shape[axis]!];
      if (known === undefined || (known === 1 && own !== 1)) sizes.set(label, own);
      else if (own !== known && own !== 1) {
        const name = /[A-Za-z]/.test(label) ? label : '...';
        throw new ShapeError(
          `${name} in '${equation}' is ${known} long, and ${own} in operand ${i + 1} of shape ${show(operands[i]!.shape)}.`,
          { op: 'einsum', argument: `operand ${i + 1}`, got: own, expected: known },
        );
      }
    });
  });
  return sizes;
}

/** Every label once: the diagonal of axes that share one; and axes of length 1 as long as they are elsewhere. */
function withoutRepeats({ x, labels }: Labelled, sizes: Map<string, number>): Labelled {
  const wide = broadcastTo(
    x,
    labels.map((label) => sizes.get(label)!),
  );
  const second = labels.findIndex((label, i) => labels.indexOf(label) !== i);
  if (second < 0) return { x: wide, labels };
  const first = labels.indexOf(labels[second]!);
  const length = wide.shape[first]!;
  const shape = labels.map((_, axis) => (axis === first || axis === second ? length : 1));
  const diagonal = cast(reshape(eye(length), shape), 'bool');
  const y = sum(where(diagonal, wide, 0), { axis: second });
  return withoutRepeats({ x: y, labels: labels.filter((_, i) => i !== second) }, sizes);
}

/** Without the labels that nobody needs any more: these are added up. */
function reduced({ x, labels }: Labelled, needed: Set<string>): Labelled {
  const axis = labels.flatMap((label, i) => (needed.has(label) ? [] : [i]));
  if (axis.length === 0) return { x, labels };
  return { x: sum(x, { axis }), labels: labels.filter((label) => needed.has(label)) };
}

/** a·b, over labels of both that are not needed afterwards added up. */
function product(a: Labelled, b: Labelled, needed: Set<string>): Labelled {
  const left = reduced(a, new Set([...needed, ...b.labels]));
  const right = reduced(b, new Set([...needed, ...a.labels]));
  const shared = left.labels.filter((label) => right.labels.includes(label));
  const batch = shared.filter((label) => needed.has(label));
  const inner = shared.filter((label) => !needed.has(label));
  const rows = left.labels.filter((label) => !shared.includes(label));
  const columns = right.labels.filter((label) => !shared.includes(label));
  const lengths = ({ x, labels }: Labelled, of: string[]) => of.map((label) => x.shape[labels.indexOf(label)]!);
  const arranged = ({ x, labels }: Labelled, order: string[]) =>
    permute(
      x,
      order.map((label) => labels.indexOf(label)),
    );
  const labels = [...batch, ...rows, ...columns];
  const shape = [...lengths(left, [...batch, ...rows]), ...lengths(right, columns)];
  if (inner.length === 0) {
    const wide = columns.reduce((x) => unsqueeze(x, -1), arranged(left, [...batch, ...rows]));
    const narrow = reshape(arranged(right, [...batch, ...columns]), [
      ...lengths(right, batch),
      ...rows.map(() => 1),
      ...lengths(right, columns),
    ]);
    return { x: mul(wide, narrow), labels };
  }
  // [batch, rows, inner] x [batch, inner, columns] -> [batch, rows, columns]
  const outer = lengths(left, batch);
  const k = sizeOf(lengths(left, inner));
  const matrix = reshape(arranged(left, [...batch, ...rows, ...inner]), [...outer, sizeOf(lengths(left, rows)), k]);
  const other = reshape(arranged(right, [...batch, ...inner, ...columns]), [
    ...outer,
    k,
    sizeOf(lengths(right, columns)),
  ]);
  return { x: reshape(matmul(matrix, other), shape), labels };
}
