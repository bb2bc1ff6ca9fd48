//! The story of a file whose sender, Node and recipient are each killed while it is on its way.

use crate::processes::app::AppProcess;
use crate::processes::node::NodeProcess;
use crate::processes::shell::Shell;
#[allow(dead_code, reason = "other stories use the rest")]
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use contract::{ChatMessage, ChatView, ContactState, Content, FileBytes, FileState, FileTicket, Question, Upload};
use serde_json::Value;

/// Enough chunks for a kill to fall between them.
const SIZE: usize = 12 * 1024 * 1024;

fn file() -> Vec<u8> {
    (0..SIZE as u64).map(|at| (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u8).collect()
}

async fn files(shell: &Shell, chat: &str) -> Vec<ChatMessage> {
    let view: ChatView = shell.ask(Question::ChatOpen { chat: chat.to_owned() }).await;
    view.messages.into_iter().filter(|message| matches!(message.content, Content::File { .. })).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_goes_on_where_it_was_when_everybody_was_killed() {
    let mut a = NodeProcess::start("a.localhost", "ws").await;
    let b = NodeProcess::start("b.localhost", "sse").await;
    let mut ana = AppProcess::sign_up("ana", &a, &[&a, &b]).await;
    let mut ben = AppProcess::sign_up("ben", &b, &[&a, &b]).await;
    let chat = ana.asks_for_contact("ben@b.localhost").await;
    ben.accepts("ana@a.localhost").await;
    ana.sees_contact("ben@b.localhost", ContactState::Accepted).await;

    let plain = file();
    let shell = ana.shell();
    let begin =
        Question::FileBegin { chat: chat.clone(), name: "film.bin".into(), media: String::new(), size: SIZE as u64 };
    let ticket: FileTicket = shell.ask(begin).await;
    for part in plain.chunks(ticket.part_bytes as usize) {
        let part = Question::FilePart { file: ticket.file.clone(), data: STANDARD.encode(part) };
        shell.ask::<Value>(part).await;
    }
    shell.ask::<Upload>(Question::FileSend { file: ticket.file, text: "A film".into(), reply: None }).await;

    // The sender is killed between two chunks, and then the Node.
    let under_way = async |shell: &Shell| {
        let all: Vec<Upload> = shell.ask(Question::FileUploads { chat: chat.clone() }).await;
        all.iter().any(|upload| upload.done > 0).then_some(())
    };
    ana.patiently("some of the file to be at the Node", shell.until(async || under_way(&shell).await)).await;
    ana.kill().await;
    ana.unlock().await;
    let shell = ana.shell();
    ana.patiently("more of the file to be at the Node", shell.until(async || under_way(&shell).await)).await;
    a.kill().await;
    a.resume().await;
    let look = async || (files(&shell, &chat).await.len() == 1).then_some(());
    ana.patiently("the file to become a message", shell.until(look)).await;
    assert!(shell.ask::<Vec<Upload>>(Question::FileUploads { chat: chat.clone() }).await.is_empty());

    // The recipient is killed between two chunks.
    let shell = ben.shell();
    let look = async || files(&shell, &chat).await.pop();
    let message = ben.patiently("the message", shell.until(look)).await.id;
    shell.ask::<FileState>(Question::FileGet { message: message.clone() }).await;
    let look = async || {
        let state: FileState = shell.ask(Question::FileLook { message: message.clone() }).await;
        matches!(state, FileState::Coming { done, .. } if done > 0).then_some(())
    };
    ben.patiently("some of the file to be here", shell.until(look)).await;
    ben.kill().await;
    ben.unlock().await;
    let shell = ben.shell();
    let state: FileState = shell.ask(Question::FileLook { message: message.clone() }).await;
    assert!(matches!(state, FileState::Coming { done, .. } if done > 0), "it goes on where it was: {state:?}");
    let look = async || {
        let state: FileState = shell.ask(Question::FileLook { message: message.clone() }).await;
        matches!(state, FileState::Here { .. }).then_some(())
    };
    ben.patiently("all of the file to be here", shell.until(look)).await;
    let (mut got, mut part) = (Vec::new(), 0);
    loop {
        let bytes: FileBytes = shell.ask(Question::FileRead { message: message.clone(), part }).await;
        got.extend(STANDARD.decode(&bytes.data).unwrap());
        part += 1;
        if part == bytes.parts {
            break;
        }
    }
    assert!(got == plain, "what came is what went");
    assert_eq!(files(&shell, &chat).await.len(), 1, "it came once");
    ana.kill().await;
    ben.kill().await;
}
