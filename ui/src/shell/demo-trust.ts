/** Plays what the app knows of trust: devices, codes, recovery, locks, policies and their trail. */
import type {
  BackupState, DeviceView, KeyChange, KeyChangeKind, MyIssuer, PersonaView, PersonCard, PolicyView, Question, RecoveryState, SafetyCode, ScanOutcome,
  SpokenCode, TrailLine, WrittenFile,
} from './shell';

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

export interface TrustWorld {
  devices: DeviceView[];
  issuers: MyIssuer[];
  personas: PersonaView[];
  recovery: RecoveryState;
  policy: PolicyView;
  trail: TrailLine[];
}

export const sampleLinkCode = 'parlance-link:1:a.localhost:7MZ2-QK4D-9XTB-W3RA-5HNC-8VPE';

export const sampleSafetyCode: SafetyCode = {
  digits: ['48210', '99314', '07752', '61408', '23997', '58120', '40066', '91733', '12845', '77019', '36502', '84467'],
  words: ['harbour', 'lemon', 'velvet', 'orbit', 'canyon', 'thistle', 'marble', 'pepper', 'lantern', 'walnut', 'meadow', 'copper'],
  qr: 'parlance-verify:1:MFRGGZDFMZTWQ2LKNNWG23TPOBYXE43UOV3HO6DZPIYDCMRTGQ2TMNZYHEYTEMZU',
};

export const sampleSpokenCode: SpokenCode = { digits: '402917', emoji: ['rocket', 'turtle', 'umbrella', 'pizza'] };

export function sampleTrust(now: number): TrustWorld {
  return {
    devices: [
      { device: 'd1', name: 'Ana’s laptop', this: true, addedAt: now - 90 * DAY, expiresAt: now + 275 * DAY, state: 'active' },
      { device: 'd2', name: 'Office desktop', this: false, addedAt: now - 40 * DAY, expiresAt: now + 325 * DAY, state: 'active' },
      { device: 'd3', name: 'Old netbook', this: false, addedAt: now - 500 * DAY, expiresAt: now - 135 * DAY, state: 'expired' },
      { device: 'd4', name: 'Lost phone', this: false, addedAt: now - 200 * DAY, expiresAt: now + 165 * DAY, state: 'revoked' },
    ],
    issuers: [
      { issuer: 'https://a.localhost', vouchedBy: 'a.localhost', attestedAt: now - 3 * DAY, until: now + 87 * DAY, silent: true, trouble: null },
      {
        issuer: 'https://accounts.example.org', vouchedBy: 'accounts.example.org', attestedAt: now - 85 * DAY, until: now + 5 * DAY, silent: false,
        trouble: { code: 'renewal-refused', detail: 'invalid_grant' },
      },
    ],
    personas: [
      { profile: 'ana@a.localhost', this: true },
      { profile: 'a.silva@login.acme.example', this: false },
    ],
    recovery: { kept: false, sheet: null, asked: [], backupAt: null },
    policy: {
      settings: {
        whoMayWrite: { who: 'anyone' }, whoMayCall: { who: 'contacts' }, issuersForWriting: 1, issuersForCalls: 1, freshDays: 30, firstContactDays: 90,
        stopOnKeyChange: true, autoLockMinutes: 15,
      },
      locked: [],
      unsupported: [],
      organisation: null,
    },
    trail: [
      trailLine(12, now - 4 * MINUTE, 'write', 'ben@b.localhost', 'allow', 'contact', 'built-in', 14),
      trailLine(11, now - 30 * MINUTE, 'call', 'eva@c.localhost', 'deny', 'not-a-contact', 'user'),
      trailLine(10, now - 50 * MINUTE, 'module', 'b.localhost/protocolstub/default', 'ask', 'consented', 'package'),
      trailLine(9, now - 9 * 60 * MINUTE, 'key-change', 'dmitri@uni.example', 'ask', 'key-change', 'built-in'),
      trailLine(8, now - DAY, 'write', 'stranger@spam.example', 'deny', 'too-few-issuers', 'organisation', 3),
      trailLine(7, now - 2 * DAY, 'odd-thing', 'somebody@d.example', 'deny', 'never-heard-of', 'somewhere'),
    ],
  };
}

function trailLine(seq: number, at: number, what: string, subject: string, verdict: string, because: string, layer: string, count = 1): TrailLine {
  return { seq, at, what, subject, verdict, because, layer, count };
}

/** What the demo needs from the rest of the world to answer. */
export interface TrustHost {
  trust: TrustWorld;
  card(user: string): PersonCard;
  /** Changes a person, and what is said of them in lists and conversations. */
  person(user: string, part: Partial<PersonCard>): PersonCard;
  tellBackup(state: BackupState): void;
}

/** Answers a question about trust, or gives `undefined` when it is about something else. */
export function answerTrust(host: TrustHost, question: Question): unknown {
  const { trust } = host;
  switch (question.ask) {
    case 'device.list':
      return trust.devices;
    case 'device.offer':
      return { code: sampleLinkCode, expiresAt: Date.now() + 5 * MINUTE };
    case 'device.revoke':
      trust.devices = trust.devices.map((one) => (one.device === question.input.device ? { ...one, state: 'revoked' } : one));
      return null;
    case 'device.withdraw':
    case 'device.admit':
    case 'link.join':
    case 'link.cancel':
    case 'identity.rotate':
    case 'identity.link':
    case 'app.present':
      return null;
    case 'verify.code':
      return host.card(question.input.user) && sampleSafetyCode;
    case 'verify.scanned':
      return scanned(host, question.input.user, question.input.text);
    case 'verify.compared':
      return question.input.same ? compared(host, question.input.user) : changed(host, question.input.user, 'mismatch', true);
    case 'verify.forget':
      return host.person(question.input.user, { comparedAt: null, identity: stated(host, question.input.user, 'introduced') });
    case 'keychange.accept':
      return host.person(question.input.user, { change: null, comparedAt: null, identity: stated(host, question.input.user, 'introduced') });
    case 'identity.issuers':
      return trust.issuers;
    case 'identity.unlink':
      return (trust.issuers = trust.issuers.filter((one) => one.issuer !== question.input.issuer));
    case 'persona.list':
      return trust.personas;
    case 'recovery.state':
      return trust.recovery;
    case 'recovery.sheet':
      trust.recovery = { ...trust.recovery, kept: false, sheet: '/home/ana/Documents/parlance-recovery.html', asked: [3, 11, 20] };
      return written('parlance-recovery.html');
    case 'recovery.confirm':
      if (question.input.words.some(({ word }) => word !== 'apple')) throw { code: 'wrong-words', detail: 'the demo wants apple' };
      return (trust.recovery = { ...trust.recovery, kept: true, sheet: null, asked: [] });
    case 'backup.write':
      trust.recovery = { ...trust.recovery, backupAt: Date.now() };
      host.tellBackup({ state: 'running', done: 1240, total: 3000 });
      host.tellBackup({ state: 'done', path: written('parlance-backup.pbk').path });
      return written('parlance-backup.pbk');
    case 'policy.get':
      return trust.policy;
    case 'policy.set':
      return (trust.policy = { ...trust.policy, settings: question.input });
    case 'trail.list':
      return trust.trail;
    case 'trail.export':
      return written('parlance-trail.jsonl');
    default:
      return undefined;
  }
}

const written = (name: string): WrittenFile => ({ path: `/home/ana/Documents/${name}` });

function stated(host: TrustHost, user: string, state: 'introduced' | 'verified' | 'changed') {
  const { identity } = host.card(user);
  return identity && { ...identity, state };
}

const compared = (host: TrustHost, user: string): PersonCard =>
  host.person(user, { comparedAt: Date.now(), change: null, identity: stated(host, user, 'verified') });

export const changeOf = (kind: KeyChangeKind, stops: boolean): KeyChange => ({
  kind, at: Date.now(), issuer: kind === 'reset' || kind === 'unexplained' ? 'accounts.example.org' : null, stops,
});

export const changed = (host: TrustHost, user: string, kind: KeyChangeKind, stops: boolean): PersonCard =>
  host.person(user, {
    change: changeOf(kind, stops),
    comparedAt: null,
    identity: stated(host, user, kind === 'rotated' ? 'introduced' : 'changed'),
  });

function scanned(host: TrustHost, user: string, text: string): ScanOutcome {
  if (!text.startsWith('parlance-verify:')) return 'no-code';
  if (text !== sampleSafetyCode.qr) {
    changed(host, user, 'mismatch', true);
    return 'mismatch';
  }
  compared(host, user);
  return 'match';
}
