// Vitest's last line, "N passed, N failed", over all projects. What was skipped has not passed; nor has a file that fails to load.

export default class CountReporter {
  onInit(vitest) {
    this.vitest = vitest;
  }

  onTestRunEnd(modules, unhandledErrors) {
    const states = modules.flatMap((module) => [...module.children.allTests()].map((test) => test.result().state));
    // `vitest -t name` skips what it was asked to.
    const chosen = this.vitest.config.testNamePattern ? states.filter((state) => state !== 'skipped') : states;
    const passed = chosen.filter((state) => state === 'passed').length;
    const broken = modules.flatMap((module) => module.errors()).length + unhandledErrors.length;
    const failed = chosen.length - passed + broken;
    process.on('exit', () => {
      // Vitest writes its own summary after this event, and is content with skipped tests.
      console.log(`${passed} passed, ${failed} failed`);
      if (failed > 0 || passed === 0) process.exitCode = 1;
    });
  }
}
