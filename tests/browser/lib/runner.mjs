/** Runs scenes one after the other: a scene that fails stops those that build on it. */
export class Runner {
  #passed = 0;
  #failed = 0;
  #skipped = [];
  #broken = false;
  #onfailure;

  constructor(onfailure) {
    this.#onfailure = onfailure;
  }

  /** A scene the later ones build upon. */
  async scene(name, act) {
    await this.#run(name, act, true);
  }

  /** A scene nothing depends on. */
  async aside(name, act) {
    await this.#run(name, act, false);
  }

  async #run(name, act, matters) {
    if (this.#broken) {
      this.#skipped.push(name);
      return;
    }
    const began = Date.now();
    const took = () => `${((Date.now() - began) / 1000).toFixed(1)} s`;
    try {
      await act();
      this.#passed += 1;
      console.log(`ok   ${name} (${took()})`);
    } catch (error) {
      this.#failed += 1;
      this.#broken = matters;
      console.log(`FAIL ${name} (${took()})\n     ${String(error?.stack ?? error).split('\n').slice(0, 12).join('\n     ')}`);
      await this.#onfailure(name);
    }
  }

  /** The last line; a scene that could not be played counts as failed. */
  end() {
    for (const name of this.#skipped) console.log(`FAIL ${name} (not played)`);
    const failed = this.#failed + this.#skipped.length;
    console.log(`${this.#passed} passed, ${failed} failed`);
    return failed === 0 && this.#passed > 0;
  }
}
