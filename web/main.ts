// The page: a run of train() in a worker, steered and drawn. All figures that it shows come from the run's events.
import {
  accuracy,
  argmax,
  crossEntropy,
  type EpochEvent,
  indexSelect,
  manualSeed,
  readDigits,
  softmax,
  split,
  type Tensor,
  type TrainingRun,
  tensor,
  train,
} from 'wasmgrad';
import { Linear, ReLU, Sequential } from 'wasmgrad/nn';
import { Adam } from 'wasmgrad/optim';
import { accuracyChart, lossChart } from './charts';
import { keepOffline, onUpdate } from './offline';
import { showDigits, showNeurons } from './pictures';

const HIDDEN = 32;
const EPOCHS = 30;
const BATCH_SIZE = 32;
/** Steps per second at which an eye can follow; at full speed there are thousands. */
const WATCHABLE = 120;
/** Of each digit, among those held out. */
const SHOWN = 3;

type State = 'loading' | 'ready' | 'training' | 'paused' | 'done';

const page = document.documentElement.dataset;
const element = <E extends HTMLElement = HTMLElement>(id: string) => document.getElementById(id) as E;
const play = element<HTMLButtonElement>('play');
const step = element<HTMLButtonElement>('step');
const reset = element<HTMLButtonElement>('reset');
const seed = element<HTMLInputElement>('seed');
const fast = element<HTMLInputElement>('fast');
const losses = lossChart(element('loss-chart'));
const accuracies = accuracyChart(element('accuracy-chart'));

const percent = (share: number) => `${(share * 100).toFixed(1)} %`;
const count = (n: number) => n.toLocaleString('en');

interface LabelledTensors {
  x: Tensor;
  y: Tensor;
}

/** The digits, and a fifth of them held out: the same fifth every time, whatever the seed. */
async function load(): Promise<{ data: LabelledTensors; validation: LabelledTensors }> {
  const response = await fetch('data/digits.csv.gz');
  if (!response.ok) throw new Error(`the digits are missing (${response.status})`);
  const { x, y } = await readDigits(await response.arrayBuffer());
  const parts = split(y.data.length, { validation: 0.2, stratify: y.data });
  const take = (rows: Int32Array) => ({
    x: indexSelect(tensor(x.data, { shape: x.shape }), tensor(rows)),
    y: indexSelect(tensor(y.data), tensor(rows)),
  });
  return { data: take(parts.train), validation: take(parts.validation) };
}

/** Where the first few of each digit are: 0 to 9, and again. */
function firstOfEach(labels: Int32Array): Int32Array {
  const digits = Array.from({ length: 10 }, (_, digit) => [...labels.keys()].filter((i) => labels[i] === digit));
  return Int32Array.from({ length: 10 * SHOWN }, (_, i) => digits[i % 10]![Math.floor(i / 10)]!);
}

/** One network from its first weights to its last. */
class Session {
  readonly model: Sequential;
  private readonly optimizer: Adam;
  private readonly shown: LabelledTensors;
  private run: TrainingRun | null = null;
  private readonly batchLosses: number[] = [];
  private readonly epochs: EpochEvent[] = [];
  private readonly stepsPerEpoch: number;
  private changed = true;
  private looking = false;
  private slowed = false;
  private seconds = 0;
  private owed = 0;
  private framed = 0;

  constructor(
    private readonly digits: { data: LabelledTensors; validation: LabelledTensors },
    private readonly seed: number,
  ) {
    manualSeed(seed);
    this.model = new Sequential(new Linear(64, HIDDEN), new ReLU(), new Linear(HIDDEN, 10));
    this.optimizer = new Adam(this.model.parameters(), { lr: 0.002 });
    const { x, y } = digits.validation;
    const rows = tensor(firstOfEach(y.data() as Int32Array));
    this.shown = { x: indexSelect(x, rows), y: indexSelect(y, rows) };
    this.stepsPerEpoch = Math.ceil(digits.data.y.size / BATCH_SIZE);
    this.look();
  }

  private start(): TrainingRun {
    const run = train({
      model: this.model,
      loss: crossEntropy,
      optimizer: this.optimizer,
      ...this.digits,
      epochs: EPOCHS,
      batchSize: BATCH_SIZE,
      seed: this.seed,
      metrics: { accuracy },
      worker: () => new Worker('worker.js'),
    });
    this.run = run;
    this.follow(run).catch(fail);
    return run;
  }

  private async follow(run: TrainingRun): Promise<void> {
    for await (const event of run) {
      if (event.kind === 'step') this.batchLosses.push(event.loss);
      else if (event.kind === 'epoch') this.epochs.push(event);
      this.changed = true;
    }
    this.seconds = (await run.done).seconds;
    if (session !== this) return;
    this.look();
    enter('done');
  }

  /** Lets the run go on: at full speed, or by as many steps as the time since the last frame is worth. */
  advance(now: number): void {
    const since = Math.min(now - this.framed, 100);
    this.framed = now;
    if (fast.checked) {
      if (!this.run) this.start();
      else if (this.owed !== Number.POSITIVE_INFINITY) this.run.resume();
      this.owed = Number.POSITIVE_INFINITY;
      return;
    }
    if (this.owed === Number.POSITIVE_INFINITY) this.owed = 0;
    this.owed += (since / 1000) * WATCHABLE;
    const steps = Math.floor(this.owed);
    if (steps === 0) return;
    this.owed -= steps;
    this.step(steps);
  }

  step(steps: number): void {
    this.slowed = true;
    (this.run ?? this.start()).step(steps);
  }

  pause(): void {
    this.slowed = true;
    this.owed = 0;
    this.run?.pause();
  }

  stop(): void {
    this.run?.stop();
  }

  /** Draws what has changed since the last frame, however many events that were. */
  draw(): void {
    if (!this.changed) return;
    this.changed = false;
    const steps = this.batchLosses.length;
    const loss = this.batchLosses.at(-1);
    const last = this.epochs.at(-1);
    const total = this.stepsPerEpoch * EPOCHS;
    losses.draw(this.batchLosses, this.epochs, total);
    accuracies.draw(this.epochs, EPOCHS);
    element('steps').textContent = `${count(steps)} of ${count(total)}`;
    element('epoch').textContent = `${Math.min(Math.floor(steps / this.stepsPerEpoch) + 1, EPOCHS)} of ${EPOCHS}`;
    element('loss').textContent = loss === undefined ? '–' : loss.toFixed(3);
    element('progress').style.width = `${(steps / total) * 100}%`;
    if (loss === undefined) delete page.loss;
    else page.loss = String(loss);
    if (last?.validation) {
      element('accuracy-chart').ariaLabel =
        `Accuracy after epoch ${last.epoch}: ${percent(last.metrics.accuracy!)} of the training digits, ` +
        `${percent(last.validation.accuracy!)} of those held out`;
      element('loss-chart').ariaLabel =
        `Loss after epoch ${last.epoch}: ${last.loss.toFixed(3)} in training, ${last.validation.loss.toFixed(3)} held out`;
    }
    if (this.run && !this.looking) {
      this.looking = true;
      this.run.snapshot().then(
        () => {
          this.looking = false;
          this.look();
        },
        () => {}, // The run's end is told by `follow`.
      );
    }
  }

  /** Asks the network, as it is now, about held-out digits. It is small: the page's own thread answers. */
  private look(): void {
    if (session && session !== this) return;
    const { x, y } = this.digits.validation;
    const right = accuracy(this.model.forward(x), y).item() as number;
    element('accuracy').textContent = percent(right);
    const odds = softmax(this.model.forward(this.shown.x), { axis: 1 });
    showDigits(element('digits'), {
      pixels: this.shown.x.data() as Float32Array,
      labels: this.shown.y.data() as Int32Array,
      guesses: argmax(odds, { axis: 1 }).data() as Int32Array,
      odds: odds.data() as Float32Array,
    });
    showNeurons(element('neurons'), this.model.stateDict()['0.weight']!.data() as Float32Array);
  }

  /** How many held-out digits the network reads right, and, where nothing held it up, how long it took to learn that. */
  verdict(): string {
    const right = this.epochs.at(-1)?.validation?.accuracy ?? 0;
    const { size } = this.digits.validation.y;
    const took = this.slowed ? '' : `, after ${this.seconds.toFixed(2)} s of training`;
    return `${Math.round(right * size)} of ${size} held-out digits read right${took}.`;
  }
}

let session: Session | null = null;
let state: State = 'loading';

const words: Record<State, () => string> = {
  loading: () => 'Loading the digits…',
  ready: () => 'Ready. It has learned nothing yet.',
  training: () =>
    fast.checked ? 'Training at full speed.' : `Training, slowed to ${WATCHABLE} steps a second to watch.`,
  paused: () => 'Paused.',
  done: () => `Done: ${session!.verdict()}`,
};

function enter(next: State): void {
  state = next;
  page.state = next;
  element('status').textContent = words[next]();
  play.textContent = { loading: 'Train', ready: 'Train', training: 'Pause', paused: 'Go on', done: 'Train again' }[
    next
  ];
  play.disabled = next === 'loading';
  step.disabled = next === 'loading' || next === 'training' || next === 'done';
  reset.disabled = next === 'loading';
}

function fail(error: unknown): void {
  session = null;
  enter('loading');
  element('status').textContent = error instanceof Error ? error.message : String(error);
}

function frame(now: number): void {
  if (state === 'training') session?.advance(now);
  session?.draw();
  requestAnimationFrame(frame);
}

try {
  const digits = await load();
  const begin = () => {
    const last = session;
    session = null;
    last?.stop();
    session = new Session(digits, seed.valueAsNumber);
    enter('ready');
  };
  begin();
  enter('training');

  element('controls').addEventListener('submit', (event) => {
    event.preventDefault();
    if (state === 'training') {
      session?.pause();
      enter('paused');
      return;
    }
    if (state === 'done') begin();
    enter('training');
  });
  step.addEventListener('click', () => {
    session?.step(1);
    enter('paused');
  });
  reset.addEventListener('click', begin);
  seed.addEventListener('change', () => {
    if (seed.reportValidity()) begin();
  });
  fast.addEventListener('change', () => enter(state));

  element('sizes').textContent = `A network of ${count(64 * HIDDEN + HIDDEN + HIDDEN * 10 + 10)} weights`;
  element('machine').textContent =
    `${count(digits.data.y.size)} digits of 8 × 8 pixels to learn from, ${digits.validation.y.size} held out. ` +
    `A network this small trains on one thread; ${
      crossOriginIsolated
        ? 'this page is cross-origin isolated, so that a larger one could use more.'
        : 'so would a larger one, since this page is not cross-origin isolated.'
    }`;
  requestAnimationFrame(frame);
} catch (error) {
  fail(error);
}

const offline = element('offline');
keepOffline().then(
  (kept) => {
    if (kept) offline.textContent = 'Kept for when there is no network.';
  },
  (error) => {
    offline.textContent = `This page could not be kept for when there is no network: ${error.message}`;
  },
);
onUpdate((update) => {
  const button = Object.assign(document.createElement('button'), { type: 'button', textContent: 'Load it' });
  button.addEventListener('click', update);
  offline.replaceChildren('There is a newer version. ', button);
});
