//! Starts programs, each with a group and a log of its own, and lets none outlive us.
//!
//! A watchdog holds the other end of a pipe: when we are gone, for whatever reason
//! (end, panic, Ctrl-C, SIGKILL), the pipe closes and it ends every group that is left.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::sync::mpsc;

use crate::{Outcome, StageError};

/// How long a program has to end by itself.
const GRACE: Duration = Duration::from_secs(8);

/// Lines of a program's output that are kept for whoever waits for them.
const LINES: usize = 1024;

const WATCHDOG: &str = r#"
groups=
while read -r sign group; do
  if [ "$sign" = + ]; then groups="$groups $group"; continue; fi
  rest=
  for g in $groups; do [ "$g" = "$group" ] || rest="$rest $g"; done
  groups=$rest
done
[ -n "$groups" ] || exit 0
for g in $groups; do kill -s TERM -- "-$g"; done 2>/dev/null
sleep 2
for g in $groups; do kill -s KILL -- "-$g"; done 2>/dev/null
"#;

/// Everybody who works on the stage.
#[derive(Clone)]
pub(crate) struct Crew {
    logs: PathBuf,
    watchdog: Arc<Mutex<ChildStdin>>,
}

impl Crew {
    /// A crew whose logs go into this folder.
    pub(crate) fn new(logs: PathBuf) -> Outcome<Self> {
        std::fs::create_dir_all(&logs).map_err(StageError::file(&logs))?;
        let failed = |source| StageError::DidNotStart { program: "sh".into(), source };
        let mut watchdog = Command::new("sh")
            .args(["-c", WATCHDOG])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(failed)?;
        let pipe = watchdog.stdin.take().ok_or_else(|| failed(std::io::ErrorKind::BrokenPipe.into()))?;
        Ok(Self { logs, watchdog: Arc::new(Mutex::new(pipe)) })
    }

    /// Starts a program; what it prints goes into `NAME.log`.
    pub(crate) fn start(&self, name: &str, mut command: Command) -> Outcome<Program> {
        let log = self.logs.join(format!("{name}.log"));
        let failed = |source| StageError::DidNotStart { program: name.to_owned(), source };
        let file = OpenOptions::new().create(true).append(true).open(&log).map_err(StageError::file(&log))?;
        let errors = file.try_clone().map_err(StageError::file(&log))?;
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(errors)
            .process_group(0)
            .spawn()
            .map_err(failed)?;
        self.note('+', child.id());
        let lines = child.stdout.take().map(|out| read_lines(out, file));
        Ok(Program { name: name.to_owned(), child, log, lines, crew: self.clone(), stopped: false })
    }

    /// Where the logs are.
    pub(crate) fn logs(&self) -> &Path {
        &self.logs
    }

    fn note(&self, sign: char, group: u32) {
        let mut pipe = self.watchdog.lock().unwrap_or_else(PoisonError::into_inner);
        // A watchdog that is gone cannot help; the programs are still ended by their owners.
        let _ = writeln!(pipe, "{sign} {group}");
    }
}

fn read_lines(out: std::process::ChildStdout, mut log: File) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel(LINES);
    std::thread::spawn(move || {
        for line in BufReader::new(out).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).into_owned();
            let _ = writeln!(log, "{line}");
            // Nobody waits for a line any more when the queue is full.
            let _ = sender.try_send(line);
        }
    });
    receiver
}

/// A program that runs; it and its children end when this is dropped.
pub(crate) struct Program {
    name: String,
    child: Child,
    log: PathBuf,
    lines: Option<mpsc::Receiver<String>>,
    crew: Crew,
    stopped: bool,
}

impl Program {
    /// Waits for the first line from which `find` takes something.
    pub(crate) async fn says<T>(&mut self, limit: Duration, mut find: impl FnMut(&str) -> Option<T>) -> Outcome<T> {
        let Some(mut lines) = self.lines.take() else { return Err(self.not_ready(limit)) };
        let found = tokio::time::timeout(limit, async {
            while let Some(line) = lines.recv().await {
                if let Some(found) = find(&line) {
                    return Some(found);
                }
            }
            None
        })
        .await;
        self.lines = Some(lines);
        match found {
            Ok(Some(found)) => Ok(found),
            Ok(None) => Err(self.ended()),
            Err(_) => Err(self.not_ready(limit)),
        }
    }

    /// Waits until it listens on a port of this machine.
    pub(crate) async fn listens(&mut self, port: u16, limit: Duration) -> Outcome<()> {
        let until = Instant::now() + limit;
        loop {
            if tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
                return Ok(());
            }
            if self.child.try_wait().ok().flatten().is_some() {
                return Err(self.ended());
            }
            if Instant::now() > until {
                return Err(self.not_ready(limit));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until it ends by itself; `false` when it does not.
    pub(crate) async fn ends(&mut self, limit: Duration) -> bool {
        let until = Instant::now() + limit;
        while self.child.try_wait().ok().flatten().is_none() {
            if Instant::now() > until {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        true
    }

    fn ended(&mut self) -> StageError {
        let status = self.child.wait().map_or_else(|error| error.to_string(), |status| status.to_string());
        StageError::Ended { program: self.name.clone(), status, log: self.log.clone() }
    }

    fn not_ready(&self, after: Duration) -> StageError {
        StageError::NotReady { program: self.name.clone(), after, log: self.log.clone() }
    }

    /// Asks it to end, waits, and ends what is left of its group.
    pub(crate) fn stop(&mut self) {
        if std::mem::replace(&mut self.stopped, true) {
            return;
        }
        let group = Pid::from_raw(i32::try_from(self.child.id()).unwrap_or(i32::MAX));
        let _ = killpg(group, Signal::SIGTERM);
        let until = Instant::now() + GRACE;
        while self.child.try_wait().ok().flatten().is_none() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = killpg(group, Signal::SIGKILL);
        let _ = self.child.wait();
        self.crew.note('-', self.child.id());
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.stop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crew() -> (tempfile::TempDir, Crew) {
        let dir = tempfile::tempdir().unwrap();
        let crew = Crew::new(dir.path().to_owned()).unwrap();
        (dir, crew)
    }

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    fn runs(pid: i32) -> bool {
        // A process nobody waits for is a zombie, which does not run any more.
        std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
    }

    #[tokio::test]
    async fn a_line_is_waited_for_and_kept_in_the_log() {
        let (dir, crew) = crew();
        let mut program = crew.start("speaker", shell("echo one; echo ready 7; sleep 60")).unwrap();
        let number =
            program.says(Duration::from_secs(20), |line| line.strip_prefix("ready ")?.parse::<u16>().ok()).await;
        assert_eq!(number.unwrap(), 7);
        drop(program);
        assert!(std::fs::read_to_string(dir.path().join("speaker.log")).unwrap().contains("one"));
    }

    #[tokio::test]
    async fn a_program_that_ends_is_told_from_one_that_is_slow() {
        let (_dir, crew) = crew();
        let mut ended = crew.start("ended", shell("exit 3")).unwrap();
        assert!(matches!(ended.says(Duration::from_secs(20), |_| None::<()>).await, Err(StageError::Ended { .. })));
        let mut slow = crew.start("slow", shell("sleep 60")).unwrap();
        assert!(matches!(slow.says(Duration::from_millis(50), |_| None::<()>).await, Err(StageError::NotReady { .. })));
    }

    #[tokio::test]
    async fn grandchildren_end_with_their_program() {
        let (_dir, crew) = crew();
        let mut program = crew.start("parent", shell("sleep 60 & echo $!; wait")).unwrap();
        let child: i32 = program.says(Duration::from_secs(20), |line| line.parse().ok()).await.unwrap();
        assert!(runs(child));
        drop(program);
        assert!(!runs(child));
    }

    #[tokio::test]
    async fn the_watchdog_ends_what_nobody_ended() {
        let (_dir, crew) = crew();
        let mut program = crew.start("orphan", shell("sleep 60 & echo $!; wait")).unwrap();
        let child: i32 = program.says(Duration::from_secs(20), |line| line.parse().ok()).await.unwrap();
        // As if we had been killed: nobody drops the program, only the pipe closes.
        let mut program = std::mem::ManuallyDrop::new(program);
        let pipe = std::process::Command::new("true").stdin(Stdio::piped()).spawn().unwrap().stdin.take().unwrap();
        drop(std::mem::replace(&mut *crew.watchdog.lock().unwrap(), pipe));
        assert!(program.ends(Duration::from_secs(30)).await);
        assert!(!runs(child));
    }
}
