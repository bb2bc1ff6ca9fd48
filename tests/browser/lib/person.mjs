/** What a person does in the app, by what they see. */
import { AxeBuilder } from '@axe-core/playwright';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

export const PATIENCE = 90_000;

export class Person {
  constructor({ name, called, domain, page, app, out, issuer }) {
    Object.assign(this, { name, called, domain, page, app, out, issuer });
    this.address = `${name}@${domain}`;
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

  /** Takes a picture of a screen and lets axe judge it. */
  async judge(screen) {
    mkdirSync(this.out, { recursive: true });
    await this.page.evaluate(() => document.fonts.ready);
    await this.page.screenshot({ path: join(this.out, `${screen}.${this.name}.png`) });
    const { violations } = await new AxeBuilder({ page: this.page }).analyze();
    const found = violations.flatMap((one) => one.nodes.map((node) => `${screen}: ${one.id}: ${node.target.join(' ')}`));
    if (found.length > 0) throw new Error(`axe: ${found.join('; ')}`);
    const headings = await this.page.locator('h1').count();
    if (headings !== 1) throw new Error(`${screen} has ${headings} h1`);
  }

  async protect() {
    await this.at('protect-passphrase').fill(this.passphrase);
    await this.at('protect-passphrase-again').fill(this.passphrase);
    await this.judge('s1-protect');
    await this.at('protect-submit').click();
  }

  async chooseIssuer() {
    await this.at('welcome-screen').waitFor();
    await this.judge('s2-welcome');
    await this.at('welcome-start').click();
    await this.at('issuer-list').waitFor();
    await this.page.locator(`[data-testid="issuer-card"][data-issuer^="${this.issuer}"]`).click();
    await this.judge('s2-issuers');
    await this.at('issuer-sign-in').click();
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
    await page.waitForURL((url) => url.hostname === '127.0.0.1' && url.pathname === '/cb');
    await page.screenshot({ path: join(this.out, `s2-back.${this.name}.png`) });
    await context.close();
  }

  async #createAccount(page) {
    const link = page.getByRole('link', { name: 'Create an account' });
    if (await link.count()) await link.click();
    await page.locator('input[name=action][value=create]').waitFor({ state: 'attached' });
    await page.locator('#name').fill(this.name);
    await page.locator('#password').fill(this.passphrase);
    await page.locator('button[type=submit]').click();
  }

  async #logInAndAgree(page) {
    await page.locator('input[name=login]').fill(this.name);
    await page.locator('input[name=password]').fill(this.passphrase);
    await page.locator('button[type=submit]').click();
    await page.getByRole('button', { name: 'Continue' }).click();
  }

  async takeAddress() {
    await this.at('profile-name').fill(this.called);
    await this.at('profile-address').fill(this.name);
    await this.judge('s2-profile');
    await this.at('profile-create').click();
    await this.at('ready-address').filter({ hasText: this.address }).waitFor();
    await this.judge('s2-ready');
    await this.at('ready-done').click();
    await this.online();
    await this.judge('s3-nobody-yet');
  }

  async online() {
    await this.page.locator('[data-testid="network"][data-online="true"]').waitFor();
  }

  /** Looks for an address; the dialog stays open with what came of it. */
  async find(address) {
    await this.page.keyboard.press('Control+n');
    await this.at('find-address').fill(address);
    await this.at('find-submit').click();
  }

  async closeFind() {
    await this.page.keyboard.press('Escape');
    await this.at('find-dialog').waitFor({ state: 'hidden' });
  }

  /** Answers screen S10. */
  async permit(domain, choice = 'always') {
    await this.at('consent-dialog').waitFor();
    await this.at('consent-why').filter({ hasText: domain }).waitFor();
    await this.judge(`s10-permission-${choice}`);
    await this.at(`consent-${choice}`).click();
    await this.at('consent-dialog').waitFor({ state: 'hidden' });
  }

  async write(text) {
    await this.at('composer').fill(text);
    await this.at('composer-send').click();
  }

  /** Opens a page of the settings. */
  async settings(page) {
    await this.at('nav-settings').click();
    await this.at(`settings-${page}`).click();
  }
}
