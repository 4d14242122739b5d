import { describe, expect, it } from 'vitest';
import { Adam, Op, Sgd } from '../../assembly/isa';
import { cores } from './core';
import { rounder } from './law';
import { double, numbers, range, record } from './record';

const sizes = [...range(68).slice(1), 1000];

describe.each(cores)('optimizers, $precision', (core) => {
  const round = rounder(core);

  interface SgdOptions {
    lr: number;
    momentum?: number;
    dampening?: number;
    weightDecay?: number;
    nesterov?: boolean;
    maximize?: boolean;
  }

  /** torch.optim.SGD in plain loops, each operation rounded. */
  function sgdReference(p: number[], g: number[], b: number[], step: number, o: SgdOptions) {
    const { momentum = 0, dampening = 0, weightDecay = 0 } = o;
    for (let i = 0; i < p.length; i++) {
      let d = o.maximize ? -g[i]! : g[i]!;
      if (weightDecay) d = round(d + round(round(weightDecay) * p[i]!));
      if (momentum) {
        const fresh = round(round(1 - dampening) * d);
        b[i] = step === 1 ? d : round(round(round(momentum) * b[i]!) + fresh);
        d = o.nesterov ? round(d + round(round(momentum) * b[i]!)) : b[i]!;
      }
      p[i] = round(p[i]! - round(round(o.lr) * d));
    }
  }

  const sgdCases: SgdOptions[] = [
    { lr: 0.1 },
    { lr: 0.1, weightDecay: 0.01, maximize: true },
    { lr: 0.05, momentum: 0.9 },
    { lr: 0.05, momentum: 0.9, dampening: 0.3, weightDecay: 1e-3 },
    { lr: 0.05, momentum: 0.9, nesterov: true, weightDecay: 1e-3, maximize: true },
  ];

  it.each(sgdCases)('sgd %o has the bits of plain loops', (options) => {
    for (const size of sizes) {
      for (const [per, inPlace] of [
        [size, true],
        [16, true],
        [size, false],
      ] as const) {
        core.reset();
        const shift = size % 4;
        const real = (data: ArrayLike<number>) => core.reals(data, shift);
        const p = numbers(size, size).map(round);
        const b = new Array(size).fill(0);
        const parameter = real(p);
        const buffer = real(new Array(size).fill(Number.NaN)); // not to be read on the first step
        const newParameter = inPlace ? parameter : real(p);
        const newBuffer = inPlace ? buffer : real(b);
        const gradient = real(p);
        const lr = real([options.lr]);
        const step = core.ints([0]);
        for (let t = 1; t <= 3; t++) {
          const g = numbers(size, 100 * size + t).map(round);
          gradient.set(g);
          step[0] = t;
          core.run(
            record(Op.SGD, Math.ceil(size / per), {
              [Sgd.SIZE]: size,
              [Sgd.CHUNK]: per,
              [Sgd.LR]: lr.byteOffset,
              [Sgd.STEP]: step.byteOffset,
              ...double(Sgd.MOMENTUM, options.momentum ?? 0),
              ...double(Sgd.DAMPENING, options.dampening ?? 0),
              ...double(Sgd.WEIGHT_DECAY, options.weightDecay ?? 0),
              [Sgd.NESTEROV]: Number(options.nesterov ?? false),
              [Sgd.MAXIMIZE]: Number(options.maximize ?? false),
              [Sgd.GRADIENT]: gradient.byteOffset,
              [Sgd.PARAMETER]: parameter.byteOffset,
              [Sgd.BUFFER]: options.momentum ? buffer.byteOffset : 0,
              [Sgd.NEW_PARAMETER]: newParameter.byteOffset,
              [Sgd.NEW_BUFFER]: options.momentum ? newBuffer.byteOffset : 0,
            }),
          );
          sgdReference(p, g, b, t, options);
          expect([...newParameter]).toEqual(p);
          if (options.momentum) expect([...newBuffer]).toEqual(b);
          parameter.set(newParameter);
          buffer.set(newBuffer);
        }
      }
    }
  });

  interface AdamOptions {
    lr: number;
    beta1?: number;
    beta2?: number;
    eps?: number;
    weightDecay?: number;
    decoupled?: boolean;
    maximize?: boolean;
  }

  /** β^t by squaring, as isa.ts has it: Math.pow differs between engines. */
  function power(base: number, t: number): number {
    let result = 1;
    for (; t > 0; t = Math.floor(t / 2)) {
      if (t % 2) result *= base;
      base *= base;
    }
    return result;
  }

  /** torch.optim.Adam and AdamW in plain loops, each operation rounded. */
  function adamReference(p: number[], g: number[], m: number[], v: number[], t: number, o: AdamOptions) {
    const { beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weightDecay = 0, decoupled } = o;
    const lr = round(o.lr);
    const stepSize = round(lr / (1 - power(beta1, t)));
    const scale = round(1 / Math.sqrt(1 - power(beta2, t)));
    for (let i = 0; i < p.length; i++) {
      let d = o.maximize ? -g[i]! : g[i]!;
      if (weightDecay && decoupled) p[i] = round(p[i]! * round(1 - lr * weightDecay));
      else if (weightDecay) d = round(d + round(round(weightDecay) * p[i]!));
      m[i] = round(round(round(beta1) * m[i]!) + round(round(1 - beta1) * d));
      v[i] = round(round(round(beta2) * v[i]!) + round(round(round(1 - beta2) * d) * d));
      const denominator = round(round(round(Math.sqrt(v[i]!)) * scale) + round(eps));
      p[i] = round(p[i]! - round(round(stepSize * m[i]!) / denominator));
    }
  }

  const adamCases: AdamOptions[] = [
    { lr: 1e-3 },
    { lr: 1e-2, beta1: 0.8, beta2: 0.95, eps: 1e-6 },
    { lr: 1e-3, weightDecay: 0.1 },
    { lr: 1e-3, weightDecay: 0.1, decoupled: true },
    { lr: 1e-3, maximize: true, decoupled: true },
  ];

  it.each(adamCases)('adam %o has the bits of plain loops', (options) => {
    for (const size of sizes) {
      for (const [per, inPlace] of [
        [size, true],
        [16, true],
        [size, false],
      ] as const) {
        core.reset();
        const real = (data: ArrayLike<number>) => core.reals(data, size % 4);
        const p = numbers(size, size).map(round);
        const m = new Array(size).fill(0);
        const v = new Array(size).fill(0);
        const old = [real(p), real(m), real(v)] as const;
        const fresh = inPlace ? old : ([real(p), real(m), real(v)] as const);
        const gradient = real(p);
        const lr = real([options.lr]);
        const step = core.ints([0]);
        for (const t of [1, 2, 3, 1000, 1000001]) {
          const g = numbers(size, 100 * size + t).map(round);
          gradient.set(g);
          step[0] = t;
          core.run(
            record(Op.ADAM, Math.ceil(size / per), {
              [Adam.SIZE]: size,
              [Adam.CHUNK]: per,
              [Adam.LR]: lr.byteOffset,
              [Adam.STEP]: step.byteOffset,
              ...double(Adam.BETA1, options.beta1 ?? 0.9),
              ...double(Adam.BETA2, options.beta2 ?? 0.999),
              ...double(Adam.EPS, options.eps ?? 1e-8),
              ...double(Adam.WEIGHT_DECAY, options.weightDecay ?? 0),
              [Adam.DECOUPLED]: Number(options.decoupled ?? false),
              [Adam.MAXIMIZE]: Number(options.maximize ?? false),
              [Adam.GRADIENT]: gradient.byteOffset,
              [Adam.PARAMETER]: old[0].byteOffset,
              [Adam.M]: old[1].byteOffset,
              [Adam.V]: old[2].byteOffset,
              [Adam.NEW_PARAMETER]: fresh[0].byteOffset,
              [Adam.NEW_M]: fresh[1].byteOffset,
              [Adam.NEW_V]: fresh[2].byteOffset,
            }),
          );
          adamReference(p, g, m, v, t, options);
          [p, m, v].forEach((expected, i) => {
            expect([...fresh[i]!]).toEqual(expected);
            old[i]!.set(fresh[i]!);
          });
        }
      }
    }
  });
});
