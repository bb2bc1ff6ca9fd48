/** The two ways to use the app: with a mouse, or with nothing but the keyboard. */

/** More stops than any screen has: whoever needs more will never arrive. */
const MOST_STOPS = 80;

export class Mouse {
  async press(target) {
    await target.click();
  }

  async write(target, text) {
    await target.fill(text);
  }

  async choose(radio) {
    await radio.check();
  }

  async check(box) {
    await box.check();
  }

  /** Opens what can be done with a message. */
  async actions(message) {
    await message.click({ button: 'right' });
  }
}

/** Walks with Tab and arrows as people do who cannot use a mouse; what takes no focus cannot be used. */
export class Keyboard {
  #page;

  constructor(page) {
    this.#page = page;
  }

  async press(target) {
    await this.#reach(target);
    await this.#page.keyboard.press('Enter');
  }

  async write(target, text) {
    await this.#reach(target);
    await this.#page.keyboard.press('Control+a');
    await this.#page.keyboard.type(text);
  }

  /** A group of radio buttons is one stop; arrows go from one to the next. */
  async choose(radio) {
    await radio.waitFor();
    const group = this.#page.locator(`input[type="radio"][name="${await radio.getAttribute('name')}"]`);
    await this.#reach(group.and(this.#page.locator(':checked')));
    for (let steps = await group.count(); !(await radio.isChecked()); steps -= 1) {
      if (steps === 0) throw new Error('arrows do not reach the radio button');
      await this.#page.keyboard.press('ArrowDown');
    }
  }

  /** Enter would send the form that the box is in. */
  async check(box) {
    await this.#reach(box);
    await this.#page.keyboard.press('Space');
  }

  /** The messages are one stop; arrows go from one to the next, Enter opens what can be done. */
  async actions(message) {
    await this.#reach(this.#page.locator('[data-testid="messages"] [data-line][tabindex="0"]'));
    await this.#page.keyboard.press('End');
    for (let steps = MOST_STOPS; !(await message.evaluate((one) => one === document.activeElement)); steps -= 1) {
      if (steps === 0) throw new Error(`arrows do not reach ${message}`);
      await this.#page.keyboard.press('ArrowUp');
    }
    await this.#mustBeSeen(message);
    await this.#page.keyboard.press('Enter');
  }

  /** Goes on with Tab until the focus is where it is wanted. */
  async #reach(target) {
    await target.waitFor();
    const lost = await this.#page.evaluate(() => document.activeElement === document.body);
    if (lost) throw new Error(`nothing has the focus before ${target} is wanted`);
    const walked = [];
    for (let stops = 0; stops < MOST_STOPS; stops += 1) {
      if (await target.evaluate((one) => one === document.activeElement)) return this.#mustBeSeen(target);
      await this.#page.keyboard.press('Tab');
      walked.push(await this.#page.evaluate(() => document.activeElement?.dataset.testid ?? document.activeElement?.tagName));
    }
    throw new Error(`Tab does not reach ${target}; it goes ${walked.slice(0, 20).join(', ')}`);
  }

  /** Whoever sees must see where the focus is: a ring on it, or on the box around it. */
  async #mustBeSeen(target) {
    const seen = await target.evaluate((one) => {
      const around = [one, one.parentElement, one.parentElement?.parentElement].filter(Boolean);
      return around.some((each) => {
        const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(each);
        return (outlineStyle !== 'none' && parseFloat(outlineWidth) > 0) || boxShadow !== 'none';
      });
    });
    if (!seen) throw new Error(`nobody sees that ${target} has the focus`);
  }
}
