//! One job: matched, opened, streamed, paid, and moved to another provider when one breaks.

mod attempt;
mod choose;
mod conclude;
mod driver;
mod feed;
mod job;
mod line;
mod meter;
mod standby;
mod transcript;
mod watch;

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::Stream;
use remuda_types::{JobId, OrderId};

use crate::client::Shared;
use crate::{JobEvent, RunError, RunRequest};
use driver::Driver;
use feed::Feed;
use job::Job;

/// A running job. Dropping it cancels the job, and pays for what was delivered.
pub struct JobRun {
    /// The order.
    pub order: OrderId,
    /// The job.
    pub job: JobId,
    shared: Arc<Shared>,
    feed: Arc<Feed>,
    driver: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl JobRun {
    /// Starts a job and waits for its first event.
    pub(crate) async fn start(shared: &Arc<Shared>, request: RunRequest) -> Result<Self, RunError> {
        let job = Job::new(request)?;
        let (order, id) = (job.order.id, job.id);
        let feed = Arc::new(Feed::default());
        let driver = Driver::new(Arc::clone(shared), Arc::clone(&feed), job);
        let driver: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(driver.drive());
        let mut run =
            Self { order, job: id, shared: Arc::clone(shared), feed, driver: Some(driver) };
        poll_fn(|context| run.poll_item(context)).await;
        if run.feed.starts_with_error()
            && let Some(Err(error)) = run.feed.take()
        {
            return Err(error);
        }
        Ok(run)
    }

    /// The next event. The first is [`JobEvent::Prepared`]; after [`JobEvent::Finished`] or an
    /// error there is nothing more. Cancel-safe.
    ///
    /// The job advances only while this is polled: a caller that stops asking stops the job,
    /// and a provider that waits for its payment gives up after a while.
    pub async fn next(&mut self) -> Option<Result<JobEvent, RunError>> {
        poll_fn(|context| self.poll_event(context)).await
    }

    /// [`JobRun::next`] for those who poll.
    pub fn poll_event(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<JobEvent, RunError>>> {
        self.poll_item(context).map(|()| self.feed.take())
    }

    /// Ready when an item can be taken, or when there will be none.
    fn poll_item(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.feed.has_items() {
            return Poll::Ready(());
        }
        let Some(driver) = &mut self.driver else { return Poll::Ready(()) };
        if driver.as_mut().poll(context).is_ready() {
            self.driver = None;
            return Poll::Ready(());
        }
        if self.feed.has_items() { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Stream for JobRun {
    type Item = Result<JobEvent, RunError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_event(context)
    }
}

impl Drop for JobRun {
    fn drop(&mut self) {
        for item in self.feed.abandon() {
            if let Ok(JobEvent::Finished(report)) = item {
                self.shared.report(report);
            }
        }
        let Some(driver) = self.driver.take() else { return };
        // Without a runtime there is nobody left to pay with.
        if tokio::runtime::Handle::try_current().is_ok() {
            self.shared.tasks.spawn(driver);
        }
    }
}

impl fmt::Debug for JobRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobRun")
            .field("order", &self.order)
            .field("job", &self.job)
            .field("ended", &self.driver.is_none())
            .finish_non_exhaustive()
    }
}
