//! A node that is told to stop says goodbye, and nothing it acknowledged is lost.

use std::collections::HashSet;
use std::path::Path;
use std::process::{Child, Command};

use crate::common::nats::free_port;
use crate::common::{Heard, Person, Session, read_answer, sealed, unsealed};
use keys::SigningKey;
use message::{Code, Message, MessageType};
use node::{Role, Wire};

struct Program(Child);

impl Program {
    fn start(data: &Path, port: u16) -> Self {
        Self(crate::common::program::start(data, port, &[]))
    }

    /// SIGTERM, and the end of the process.
    fn stop(&mut self) {
        let told = Command::new("kill").args(["-TERM", &self.0.id().to_string()]).status().unwrap();
        assert!(told.success());
        assert!(self.0.wait().unwrap().success(), "a node that is told to stop ends well");
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Everything a session hears until it ends, and the code it ends with.
async fn until_end(session: &mut Session) -> (Vec<Message>, u16) {
    let mut heard = Vec::new();
    loop {
        match session.link.hear_or_end().await {
            Heard::Message(message) => heard.push(message),
            Heard::Closed(code) => return (heard, code),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_stopped_under_load_says_so_and_brings_everything_after_its_restart() {
    let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
    let mut program = Program::start(folder.path(), port);
    let ana = Person::new("ana");
    let mut session = Session::open_at(port, Wire::Ws, Role::Member, &ana.device).await.unwrap();
    let to = "domain://registry.a.localhost/account";
    assert_eq!(session.ask(MessageType::Create, to, ana.claim()).await.code, Code::OK);
    let inbox = session.allocate("hyperty", "inbox").await;
    let mut ben = Session::open_at(port, Wire::Ws, Role::Visitor, &SigningKey::generate()).await.unwrap();
    let from = ben.address.clone();
    let mut by_id = std::collections::HashMap::new();
    for number in 0..600 {
        let text = format!("message {number}");
        by_id.insert(ben.post(MessageType::Create, &from, inbox.as_str(), sealed(&text)), text);
    }
    let mut confirmed = HashSet::new();
    for _ in 0..50 {
        confirmed.insert(unsealed(&session.take().await));
    }
    session.settled().await;
    // What was delivered was answered before, but those answers may still be on their way.
    let mut answers = Vec::new();
    while answers.len() <= 50 {
        match ben.link.hear_or_end().await {
            Heard::Message(message) => answers.push(message),
            Heard::Closed(code) => panic!("closed with {code} before the stop"),
        }
    }
    let stopping = tokio::task::spawn_blocking(move || {
        program.stop();
        program
    });
    let (more, end) = until_end(&mut ben).await;
    answers.extend(more);
    assert_eq!(end, 503, "who is connected hears why");
    assert_eq!(until_end(&mut session).await.1, 503);
    drop(stopping.await.unwrap());

    let is_taken = |message: &&Message| matches!(read_answer(message).code, Code::OK | Code::ACCEPTED);
    let taken: HashSet<String> = answers.iter().filter(is_taken).map(|message| by_id[&message.id].clone()).collect();
    assert!(taken.len() > 50, "there was a load");

    let _program = Program::start(folder.path(), port);
    let mut again = Session::open_at(port, Wire::Ws, Role::Member, &ana.device).await.unwrap();
    let mut seen = confirmed;
    while !taken.is_subset(&seen) {
        seen.insert(unsealed(&again.take().await));
    }
}
