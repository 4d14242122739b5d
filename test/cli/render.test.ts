import { describe, expect, test } from 'vitest';
import { renderBar } from '../../src/cli/render/bar';
import { renderConfusion } from '../../src/cli/render/confusion';
import { formatDuration, formatLoss, formatPercent, plural } from '../../src/cli/render/numbers';
import { renderPicture } from '../../src/cli/render/picture';
import { renderLossPlot } from '../../src/cli/render/plot';
import { ansi, joinFitting, padEnd, sideBySide, truncate, widthOf, wrap } from '../../src/cli/render/text';

const ESCAPE = '\x1b';

describe('numbers as people read them', () => {
  test.each([
    [2.34567, '2.346'],
    [0.045123, '0.04512'],
    [0.0000123, '1.23e-5'],
    [0, '0.000'],
    [1234.5, '1235'],
    [1.5e9, '1.50e+9'],
    [Number.NaN, 'NaN'],
  ])('loss %d is %s', (value, text) => expect(formatLoss(value)).toBe(text));

  test.each([
    [0.0141, '14 ms'],
    [0.8, '0.8 s'],
    [59.4, '59 s'],
    [59.7, '1 min 0 s'],
    [200, '3 min 20 s'],
    [3900, '1 h 5 min'],
  ])('%d seconds are %s', (seconds, text) => expect(formatDuration(seconds)).toBe(text));

  test('shares and counts', () => {
    expect(formatPercent(0.9777)).toBe('97.8 %');
    expect(plural(1, 'step')).toBe('1 step');
    expect(plural(12345, 'step')).toBe('12,345 steps');
  });
});

describe('text', () => {
  test('width is in columns: escape codes have none, combining marks none, CJK and emoji two', () => {
    expect(widthOf(ansi.bold('abc'))).toBe(3);
    expect(widthOf('e\u0301')).toBe(1);
    expect(widthOf('日本')).toBe(4);
    expect(widthOf('🐈')).toBe(2);
    expect(padEnd('日本', 6)).toBe('日本  ');
    expect(truncate('versicolor', 6)).toBe('versi…');
  });

  test('wraps at spaces, and leaves a word that is too long whole', () => {
    expect(wrap('one two three', 7)).toEqual(['one two', 'three']);
    expect(wrap('unbreakable ab', 5)).toEqual(['unbreakable', 'ab']);
  });

  test('joins as many parts as fit', () => {
    expect(joinFitting(['aaa', 'bbb', 'ccc'], '  ', 8)).toBe('aaa  bbb');
    expect(joinFitting(['too wide', 'b'], '  ', 3)).toBe('too wide');
  });

  test('blocks stand beside each other, and below where they do not fit', () => {
    const block = ['ab', 'cd'];
    expect(sideBySide([block, block], 7)).toEqual(['ab   ab', 'cd   cd']);
    expect(sideBySide([block, ['x']], 6)).toEqual(['ab', 'cd', '', 'x']);
    expect(sideBySide([], 80)).toEqual([]);
  });
});

describe('progress bar', () => {
  const progress = {
    step: 2345,
    totalSteps: 4690,
    epoch: 3,
    epochs: 5,
    loss: 0.4321,
    examplesPerSecond: 123456,
    seconds: 4.2,
  };

  test('tells everything where there is room', () => {
    expect(renderBar(progress, 100)).toBe(
      '━━━━━━━━━━─────────   50 %  epoch 3/5  step 2,345/4,690  loss 0.4321  123,456 examples/s  4.2 s left',
    );
  });

  test('leaves out the least interesting parts where there is not', () => {
    expect(renderBar(progress, 60)).toBe('━━━━━━━━━━━━────────────  epoch 3/5  loss 0.4321  4.2 s left');
    expect(renderBar(progress, 40)).toBe('━━━━━━━━────────  epoch 3/5  loss 0.4321');
    for (let width = 40; width <= 100; width++)
      expect(widthOf(renderBar(progress, width, ansi))).toBeLessThanOrEqual(width);
  });

  test('has no bar where the end is unknown', () => {
    const line = renderBar({ ...progress, totalSteps: undefined }, 80);
    expect(line).toBe('epoch 3/5  step 2,345  loss 0.4321  123,456 examples/s');
  });
});

describe('loss plot', () => {
  const falling = Array.from({ length: 200 }, (_, i) => 2 * Math.exp(-i / 30) + 0.01);

  test('is a line of braille on a log scale where the loss falls by orders of magnitude', () => {
    const plot = { losses: falling, validation: [{ step: 100, loss: 0.1 }], totalSteps: 200, stepsPerEpoch: 20 };
    expect(renderLossPlot(plot, { width: 50, height: 8 }).join('\n')).toMatchInlineSnapshot(`
      "        │⠉⠒⠤⣀
            1 ┤    ⠉⠒⠤⣀
          0.5 ┤        ⠉⠒⠤⣀
          0.2 ┤            ⠉⠒⠤⣀
          0.1 ┤                ⠉⠒⠤⢄●
         0.05 ┤                    ⠈⠑⠒⠤⣀
              │                         ⠉⠑⠒⠤⢄⣀
         0.02 ┤                               ⠉⠉⠒⠒⠢⠤⠤⢄⣀⣀
              └┬───────────────────┬────────────────────
               0                   5               epoch
               ⠒⠒ training loss   ● validation 0.1000"
    `);
  });

  test('has a linear scale otherwise', () => {
    const losses = Array.from({ length: 50 }, (_, i) => 1 - i / 100);
    expect(renderLossPlot({ losses, totalSteps: 100 }, { width: 40, height: 6 }).join('\n')).toMatchInlineSnapshot(`
      "    1.0 ┤⠑⠤⡀
              │  ⠈⠒⢄
          0.8 ┤     ⠑⠢⡀
              │       ⠈⠑⢄⡀
          0.6 ┤          ⠈⠢⢄
              │             ⠑⠤⡀
              └┬──────────────┬───────────────
               0             50           step
               ⠒⠒ training loss"
    `);
  });

  test('every line fits, in colour as well', () => {
    for (const width of [40, 57, 100]) {
      const validation = falling.map((loss, step) => ({ step: step + 1, loss }));
      for (const style of [undefined, ansi]) {
        const lines = renderLossPlot({ losses: falling, validation }, { width, height: 5 }, style);
        expect(lines).toHaveLength(8);
        for (const line of lines) expect(widthOf(line)).toBeLessThanOrEqual(width);
      }
    }
  });

  test('bears one step, equal losses, negative ones, and some that are not finite', () => {
    const size = { width: 40, height: 5 };
    for (const losses of [[0.5], [1, 1, 1], [0, 0], [-3, -2, 5], [1, Number.NaN, 0.5, Number.POSITIVE_INFINITY]]) {
      const text = renderLossPlot({ losses }, size).join('\n');
      expect(text).toMatch(/[\u2801-\u28ff]/);
      expect(text).not.toContain('NaN');
    }
    expect(renderLossPlot({ losses: [] }, size)).toEqual([]);
    expect(renderLossPlot({ losses: [Number.NaN] }, size)).toEqual([]);
  });

  test('smooths the noise of steps', () => {
    const noisy = Array.from({ length: 6000 }, (_, i) => 1 + (i % 2));
    const drawn = renderLossPlot({ losses: noisy }, { width: 60, height: 7 });
    // 1.5 all the time: the middle row of the plot.
    const rows = drawn.slice(0, 7).map((line) => line.match(/[\u2801-\u28ff]/g)?.length ?? 0);
    expect(rows).toEqual([0, 0, 0, 51, 0, 0, 0]);
  });
});

describe('confusion matrix', () => {
  const counts = [
    [50, 0],
    [3, 47],
  ];

  test('is aligned', () => {
    expect(renderConfusion(counts, ['cat', 'wild dog'], 80)!.join('\n')).toMatchInlineSnapshot(`
      "            predicted
      true     │       cat wild dog    found
      ─────────┼────────────────────────────
           cat │        50        ·  100.0 %
      wild dog │         3       47   94.0 %"
    `);
  });

  test('paints what is right and what is wrong', () => {
    const rows = renderConfusion(counts, ['a', 'b'], 80, ansi)!;
    expect(rows[3]).toContain(ansi.bold(ansi.green('  50')));
    expect(rows[4]).toContain(ansi.red('   3'));
  });

  test('is left out where it does not fit, and has no share for a class without examples', () => {
    const many = Array.from({ length: 30 }, (_, i) => `class ${i}`);
    expect(
      renderConfusion(
        many.map(() => many.map(() => 0)),
        many,
        100,
      ),
    ).toBeUndefined();
    expect(
      renderConfusion(
        [
          [1, 0],
          [0, 0],
        ],
        ['a', 'b'],
        80,
      )!.at(-1),
    ).toMatch(/–$/);
  });
});

describe('picture', () => {
  const cross = { height: 2, width: 2, pixels: [0, 1, 0.5, 0] };

  test('is made of shades where there are no colours', () => {
    const lines = renderPicture(cross);
    expect(lines).toEqual([
      ...Array(4).fill(`${' '.repeat(8)}${'█'.repeat(8)}`),
      ...Array(4).fill(`${'▒'.repeat(8)}${' '.repeat(8)}`),
    ]);
  });

  test('is made of half blocks, two pixels each, where there are', () => {
    const column = { height: 17, width: 1, pixels: Array.from({ length: 17 }, (_, y) => y % 2) };
    const lines = renderPicture(column, ansi);
    expect(lines).toHaveLength(9);
    expect(lines[0]).toBe(`${ESCAPE}[38;5;16;48;5;231m▀${ESCAPE}[39;49m`);
  });
});
