/** Follows one sign-in at an issuer, which goes on in the system's browser. */
import { troubleOf, type Shell, type SignInState } from '../shell/shell';

/** Whoever lets a person sign in. */
export class SignsIn {
  signIn = $state<SignInState>({ state: 'finding' });

  constructor(protected readonly shell: Shell) {}

  /** Asks for what opens the browser; what goes wrong with the question went wrong with the sign-in. */
  protected async opens(question: () => Promise<unknown>): Promise<void> {
    try {
      await question();
    } catch (error) {
      this.signIn = { state: 'failed', trouble: troubleOf(error) };
    }
  }

  async openAgain(): Promise<void> {
    await this.opens(() => this.shell.ask({ ask: 'signin.again' }));
  }

  /** Ends it, if it is not over. */
  protected async ends(): Promise<void> {
    try {
      await this.shell.ask({ ask: 'signin.cancel' });
    } catch {
      // It was over already.
    }
  }
}
