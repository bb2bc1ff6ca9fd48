//! The tasks of a runtime: each has a name, and the last one is waited for.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

/// Starts tasks and ends them: those of the profile when it is locked, the others with the runtime.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tasks {
    lasting: Group,
    profile: Arc<Mutex<Group>>,
}

/// Tasks that end together.
#[derive(Debug, Clone, Default)]
struct Group {
    stop: CancellationToken,
    tracker: TaskTracker,
}

impl Group {
    fn start(&self, name: &'static str, work: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        let work = async move {
            stop.run_until_cancelled(work).await;
        };
        self.tracker.spawn(work.instrument(tracing::info_span!("task", name)));
    }

    async fn end(&self) {
        self.stop.cancel();
        self.tracker.close();
        self.tracker.wait().await;
    }
}

impl Tasks {
    /// Starts a task that ends at the latest when the profile is locked.
    pub(crate) fn start(&self, name: &'static str, work: impl Future<Output = ()> + Send + 'static) {
        self.profile().start(name, work);
    }

    /// Starts a task that ends at the latest when the runtime does.
    pub(crate) fn start_lasting(&self, name: &'static str, work: impl Future<Output = ()> + Send + 'static) {
        self.lasting.start(name, work);
    }

    /// Ends the tasks of the profile and waits for the last one. Those of the next one can be started at once.
    pub(crate) async fn end_profile(&self) {
        let group = std::mem::take(&mut *self.profile());
        group.end().await;
    }

    /// Asks all tasks to stop and waits for the last one. What is started later ends at once.
    pub(crate) async fn shutdown(&self) {
        self.lasting.end().await;
        let group = self.profile().clone();
        group.end().await;
    }

    fn profile(&self) -> std::sync::MutexGuard<'_, Group> {
        self.profile.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};

    /// Says when it is dropped.
    struct Flag(Arc<AtomicBool>);

    impl Drop for Flag {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }

    fn endless() -> (Arc<AtomicBool>, impl Future<Output = ()> + Send + 'static) {
        let ended = Arc::new(AtomicBool::new(false));
        let flag = Flag(ended.clone());
        (ended, async move {
            let _flag = flag;
            std::future::pending::<()>().await;
        })
    }

    #[tokio::test]
    async fn a_locked_profile_leaves_no_task_behind_and_the_runtime_goes_on() {
        let tasks = Tasks::default();
        let (profile, work) = endless();
        tasks.start("one", work);
        let (lasting, work) = endless();
        tasks.start_lasting("two", work);
        tasks.end_profile().await;
        assert!(profile.load(Ordering::SeqCst) && !lasting.load(Ordering::SeqCst));
        let (next, work) = endless();
        tasks.start("three", work);
        assert!(!next.load(Ordering::SeqCst), "the next profile has tasks of its own");
        tasks.shutdown().await;
        assert!(next.load(Ordering::SeqCst) && lasting.load(Ordering::SeqCst));
    }
}
