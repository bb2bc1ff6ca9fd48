//! The blob store: who may put, who may get, and what there is too much of.

use super::*;
use crate::limits::{BLOB_AGE_MS, BLOB_BYTES, BLOB_CHUNK_BYTES, BLOB_UNFINISHED_MS, TIDY_MS};

const BLOBS: &str = "domain://blobs.a.localhost";

fn name(n: u8) -> String {
    keys::b64url(&[n; 32])
}

fn chunk(bytes: u64) -> String {
    keys::b64url(&vec![7; usize::try_from(bytes).unwrap()])
}

impl World {
    fn begin(&mut self, who: &Member, n: u8, bytes: u64) -> Value {
        let body = json!({ "blob": name(n), "bytes": bytes });
        self.ask(who.session, MessageType::Create, &who.address, BLOBS, &body)
    }

    fn put(&mut self, who: &Member, n: u8, index: u32, sealed: &str) -> Value {
        let body = json!({ "blob": name(n), "index": index, "sealed": sealed });
        self.ask(who.session, MessageType::Update, &who.address, BLOBS, &body)
    }

    fn get(&mut self, who: &(SessionId, Address), n: u8, index: Option<u32>) -> Value {
        let body = json!({ "blob": name(n), "index": index });
        self.ask(who.0, MessageType::Read, &who.1.clone(), BLOBS, &body)
    }
}

#[test]
fn what_a_member_puts_a_visitor_gets_who_knows_its_name() {
    let mut world = World::new(Limits::default());
    let ana = world.member("ana");
    let ben = world.visitor();
    let begun = world.begin(&ana, 1, BLOB_CHUNK_BYTES + 20);
    assert_eq!((&begun["code"], &begun["value"]["missing"]), (&json!(200), &json!([0, 1])));
    assert_eq!(world.put(&ana, 1, 1, &chunk(20))["code"], 200, "in any order");
    assert_eq!(world.begin(&ana, 1, BLOB_CHUNK_BYTES + 20)["value"]["missing"], json!([0]), "what is missing");
    assert_eq!(world.get(&ben, 1, Some(0))["code"], 404, "not here yet");
    assert_eq!(world.put(&ana, 1, 0, &chunk(BLOB_CHUNK_BYTES))["code"], 200);
    assert_eq!(world.get(&ben, 1, None)["value"]["missing"], json!([]));
    assert_eq!(world.get(&ben, 1, Some(1))["value"]["sealed"], chunk(20));
    assert_eq!(world.get(&ben, 2, Some(0))["code"], 404, "a name that is guessed");
    assert_eq!(world.exchange.stats().blob_chunks_got, 1);
}

#[test]
fn only_its_keeper_puts_chunks_and_deletes() {
    let mut world = World::new(Limits::default());
    let (ana, cleo) = (world.member("ana"), world.member("cleo"));
    let ben = world.visitor();
    world.begin(&ana, 1, 20);
    assert_eq!(world.begin(&cleo, 1, 20)["code"], 409, "the name is taken");
    assert_eq!(world.put(&cleo, 1, 0, &chunk(20))["code"], 404);
    let body = json!({ "blob": name(1) });
    assert_eq!(world.ask(cleo.session, MessageType::Delete, &cleo.address, BLOBS, &body)["code"], 404);
    assert_eq!(world.ask(ben.0, MessageType::Delete, &ben.1.clone(), BLOBS, &body)["code"], 403);
    let wish = json!({ "blob": name(3), "bytes": 20 });
    assert_eq!(world.ask(ben.0, MessageType::Create, &ben.1.clone(), BLOBS, &wish)["code"], 403);
    assert_eq!(world.put(&ana, 1, 0, &chunk(20))["code"], 200);
    assert_eq!(world.put(&ana, 1, 0, &keys::b64url(&[8; 20]))["code"], 200, "said again after a lost answer");
    assert_eq!(world.get(&ben, 1, Some(0))["value"]["sealed"], chunk(20), "the first word counts");
    assert_eq!(world.ask(ana.session, MessageType::Delete, &ana.address, BLOBS, &body)["code"], 200);
    assert_eq!(world.get(&ben, 1, Some(0))["code"], 404);
}

#[test]
fn a_chunk_has_the_length_of_its_place_and_a_blob_an_end() {
    let mut world = World::new(Limits::default());
    let ana = world.member("ana");
    assert_eq!(world.begin(&ana, 1, BLOB_BYTES + 1)["code"], 413);
    assert_eq!(world.begin(&ana, 1, 15)["code"], 413, "shorter than a seal");
    world.begin(&ana, 1, BLOB_CHUNK_BYTES + 20);
    for (index, sealed) in [(0, chunk(20)), (1, chunk(21)), (2, chunk(20)), (u32::MAX, chunk(20)), (1, "?".into())] {
        assert_eq!(world.put(&ana, 1, index, &sealed)["code"], 400, "{index}");
    }
    let odd = json!({ "blob": "../../etc/passwd", "bytes": 20 });
    assert_eq!(world.ask(ana.session, MessageType::Create, &ana.address, BLOBS, &odd)["code"], 400);
}

#[test]
fn nobody_keeps_more_than_their_share_and_what_is_deleted_makes_room() {
    let limits = Limits { blob_bytes_per_account: 100, ..Limits::default() };
    let mut world = World::new(limits);
    let (ana, cleo) = (world.member("ana"), world.member("cleo"));
    assert_eq!(world.begin(&ana, 1, 60)["code"], 200);
    assert_eq!(world.begin(&ana, 2, 60)["code"], 507, "room is counted when a blob begins");
    assert_eq!(world.begin(&ana, 2, 101)["code"], 413, "for this there is never room");
    assert_eq!(world.begin(&cleo, 3, 60)["code"], 200, "everybody has their own");
    let body = json!({ "blob": name(1) });
    world.ask(ana.session, MessageType::Delete, &ana.address, BLOBS, &body);
    assert_eq!(world.begin(&ana, 2, 60)["code"], 200);
}

#[test]
fn what_lacks_chunks_goes_earlier_than_what_is_whole() {
    let mut world = World::new(Limits::default());
    let ana = world.member("ana");
    let ben = world.visitor();
    for n in [1, 2] {
        world.begin(&ana, n, 20);
    }
    world.put(&ana, 1, 0, &chunk(20));
    world.tick(BLOB_UNFINISHED_MS);
    let ben_sees = |world: &mut World, n| world.get(&ben, n, None)["code"].clone();
    assert_eq!((ben_sees(&mut world, 1), ben_sees(&mut world, 2)), (json!(200), json!(404)));
    world.tick(BLOB_AGE_MS);
    world.tick(TIDY_MS);
    assert_eq!(ben_sees(&mut world, 1), json!(404));
    assert_eq!(world.exchange.records().depths().unwrap().blobs, 0);
    assert_eq!(world.exchange.records().chunk(&name(1), 0).unwrap(), None);
}

#[test]
fn who_reads_too_much_is_told_to_wait() {
    let limits = Limits { byte_burst: 1_000_000.0, bytes_per_second: 1.0, ..Limits::default() };
    let mut world = World::new(limits);
    let ana = world.member("ana");
    let ben = world.visitor();
    world.begin(&ana, 1, BLOB_CHUNK_BYTES);
    world.put(&ana, 1, 0, &chunk(BLOB_CHUNK_BYTES));
    let codes: Vec<_> = (0..8).map(|_| world.get(&ben, 1, Some(0))["code"].clone()).collect();
    assert_eq!((codes.first(), codes.last()), (Some(&json!(200)), Some(&json!(429))));
}
