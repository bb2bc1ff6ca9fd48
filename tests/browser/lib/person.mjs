/** What a person does in the app, by what they see. */
import { judge, pictureOf } from './judge.mjs';

/** How long anything may take before it counts as broken. */
export const PATIENCE = 30_000;

export class Person {
  /** `account` is the name at the domain; somebody with two devices has two apps and one account. */
  constructor({ name, account = name, called, domain, page, hands, app, out, issuer }) {
    Object.assign(this, { name, called, domain, page, hands, app, out, issuer });
    this.address = `${account}@${domain}`;
    this.passphrase = `${name} likes long walks`;
    this.faults = [];
    page.on('pageerror', (error) => this.faults.push(`page error: ${error.message}`));
    page.on('console', (message) => {
      if (message.type() === 'error') this.faults.push(`console: ${message.text()}`);
    });
  }

  /** What stands under a test id. */
  at(testid) {
    return this.page.getByTestId(testid);
  }

  press(testid) {
    return this.hands.press(this.at(testid));
  }

  fill(testid, text) {
    return this.hands.write(this.at(testid), text);
  }

  row(other) {
    return this.page.locator(`[data-testid="chat-row"][data-user="${other.address}"]`);
  }

  /** The line of another person among the people. */
  person(other) {
    return this.page.locator(`[data-testid="person-row"][data-user="${other.address}"]`);
  }

  message(text) {
    return this.at('message-text').filter({ hasText: text });
  }

  /** The whole line of a message with this text. */
  line(text) {
    return this.page.locator('[data-testid="message"]').filter({ has: this.message(text) }).last();
  }

  /** Does something with a message: the test id of what is chosen. */
  async does(text, what) {
    await this.hands.actions(this.line(text));
    await this.press(what);
  }

  /** My message with this text, once it got at least as far as this. */
  mine(text, state) {
    const far = { sent: ['sent', 'delivered', 'read'], delivered: ['delivered', 'read'] }[state] ?? [state];
    const states = far.map((one) => `[data-testid="message"][data-mine="true"][data-state="${one}"]`);
    return this.page.locator(states.join(', ')).filter({ hasText: text });
  }

  /** Takes a picture of a screen and lets axe judge it. */
  judge(screen) {
    return judge(this.page, screen, pictureOf(this.out, screen, this.name));
  }

  /** The same by day and by night; needs the theme that follows the system. */
  async judgeBoth(screen) {
    for (const colorScheme of ['dark', 'light']) {
      await this.page.emulateMedia({ colorScheme });
      await this.page.locator(`html[data-theme="${colorScheme}"]`).waitFor();
      await this.judge(`${screen}-${colorScheme}`);
    }
  }

  async protect() {
    await this.fill('protect-passphrase', this.passphrase);
    await this.fill('protect-passphrase-again', this.passphrase);
    await this.judge('s1-protect');
    await this.press('protect-submit');
  }

  async unlock(passphrase) {
    await this.at('unlock-screen').waitFor();
    await this.fill('unlock-passphrase', passphrase);
    await this.press('unlock-submit');
  }

  async chooseIssuer() {
    await this.at('welcome-screen').waitFor();
    await this.judge('s2-welcome');
    await this.press('welcome-start');
    await this.at('issuer-list').waitFor();
    await this.hands.choose(this.page.locator(`[data-testid="issuer-card"] input[value^="${this.issuer}"]`));
    await this.judge('s2-issuers');
    await this.press('issuer-sign-in');
  }

  /** Goes through the issuer's pages in a browser that knows nothing of the app. */
  async signIn(browser) {
    const address = await this.app.nextAddress();
    await this.at('signin-waiting').waitFor();
    await this.judge('s2-signing-in');
    const context = await browser.newContext({ viewport: { width: 900, height: 900 } });
    const page = await context.newPage();
    page.setDefaultTimeout(PATIENCE);
    await page.goto(address, { waitUntil: 'domcontentloaded' });
    if (this.issuer.includes(this.domain)) await this.#createAccount(page);
    else await this.#logInAndAgree(page);
    await page.getByRole('heading', { name: 'You are signed in' }).waitFor();
    await judge(page, 's2-back', pictureOf(this.out, 's2-back', this.name));
    await context.close();
  }

  /** Signs in at the issuer of the domain with an account that is there already. */
  async signInAs(browser, account, password) {
    const address = await this.app.nextAddress();
    const context = await browser.newContext({ viewport: { width: 900, height: 900 } });
    const page = await context.newPage();
    page.setDefaultTimeout(PATIENCE);
    await page.goto(address, { waitUntil: 'domcontentloaded' });
    await page.locator('#name').fill(account);
    await page.locator('#password').fill(password);
    await page.locator('button[type=submit]').first().click();
    await page.getByRole('heading', { name: 'You are signed in' }).waitFor();
    await context.close();
  }

  /** At the issuer that belongs to the domain. */
  async #createAccount(page) {
    await page.locator('#password').waitFor();
    await judge(page, 's2-issuer-sign-in', pictureOf(this.out, 's2-issuer-sign-in', this.name));
    await page.getByRole('link', { name: 'Create an account' }).click();
    await page.locator('input[name=action][value=create]').waitFor({ state: 'attached' });
    await judge(page, 's2-issuer-create', pictureOf(this.out, 's2-issuer-create', this.name));
    await page.locator('#name').fill(this.name);
    await page.locator('#password').fill(this.passphrase);
    await page.locator('button[type=submit]').click();
  }

  /** At an issuer whose pages are not ours. */
  async #logInAndAgree(page) {
    await page.locator('input[name=login]').fill(this.name);
    await page.locator('input[name=password]').fill(this.passphrase);
    await page.locator('button[type=submit]').click();
    await page.getByRole('button', { name: 'Continue' }).click();
  }

  async takeAddress() {
    await this.fill('profile-name', this.called);
    await this.fill('profile-address', this.name);
    await this.judge('s2-profile');
    await this.press('profile-create');
    await this.at('ready-address').filter({ hasText: this.address }).waitFor();
    await this.judge('s2-ready');
    await this.press('ready-done');
    await this.online();
    await this.judge('s3-nobody-yet');
  }

  async online() {
    await this.page.locator('[data-testid="network"][data-online="true"]').waitFor();
  }

  /** Looks for an address; the dialog stays open with what came of it. */
  async find(address) {
    await this.page.keyboard.press('Control+n');
    await this.fill('find-address', address);
    await this.press('find-submit');
  }

  /** What the search came to, if nobody was found. */
  trouble(code, words) {
    return this.page.locator(`[data-testid="find-trouble"][data-code="${code}"]`).filter({ hasText: words });
  }

  async closeFind() {
    await this.page.keyboard.press('Escape');
    await this.at('find-dialog').waitFor({ state: 'hidden' });
  }

  /** Answers screen S10. */
  async permit(domain, choice) {
    await this.at('consent-dialog').waitFor();
    await this.at('consent-why').filter({ hasText: domain }).waitFor();
    await this.at('consent-talk').filter({ hasText: domain }).waitFor();
    await this.judge(`s10-permission-${choice}`);
    await this.press(`consent-${choice}`);
    await this.at('consent-dialog').waitFor({ state: 'hidden' });
  }

  async open(other) {
    await this.press('nav-chats');
    await this.hands.press(this.row(other));
    await this.at('composer').waitFor();
  }

  async write(text) {
    await this.fill('composer', text);
    await this.press('composer-send');
  }

  /** Opens a page of the settings. */
  async settings(page) {
    await this.press('nav-settings');
    await this.press(`settings-${page}`);
  }
}
