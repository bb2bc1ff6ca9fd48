//! The tasks of a runtime: each has a name, and the last one is waited for.

use std::future::Future;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

/// Starts tasks and ends them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tasks {
    stop: CancellationToken,
    tracker: TaskTracker,
}

impl Tasks {
    /// Starts a task that ends at the latest when the runtime does.
    pub(crate) fn start(&self, name: &'static str, work: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        let work = async move {
            stop.run_until_cancelled(work).await;
        };
        self.tracker.spawn(work.instrument(tracing::info_span!("task", name)));
    }

    /// Asks all tasks to stop and waits for the last one.
    pub(crate) async fn shutdown(&self) {
        self.stop.cancel();
        self.tracker.close();
        self.tracker.wait().await;
    }
}
