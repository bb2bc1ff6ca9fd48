//! The bounds of a node: everything a stranger can fill has one.

/// Largest HTTP request body, and largest message, in bytes.
pub const BODY_LIMIT: usize = message::MESSAGE_LIMIT;

/// Messages one inbox keeps for its owner.
pub const MAILBOX_MESSAGES: u64 = 10_000;

/// Bytes one inbox keeps for its owner.
pub const MAILBOX_BYTES: u64 = 64 * 1024 * 1024;

/// How long an inbox keeps a message.
pub const MAILBOX_AGE_MS: i64 = 30 * 24 * 3600 * 1000;

/// How long a live recipient may take to confirm a message before it is kept instead.
pub const CONFIRM_MS: i64 = 5_000;

/// How long the node waits before it sends an unconfirmed kept message again to the same session.
pub const RESEND_MS: i64 = 30_000;

/// How often an unconfirmed message is sent to one session.
pub const SENDS_PER_SESSION: u32 = 4;

/// Unconfirmed messages under way to one session.
pub const WINDOW_MESSAGES: usize = 256;

/// Unconfirmed bytes under way to one session.
pub const WINDOW_BYTES: usize = 8 * 1024 * 1024;

/// Messages that wait in memory for one session's socket.
pub const OUTBOX_MESSAGES: usize = 1_024;

/// Their bytes. Beyond either bound the session ends, and what it has not confirmed is kept.
pub const OUTBOX_BYTES: usize = 16 * 1024 * 1024;

/// Messages that wait for the exchange; the wires stop reading beyond.
pub const INTAKE_MESSAGES: usize = 4_096;

/// Messages the exchange takes in one transaction.
pub const BATCH_MESSAGES: usize = 256;

/// Messages on their way to other nodes whose answer is not back.
pub const FORWARDS: usize = 65_536;

/// Messages to inboxes this node does not know yet, while another node may.
pub const PARKED: usize = 1_024;

/// Batches whose rows are on their way to the servers; the wires stop reading beyond.
pub const TICKETS: usize = 64;

/// TLS handshakes under way.
pub const HANDSHAKES: usize = 256;

/// How long a TLS handshake may take.
pub const HANDSHAKE_MS: u64 = 10_000;

/// How long a new session may take to prove its key.
pub const PROOF_MS: i64 = 15_000;

/// Addresses one allocation may ask for.
pub const ALLOCATION_NUMBER: usize = 100;

/// Addresses one device may hold.
pub const ADDRESSES_PER_DEVICE: usize = 10_000;

/// Bytes of an allocation key.
pub const ALLOCATION_KEY_BYTES: usize = 128;

/// Sessions an object may be opened to.
pub const OBJECT_GUESTS: usize = 10_000;

/// Resources named in one subscription.
pub const SUBSCRIPTION_RESOURCES: usize = 256;

/// Subscriptions of one session.
pub const SUBSCRIPTIONS_PER_SESSION: usize = 4_096;

/// Devices of one person in the registry. With the largest packages and chain, an entry still fits a message.
pub const DEVICES_PER_ACCOUNT: usize = 32;

/// Key packages the registry keeps for one device.
pub const KEY_PACKAGES: usize = 100;

/// Bytes of one key package.
pub const KEY_PACKAGE_BYTES: usize = 16 * 1024;

/// Bytes of a sigchain as JSON text.
pub const CHAIN_BYTES: usize = 256 * 1024;

/// Bytes of a CIC in base64url.
pub const CIC_BYTES: usize = 8 * 1024;

/// Bytes of a linking message in base64url.
pub const LINKING_BYTES: usize = 8 * 1024;

/// Linking messages of one session.
pub const LINKING_PER_SESSION: u32 = 3;

/// How long a linking message waits for its recipient; the code it answers is worth nothing later.
pub const LINKING_AGE_MS: i64 = 10 * 60 * 1000;

/// Bytes of a sealed chunk of a blob, unless it is the last: 128 KiB and what sealing adds.
pub const BLOB_CHUNK_BYTES: u64 = 128 * 1024 + BLOB_CHUNK_OVERHEAD;

/// What sealing adds to a chunk, in bytes.
pub const BLOB_CHUNK_OVERHEAD: u64 = 16;

/// Largest blob in bytes: 512 whole chunks, a file of 64 MiB.
pub const BLOB_BYTES: u64 = 512 * BLOB_CHUNK_BYTES;

/// Blobs of one account.
pub const BLOBS_PER_ACCOUNT: u64 = 10_000;

/// How long a whole blob is kept.
pub const BLOB_AGE_MS: i64 = 30 * 24 * 3600 * 1000;

/// How long a blob is kept that lacks chunks.
pub const BLOB_UNFINISHED_MS: i64 = 3 * 24 * 3600 * 1000;

/// How often somebody may try to begin one account anew, in a day.
pub const RESETS_PER_DAY: u32 = 3;

/// How lately somebody must have signed in to begin an account anew.
pub const RESET_LOGIN_MS: i64 = 60 * 60 * 1000;

/// How long an operator's leave to begin an account anew holds.
pub const RESET_LEAVE_MS: i64 = 24 * 60 * 60 * 1000;

/// Domains one session may be brought to by the gate at the same time.
pub const GATES_PER_SESSION: usize = 8;

/// Domains of whose catalogues the gate remembers what must never go backwards.
pub const GATE_DOMAINS: usize = 4_096;

/// Messages for the gate that may wait.
pub const GATE_ORDERS: usize = 1_024;

/// How often what is over is looked for: mail, devices.
pub const TIDY_MS: i64 = 60_000;

/// Nonces remembered for one person of the issuer.
pub const NONCES_PER_PERSON: usize = 64;

/// Logins under way at the issuer.
pub const LOGINS: usize = 4_096;

/// How long a login page stays valid.
pub const LOGIN_MS: i64 = 15 * 60 * 1000;

/// How long an authorization code stays valid.
pub const CODE_MS: i64 = 60_000;

/// How long an id_token says it is valid.
pub const TOKEN_SECONDS: i64 = 3_600;

/// Password hashes computed at the same time; each takes tens of milliseconds and 19 MiB.
pub const HASHES_AT_ONCE: usize = 4;

/// Wrong passwords for one name within [`FAILURE_WINDOW_MS`].
pub const FAILURES_PER_NAME: u32 = 10;

/// The window in which failures are counted.
pub const FAILURE_WINDOW_MS: i64 = 15 * 60 * 1000;

/// Shortest password of a new account, in characters.
pub const PASSWORD_MIN: usize = 8;

/// Longest password, in bytes.
pub const PASSWORD_MAX: usize = 1_024;

/// Keys a rate limiter remembers; beyond, the oldest windows are forgotten.
pub const RATE_KEYS: usize = 100_000;

/// Bytes of one line of the admin door.
pub const ADMIN_LINE: usize = 4 * 1024 * 1024;

/// The rates and counts an operator may change. The defaults suit a small public node.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Sessions open at the same time, proven or not.
    pub sessions: usize,
    /// New sessions from one network address per minute.
    pub connects_per_minute: u32,
    /// Messages per second of one session, in the long run.
    pub messages_per_second: f64,
    /// Messages one session may send at once.
    pub message_burst: f64,
    /// Bytes of messages per second of one session, in the long run.
    pub bytes_per_second: f64,
    /// Bytes of messages one session may send at once.
    pub byte_burst: f64,
    /// Registry reads of one session per minute.
    pub registry_reads_per_minute: u32,
    /// Linking messages the domain takes per minute, of all devices that have no account yet.
    pub linking_per_minute: u32,
    /// Bytes of blobs one account keeps, counted when they are begun.
    pub blob_bytes_per_account: u64,
    /// Failed logins from one network address per [`FAILURE_WINDOW_MS`].
    pub failures_per_peer: u32,
    /// Accounts created at the login page from one network address per hour.
    pub sign_ups_per_hour: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            sessions: 10_000,
            connects_per_minute: 600,
            messages_per_second: 500.0,
            message_burst: 2_000.0,
            bytes_per_second: 8.0 * 1024.0 * 1024.0,
            byte_burst: 64.0 * 1024.0 * 1024.0,
            registry_reads_per_minute: 120,
            linking_per_minute: 20,
            blob_bytes_per_account: 512 * 1024 * 1024,
            failures_per_peer: 60,
            sign_ups_per_hour: 120,
        }
    }
}

impl Limits {
    /// For a node that stands in a laboratory: only what protects its memory.
    pub fn laboratory() -> Self {
        Self {
            sessions: 20_000,
            connects_per_minute: u32::MAX,
            messages_per_second: 1e9,
            message_burst: 1e9,
            bytes_per_second: 1e12,
            byte_burst: 1e12,
            registry_reads_per_minute: u32::MAX,
            linking_per_minute: u32::MAX,
            blob_bytes_per_account: 1 << 40,
            failures_per_peer: u32::MAX,
            sign_ups_per_hour: u32::MAX,
        }
    }
}
