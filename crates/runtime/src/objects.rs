//! The Sync Manager: what Hyperties of this runtime do with data objects.

use bus::Place;
use contract::{ContactState, TrustMark};
use message::{Address, Body, Code, Message, MessageType, Response, UserAddress};
use serde::Deserialize;
use serde_json::{Value, json};
use store::{ChildRow, ChildState, Tx};

use crate::home::{Home, Ready, State, now_ms, now_u64};
use crate::inviting::Told;
use crate::members::{self, Chains, row_author};
use crate::records::{Member, Object, ObjectUse, Side, Standing, kind};
use crate::registry::{Packages, RegistryDevice};
use crate::sending::{
    child_json, child_message, get_object, inner_message, introduction_message, own_tag, pumps, put_object, put_person,
    queue_sealed, queue_to_all, seal_and_queue, seal_children, seal_to, sealing,
};
use crate::trouble::{Failure, Outcome};
use crate::{behind, brought, chat, circle, commits, comparing, gate, histories, persons};

/// What a Hyperty wants to create (reference flow "Object create").
#[derive(Deserialize)]
struct CreateObject {
    schema: String,
    value: Value,
    authorise: Vec<UserAddress>,
}

#[derive(Deserialize)]
struct CreateChild {
    value: Value,
}

#[derive(Deserialize)]
struct ChangeObject {
    attribute: String,
    #[serde(default)]
    value: Option<Value>,
    #[serde(default)]
    operation: Option<sync::Operation>,
}

#[derive(Deserialize)]
struct ListObjects {
    scheme: String,
}

/// Work that follows a committed change.
pub(crate) enum Follow {
    /// Empty the outbox of a domain.
    Pump(message::Domain),
    /// Tell a Hyperty.
    Tell { to: Address, kind: MessageType, from: Address, body: Body },
    /// Check the other side's evidence.
    Verify(Address),
    /// The row of a child appeared or changed.
    ChildShown(String),
    /// A conversation changed.
    ChatShown(Address),
    /// Something is known about a person: the policy and the shells hear of it.
    PersonShown(UserAddress),
    /// Start listening to an object.
    Listen(Address),
    /// The members of an object are compared with the devices that people have.
    Reconcile(Address),
    /// Members that lost the group of an object are brought back.
    BringBack { url: Address, devices: Vec<String> },
    /// Devices that another one let in have the time to say something, or are brought back.
    Await { url: Address, devices: Vec<String> },
    /// The epoch of a group is another one: soon we say that we are there.
    Echo(Address),
    /// What came ahead of a commit is tried again.
    RetryEarly(Address),
    /// Histories are asked of the registries, and what waits for it is tried again.
    RefreshChain { users: Vec<UserAddress>, url: Address },
    /// A contact shows later words of their issuers.
    Recheck(Box<identity::Evidence>),
    /// What the two read to each other in a call comes nearer.
    Spoken { url: Address, word: crate::spoken::Word },
    /// The other side of a call rests, or says who takes part.
    CallWord { url: Address, word: crate::calls::CallWord },
    /// A contact says something of a direct connection for files.
    Direct { by: crate::files::Speaker, word: crate::files::Word },
    /// A link into a group that we made changed, or somebody came by it.
    Invite(String),
    /// It goes on with a group we asked to be let into.
    Joining(contract::GroupJoining),
    /// Our own record in the store changed: history, devices or tokens.
    MyselfChanged,
    /// The linking of a device goes on.
    Own(crate::own::OwnStep),
    /// A Welcome used one of our key packages up.
    KeyPackageUsed,
    /// A change of keys was judged, for the trail.
    Judged(trail::Entry),
    /// Somebody types.
    Typing { url: Address, user: String },
    /// The other side said something in a chat.
    Wrote(Address),
    /// The other side refused or left an object.
    ObjectClosed { url: Address, reason: String },
}

impl Follow {
    /// Whether the next message of anybody is judged and opened as it would be without this.
    pub(crate) fn leaves_judgement(&self) -> bool {
        matches!(
            self,
            Self::Pump(_)
                | Self::Tell { .. }
                | Self::ChildShown(_)
                | Self::ChatShown(_)
                | Self::Typing { .. }
                | Self::Wrote(_)
        )
    }
}

impl Home {
    /// A message to `runtime://D/sm`.
    pub(crate) fn on_sync_manager(&self, state: &mut State, message: Message) {
        match message.kind {
            MessageType::Create => match message.body.parse::<CreateObject>() {
                Ok(wish) => {
                    self.answer(state, &message, &Response::code(Code::TRYING));
                    let home = self.clone();
                    self.rooms.tasks.start("create object", async move {
                        let response = match home.create_object(&message.from, wish).await {
                            Ok(url) => Response::ok(json!({ "resource": url })),
                            Err(failure) => refusal(&failure),
                        };
                        let mut state = home.state();
                        home.answer(&mut state, &message, &response);
                    });
                }
                Err(error) => self.answer(state, &message, &Response::because(Code::BAD_REQUEST, error.to_string())),
            },
            MessageType::Read => {
                let response = match message.body.parse::<ListObjects>() {
                    Ok(wish) => self.list_objects(state, &wish.scheme).unwrap_or_else(|f| refusal(&f)),
                    Err(error) => Response::because(Code::BAD_REQUEST, error.to_string()),
                };
                self.answer(state, &message, &response);
            }
            _ => self.answer(state, &message, &Response::code(Code::BAD_REQUEST)),
        }
    }

    fn list_objects(&self, state: &State, scheme: &str) -> Outcome<Response> {
        let objects: Vec<(String, Object)> = state.store()?.read(|tx| tx.list(kind::OBJECT)).map_err(Failure::store)?;
        let list: Vec<Value> = objects
            .iter()
            .filter(|(_, object)| object.url.scheme() == scheme && object.is_open())
            .map(|(_, object)| described(object))
            .collect();
        Ok(Response::ok(json!({ "resources": list })))
    }

    /// Creates an object, invites the other person and returns its address.
    async fn create_object(&self, hyperty: &Address, mut wish: CreateObject) -> Outcome<Address> {
        let [user] = wish.authorise.as_slice() else {
            return Err(Failure::new("one-person", "an object is shared with one person for now"));
        };
        let purpose = {
            let state = self.state();
            let me = &state.me()?.record;
            if *hyperty == me.chat {
                ObjectUse::Chat
            } else if *hyperty == me.connector {
                ObjectUse::Call
            } else {
                return Err(Failure::new("not-granted", "only known Hyperties create objects"));
            }
        };
        gate::may_reach(&mut self.state().policy, now_u64(), user, purpose)?;
        if purpose == ObjectUse::Call
            && let Value::Object(value) = &mut wish.value
        {
            // Who takes part is the core's to say.
            value.remove("joint");
            value.extend(self.joint_offer(&self.state(), user).map(|joint| ("joint".to_owned(), joint)));
        }
        let (url, persona, code) = {
            let state = self.state();
            let me = state.me()?;
            (new_object_address(me, purpose)?, me.chain.persona().to_string(), state.pasted.of(user))
        };
        let brings = async {
            match purpose {
                ObjectUse::Chat => brought::Words::made(&persona, user, &url, code).await,
                ObjectUse::Call | ObjectUse::Own | ObjectUse::Door => brought::Words::default(),
            }
        };
        // The work takes as long as the registry's answer.
        let (entry, brought) = tokio::join!(self.look_up(user, &Packages::All), brings);
        let entry = entry?;
        let own = self.own_others(purpose).await?;
        let mut state = self.state();
        let state = &mut *state;
        let me = state.me()?;
        let now = now_ms();
        let reporter = sync::Reporter::new(url.clone(), &wish.schema, wish.value)
            .map_err(|error| Failure::new("bad-object", error))?;
        let side = Side::Reporter(reporter);
        let mut object = Object::new(url.clone(), purpose, wish.schema, user.clone(), Standing::Invited, side, now);
        object.peer_persona = Some(entry.persona.clone());
        object.brought = brought;
        let store = state.store.as_ref().ok_or_else(Failure::not_ready)?;
        let follow = store.write(|tx| {
            let mut person = persons::get_or_new(tx, user)?;
            if person.persona.as_ref().is_some_and(|known| *known != entry.persona) {
                return Err(Failure::new("key-change", "the registry names another persona than the one we know"));
            }
            if person.persona.is_none() && purpose == ObjectUse::Call {
                // Somebody in a joint call with us; nobody asked for contact.
                person.contact = ContactState::Met;
            }
            person.persona.get_or_insert_with(|| entry.persona.clone());
            if person.contact == ContactState::Met && purpose == ObjectUse::Chat {
                person.contact = ContactState::Asked;
            }
            histories::saw_chain(&mut person, &entry.chain)?;
            if purpose == ObjectUse::Chat {
                person.chat = Some(url.clone());
            }
            put_person(tx, &person)?;
            seal::create(tx, &me.device, &object.group()?, now / 1000).map_err(sealing)?;
            invite_devices(tx, me, &mut object, entry.devices.iter().chain(&own), now)?;
            if object.peer_devices().next().is_none() {
                return Err(Failure::new("not-found", "the person has no device that can be invited"));
            }
            put_object(tx, &object)?;
            let mut follow: Vec<Follow> = pumps(&object).collect();
            follow.push(Follow::Listen(url.clone()));
            if purpose == ObjectUse::Chat {
                follow.push(Follow::PersonShown(user.clone()));
                follow.push(Follow::ChatShown(url.clone()));
            }
            Ok::<_, Failure>(follow)
        })?;
        self.follow_up(state, follow);
        Ok(url)
    }

    /// A message to an object (`comm://…`, `connection://…`) from a Hyperty of this runtime.
    pub(crate) fn on_object(&self, state: &mut State, message: Message) {
        let response = self.object_request(state, &message).unwrap_or_else(|failure| refusal(&failure));
        if message.kind.wants_response() {
            self.answer(state, &message, &response);
        }
    }

    fn object_request(&self, state: &mut State, message: &Message) -> Outcome<Response> {
        let url = message.to.base();
        let part = message.to.as_str()[url.as_str().len()..].trim_matches('/').to_owned();
        match (message.kind, part.as_str()) {
            (MessageType::Create, "children") => {
                let (resource, seq) = self.write_child(state, &url, child_of(message)?)?;
                Ok(written(&resource, seq))
            }
            (MessageType::Update, "changes") => {
                let wish: ChangeObject = parse(message)?;
                let version = self.change_object(state, &url, wish)?;
                Ok(Response::ok(json!({ "version": version })))
            }
            (MessageType::Read, "") => self.read_object(state, &url),
            (MessageType::Delete, "") | (MessageType::Unsubscribe, "subscription") => {
                self.close_object(state, &url, "left")?;
                Ok(Response::code(Code::OK))
            }
            _ => Ok(Response::code(Code::BAD_REQUEST)),
        }
    }

    /// Adds a child of ours; kept before it is answered, sent when both sides are verified.
    pub(crate) fn write_child(&self, state: &mut State, url: &Address, value: Value) -> Outcome<(String, u64)> {
        self.write_child_and(state, url, value, |_, _| Ok(()))
    }

    /// The same, with something more that is done together with it or not at all.
    pub(crate) fn write_child_and(
        &self,
        state: &mut State,
        url: &Address,
        value: Value,
        also: impl FnOnce(&Tx<'_>, &str) -> Outcome<()>,
    ) -> Outcome<(String, u64)> {
        let me = state.me.as_ref().ok_or_else(Failure::not_ready)?;
        let store = state.store.as_ref().ok_or_else(Failure::not_ready)?;
        let (written, follow) = store.write(|tx| {
            let (mut written, follow) = write_children(tx, me, url, vec![value], now_ms())?;
            let one = written.pop().ok_or_else(Failure::not_ready)??;
            also(tx, &one.0)?;
            Ok::<_, Failure>((one, follow))
        })?;
        self.follow_up(state, follow);
        Ok(written)
    }

    fn change_object(&self, state: &mut State, url: &Address, wish: ChangeObject) -> Outcome<u64> {
        let me = state.me.as_ref().ok_or_else(Failure::not_ready)?;
        let store = state.store.as_ref().ok_or_else(Failure::not_ready)?;
        let (version, follow) = store.write(|tx| {
            let mut object = get_object(tx, url)?;
            let Side::Reporter(reporter) = &mut object.side else {
                return Err(Failure::new("not-reporter", "only the Reporter changes an object"));
            };
            let change = reporter
                .change(&wish.attribute, wish.value, wish.operation)
                .map_err(|error| Failure::new("bad-change", error))?;
            if object.is_open() {
                let inner = inner_message(MessageType::Update, &object.url, "changes", &change)?;
                seal_and_queue(tx, me, &object, &inner, None)?;
            }
            put_object(tx, &object)?;
            Ok((change.version, pumps(&object).collect()))
        })?;
        self.follow_up(state, follow);
        Ok(version)
    }

    fn read_object(&self, state: &State, url: &Address) -> Outcome<Response> {
        let object = state.store()?.read(|tx| get_object(tx, url))?;
        Ok(Response::ok(described(&object)))
    }

    /// Ends an object and tells the other side, sealed.
    pub(crate) fn close_object(&self, state: &mut State, url: &Address, reason: &str) -> Outcome<()> {
        let me = state.me.as_ref().ok_or_else(Failure::not_ready)?;
        let store = state.store.as_ref().ok_or_else(Failure::not_ready)?;
        let follow = store.write(|tx| {
            let mut object = get_object(tx, url)?;
            if matches!(object.standing, Standing::Closed { .. }) {
                return Ok(vec![]);
            }
            let over = json!({ "code": 410, "reason": reason });
            let inner = inner_message(MessageType::Event, &object.url, "subscription", &over)?;
            seal_and_queue(tx, me, &object, &inner, None)?;
            object.standing = Standing::Closed { reason: reason.to_owned() };
            put_object(tx, &object)?;
            Ok::<_, Failure>(pumps(&object).collect())
        })?;
        self.follow_up(state, follow);
        Ok(())
    }

    /// Does what follows a committed change.
    pub(crate) fn follow_up(&self, state: &mut State, follow: Vec<Follow>) {
        let (mut shown, mut pumped) = (Vec::new(), Vec::new());
        for step in follow {
            let is_quiet = matches!(step, Follow::Pump(_) | Follow::Tell { .. } | Follow::Wrote(_) | Follow::Judged(_));
            if !is_quiet && !matches!(step, Follow::ChildShown(_)) {
                // What is told about other things stands after what was said before.
                self.show_children(state, &std::mem::take(&mut shown));
            }
            match step {
                Follow::Pump(domain) if pumped.contains(&domain) => {}
                Follow::Pump(domain) => {
                    self.pump(state, &domain);
                    pumped.push(domain);
                }
                Follow::Tell { to, kind, from, body } => self.tell_hyperty(state, kind, from, to, body),
                Follow::Verify(url) => self.verify_later(state, url),
                Follow::ChildShown(id) => shown.push(id),
                Follow::ChatShown(url) => self.show_chat(state, &url),
                Follow::PersonShown(user) => {
                    self.policy_follows(state, &user);
                    self.show_person(state, &user);
                }
                Follow::Listen(url) => {
                    state.hear(&Place::Below(url));
                }
                Follow::Reconcile(url) => self.reconcile_later(state, url),
                Follow::BringBack { url, devices } => self.bring_back_later(url, devices),
                Follow::Await { url, devices } => self.await_later(url, devices),
                Follow::Echo(url) => state.upkeep.echo_later(url, now_ms()),
                Follow::RetryEarly(url) => self.retry_early(state, &url, commits::After::News),
                Follow::RefreshChain { users, url } => self.refresh_chains_later(users, url),
                Follow::Recheck(evidence) => self.recheck_later(*evidence),
                Follow::Spoken { url, word } => self.on_spoken(state, &url, word),
                Follow::CallWord { url, word } => self.on_call_word(state, &url, word),
                Follow::Direct { by, word } => self.on_direct_word(state, by, word),
                Follow::Invite(id) => self.show_invite(state, &id),
                Follow::Joining(asked) => self.tell(contract::News::GroupJoining(asked)),
                Follow::MyselfChanged => self.myself_changed(state),
                Follow::Own(step) => self.own_step(state, step),
                Follow::KeyPackageUsed => self.key_package_used(state),
                Follow::ObjectClosed { url, reason } => {
                    if reason == "removed" {
                        // Perhaps only there, perhaps everywhere: our own history says.
                        self.look_at_ourselves();
                    }
                    self.on_object_closed(state, &url, &reason);
                }
                Follow::Judged(entry) => state.policy.note(now_u64(), entry),
                Follow::Typing { url, user } => self.on_typing(state, &url, &user),
                Follow::Wrote(url) => state.typing.wrote(&url),
            }
        }
        self.show_children(state, &shown);
    }
}

impl Home {
    /// Tells a Hyperty of this runtime. What it cannot hear now it reads when it starts.
    pub(crate) fn tell_hyperty(&self, state: &mut State, kind: MessageType, from: Address, to: Address, body: Body) {
        if !state.modules.is_running(&to) {
            // Without this the bus would look for the Hyperty at its domain, and tell the node.
            if let Some(child) = told_child(&body) {
                self.show_children(state, &[child]);
            }
        } else if kind == MessageType::Create && from.path().ends_with("/subscription") {
            self.invite_hyperty(state, from, to, body);
        } else if let Some(Told { kind, from, to, body }) = state.inviting.keep(Told { kind, from, to, body }) {
            self.send(state, kind, from, to, body);
        }
    }
}

#[derive(Deserialize)]
struct OnlyResource {
    resource: String,
}

/// The child that a Hyperty is told of, if that is what it is told.
pub(crate) fn child_told(message: &Message) -> Option<String> {
    let tells = message.kind == MessageType::Create
        && matches!(message.from.scheme(), "comm" | "connection" | "ctxt")
        && message.from.as_str().ends_with("/children/");
    tells.then(|| told_child(&message.body))?
}

/// The child that a message to a Hyperty is about.
pub(crate) fn told_child(body: &Body) -> Option<String> {
    body.parse::<OnlyResource>().ok().map(|child| child.resource)
}

/// What a Hyperty wants to be kept as a child.
pub(crate) fn child_of(message: &Message) -> Outcome<Value> {
    parse::<CreateChild>(message).map(|wish| wish.value)
}

/// What a Hyperty is told of a child that is kept.
pub(crate) fn written(resource: &str, seq: u64) -> Response {
    Response::ok(json!({ "resource": resource, "seq": seq }))
}

/// What became of each of several children: its address and its number.
pub(crate) type Written = Vec<Outcome<(String, u64)>>;

/// Adds children of ours to one object: rows, sealed messages and the step of the ratchet, in the caller's transaction.
///
/// One that is refused is refused alone, and takes no number.
pub(crate) fn write_children(
    tx: &Tx<'_>,
    me: &Ready,
    url: &Address,
    values: Vec<Value>,
    now: i64,
) -> Outcome<(Written, Vec<Follow>)> {
    let mut object = get_object(tx, url)?;
    if let Standing::Closed { reason } = &object.standing {
        return Err(Failure::new(reason.clone(), "the conversation is closed"));
    }
    let mark = comparing::mark_of(tx, &object)?;
    let may_leave = comparing::may_send(tx, &object);
    if object.purpose == ObjectUse::Call {
        may_leave.clone()?;
    }
    let leaves = object.is_open() && may_leave.is_ok();
    let mut follow: Vec<Follow> = pumps(&object).collect();
    let (mut written, mut inner, mut ids) = (Vec::with_capacity(values.len()), Vec::new(), Vec::new());
    let tag = own_tag(me);
    for value in values {
        let seq = object.children.next(&tag).ok_or_else(|| Failure::new("too-many", "too many authors"))?;
        let one = tx.part(|| {
            let (id, shown) = keep_own(tx, me, &object, (&tag, seq), &value, mark, now)?;
            let message = leaves.then(|| child_message(me, &object, &id, seq, now, &value)).transpose()?;
            Ok::<_, Failure>((id, shown, message))
        });
        match one {
            Ok((id, shown, message)) => {
                follow.extend(shown);
                if let Some(message) = message {
                    inner.push(message);
                    ids.push(id.clone());
                }
                written.push(Ok((id, seq)));
            }
            Err(failure) if failure.code == "store-failed" => return Err(failure),
            Err(failure) => {
                object.children.take_back(&tag);
                written.push(Err(failure));
            }
        }
    }
    if object.purpose == ObjectUse::Chat {
        seal_children(tx, me, &object, &inner, &ids)?;
    } else {
        inner.iter().zip(&ids).try_for_each(|(one, id)| seal_and_queue(tx, me, &object, one, Some(id)))?;
    }
    if written.iter().any(Result::is_ok) {
        object.at = now;
        put_object(tx, &object)?;
    }
    Ok((written, follow))
}

/// Keeps a child of ours.
fn keep_own(
    tx: &Tx<'_>,
    me: &Ready,
    object: &Object,
    (tag, seq): (&sync::Author, u64),
    value: &Value,
    mark: TrustMark,
    now: i64,
) -> Outcome<(String, Vec<Follow>)> {
    let user = &me.record.user;
    let id = format!("{}/children/{tag}-{seq}", object.url);
    let row = ChildRow {
        id: id.clone(),
        object: object.url.to_string(),
        author: row_author(user, tag),
        seq: seq as i64,
        at: now,
        state: ChildState::Queued,
        value: child_json(value, mark),
        mine: true,
        ..ChildRow::default()
    };
    let shown = if object.purpose == ObjectUse::Chat {
        chat::spoken(tx, object, row, value)?
    } else {
        tx.add_child(&row).map_err(Failure::store)?;
        Vec::new()
    };
    Ok((id, shown))
}

/// An object as a Hyperty takes it up again.
fn described(object: &Object) -> Value {
    let (role, value, version) = match &object.side {
        Side::Reporter(reporter) => ("reporter", reporter.value(), reporter.version()),
        Side::Observer(observer) | Side::Standby(observer) => ("observer", observer.value(), observer.version()),
    };
    json!({
        "resource": object.url, "schema": object.schema, "value": value, "version": version,
        "role": role, "user": object.peer,
    })
}

/// The answer to a Hyperty whose wish failed.
pub(crate) fn refusal(failure: &Failure) -> Response {
    let code = match failure.code.as_str() {
        "not-found" => Code::NOT_FOUND,
        "denied" | "not-permitted" | "other-certificate" | "not-reporter" | "not-granted" | "blocked" => {
            Code::FORBIDDEN
        }
        "domain-unreachable" | "offline" => Code::UNAVAILABLE,
        _ => Code::FAILED,
    };
    Response { code, description: Some(failure.detail.clone()), value: json!({ "trouble": failure.code }) }
}

fn parse<T: serde::de::DeserializeOwned>(message: &Message) -> Outcome<T> {
    message.body.parse().map_err(|error| Failure::new("bad-request", error))
}

/// Invites devices into our group in one commit, and tells all who and what it is about.
pub(crate) fn invite_devices<'a>(
    tx: &Tx<'_>,
    me: &Ready,
    object: &mut Object,
    devices: impl Iterator<Item = &'a RegistryDevice>,
    now: i64,
) -> Outcome<()> {
    let (group, now_s) = (object.group()?, now / 1000);
    let chains = Chains::of(tx, me, object)?;
    let before = object.members.clone();
    let invited: Vec<&RegistryDevice> = devices.filter(|one| one.key_package.is_some()).collect();
    let packages: Vec<&[u8]> = invited.iter().filter_map(|one| one.key_package.as_deref()).collect();
    if packages.is_empty() {
        return Ok(());
    }
    let mut named = Vec::with_capacity(invited.len());
    for one in &invited {
        let package = one.key_package.as_deref().unwrap_or_default();
        let leaf = seal::inspect_key_package(package).map_err(sealing)?;
        let user = chains.owner_of(&leaf, now_s).map_err(sealing)?.clone();
        named.push(members::Named { device: leaf.dsk.to_string(), user, inbox: Some(one.inbox.clone()) });
    }
    let aad = serde_json::to_vec(&named).map_err(sealing)?;
    let ended = seal::epoch(tx, &group).map_err(sealing)?;
    let invitation = seal::invite_many(tx, &me.device, &group, &packages, &aad, &mut |leaf: &seal::Candidate<'_>| {
        chains.owner_of(leaf, now_s).map(|_| ())
    })
    .map_err(sealing)?;
    commits::log_commit(tx, &object.url, ended, &invitation.commit)?;
    queue_to_all(tx, object, &invitation.commit)?;
    object.set_members(tx, me, &chains, &named, now_s)?;
    object.greet(me, &before);
    for one in &invited {
        behind::heard(tx, &object.url, &one.device, ended + 1)?;
        let to_peer = object.member(&one.device).is_some_and(|member| object.is_with(&member.user));
        queue_sealed(tx, &one.inbox, &invitation.welcome, to_peer, None)?;
    }
    let introduction = introduction_message(tx, me, object)?;
    let devices: Vec<String> = invited.iter().map(|one| one.device.clone()).collect();
    // Who was there before knows the rest from the commit; in a large group all of it once more would be too much.
    let is_for = |member: &Member| !object.is_large() || devices.contains(&member.device);
    seal_to(tx, me, object, &introduction, &is_for)?;
    circle::after_invitation(tx, me, object, &devices)
}

pub(crate) fn new_object_address(me: &Ready, purpose: ObjectUse) -> Outcome<Address> {
    let scheme = match purpose {
        ObjectUse::Chat => "comm",
        ObjectUse::Call => "connection",
        ObjectUse::Own => "ctxt",
        ObjectUse::Door => "door",
    };
    let id = keys::base32(&keys::random::<16>());
    Address::new(scheme, &me.domain(), &id).map_err(|e| Failure::new("bad-address", e))
}
