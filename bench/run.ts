import { availableParallelism, cpus, totalmem } from 'node:os';
import { besideAnother, measureBeside } from './busy';
import { Chromium } from './chromium';
import { measureColdStart } from './cold-start';
import { sink } from './harness';
import { inProcess } from './home';
import { groupOf, measure, type Row } from './measure';
import { measureOverhead } from './overhead';
import { startPeers } from './peers';
import { measureStream } from './stream';
import { table } from './table';
import { workloads } from './workloads';

export interface Results {
  machine: string;
  date: string;
  /** Names with versions. */
  peers: string[];
  /** A sentence for each that is left out. */
  absent: string[];
  rows: Row[];
  sink: number;
}

export const groups = [...new Set(workloads.map(({ name }) => groupOf(name))), 'busy', 'cold', 'stream', 'overhead'];

/** Measures, prints a table, and returns all of it. In Node beside everyone else, or in pages beside those who run there. */
export async function run(wanted: string[], inBrowser: boolean): Promise<Results> {
  const absent: string[] = [];
  const chromium = await Chromium.start().catch((error: Error) => {
    if (inBrowser) throw error;
    absent.push(`Chromium is left out: ${error.message}`);
    return null;
  });
  const peers = await startPeers(inBrowser ? ['Chromium'] : ['Python', 'Node', 'Chromium'], chromium, absent);
  const names = [...new Set(peers.map(({ name }) => name))];
  const home = chromium && inBrowser ? await chromium.home([1, 2]) : inProcess();
  const say = (sentence: string): Row[] => {
    sentences.push(sentence);
    return [];
  };
  const measurements = [
    ...workloads.map((workload) => ({ name: workload.name, start: () => measure(workload, home, peers) })),
    ...besideAnother.map((workload) => ({
      name: `busy ${workload.name}`,
      start: () => measureBeside(workload, home),
    })),
    ...(chromium ? [{ name: 'cold start', start: () => measureColdStart(chromium, names) }] : []),
    ...(chromium ? [{ name: 'stream', start: () => measureStream(chromium).then(say) }] : []),
    ...(inBrowser ? [] : [{ name: 'overhead', start: () => measureOverhead().then(say) }]),
  ].filter(({ name }) => wanted.includes(groupOf(name)));

  const sentences: string[] = [];
  const versions = names.map((name) => `${name} ${peers.find((peer) => peer.name === name)!.version}`);
  const machine = `${hardware()}; ${engines()}${chromium ? `, Chromium ${chromium.version}` : ''}`;
  console.log(machine);
  if (versions.length > 0) console.log(`beside it: ${versions.join(', ')}`);
  for (const sentence of absent) console.log(sentence);

  const rows: Row[] = [];
  for (const [i, { name, start }] of measurements.entries()) {
    process.stderr.write(`\r\x1b[K${i + 1}/${measurements.length} ${name}`);
    rows.push(...(await start()));
  }
  process.stderr.write('\r\x1b[K');
  for (const peer of peers) await peer.stop();
  await chromium?.stop();

  const [loop, copy] = [limitIn(rows, 'FLOP'), limitIn(rows, 'byte')];
  if (loop) console.log(`limit: ${loop.toFixed(1)} GFLOP/s, a loop that multiplies and adds in registers`);
  for (const sentence of sentences) console.log(sentence);
  if (copy) console.log(`limit: ${copy.toFixed(1)} GB/s, read and written, a copy of 4,000,000 floats`);
  console.log(`\n${table(rows)}`);
  return { machine, date: new Date().toISOString(), peers: versions, absent, rows, sink: sink.value };
}

function limitIn(rows: Row[], unit: 'FLOP' | 'byte'): number | undefined {
  const speeds = rows.flatMap(({ speed }) => (speed?.unit === unit ? [speed.limit / 1e9] : [])).sort((a, b) => a - b);
  return speeds[speeds.length >> 1];
}

function hardware(): string {
  const [cpu] = cpus();
  const memory = Math.round(totalmem() / 2 ** 30);
  return `${cpu?.model ?? process.arch}, ${availableParallelism()} cores, ${memory} GiB, ${process.platform}`;
}

const engines = () => `Node ${process.versions.node}, V8 ${process.versions.v8}`;
