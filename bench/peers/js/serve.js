// The conversation with bench/processes.ts, JSON a line on a process's streams, or with bench/chromium.ts, which calls `answer`.

const inNode = typeof process !== 'undefined';
const { log } = console;
if (inNode) console.log = console.warn = () => {}; // a library's notices are no answers

/** The threads that are asked for: a page's address says how many, a process has one. */
export const threads = inNode ? 1 : Number(new URLSearchParams(location.search).get('threads'));

/**
 * Greets with {version, unfit: null}, then answers requests, {workload: name, repeats: n} → {wall: s, cpu: s or null, value}.
 * `build` makes the function that is timed; `read` gets a number out of what the last call returned, after the clock.
 */
export async function serve(version, build, read = (value) => value) {
  let current;
  let call;
  const answer = async ({ workload, repeats }) => {
    if (workload !== current) [current, call] = [workload, build(workload)];
    const wall = performance.now();
    const cpu = inNode && process.cpuUsage();
    let result;
    for (let i = 0; i < repeats; i++) {
      result = call();
      // To wait for what is there already would give way to others in every call.
      if (result instanceof Promise) result = await result;
    }
    const seconds = (performance.now() - wall) / 1e3;
    const { user, system } = cpu ? process.cpuUsage(cpu) : {};
    return { wall: seconds, cpu: cpu ? (user + system) / 1e6 : null, value: read(result) };
  };
  const greeting = { version, unfit: null };
  if (!inNode) return Object.assign(globalThis, { greeting, answer });
  log(JSON.stringify(greeting));
  const { createInterface } = process.getBuiltinModule('node:readline'); // an import would trouble a page's bundler
  for await (const line of createInterface({ input: process.stdin }))
    log(JSON.stringify(await answer(JSON.parse(line))));
}
