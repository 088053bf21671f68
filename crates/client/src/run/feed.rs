//! What the caller takes from a running job, and whether it is still there to take it.
//!
//! The job runs inside the caller's own polling, so that a frame costs no task switch. Only
//! when the caller goes away does the rest of the job move into a task of its own.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use parking_lot::Mutex;

use crate::{JobEvent, RunError};

type Item = Result<JobEvent, RunError>;

#[derive(Debug, Default)]
pub(crate) struct Feed {
    queue: Mutex<VecDeque<Item>>,
    gone: AtomicBool,
}

impl Feed {
    /// Hands `item` over and waits until the caller took it. Returns at once when the caller is
    /// gone.
    pub(crate) async fn hand_over(&self, item: Item) {
        if self.is_gone() {
            return;
        }
        self.queue.lock().push_back(item);
        // The caller polls this very future again after it took the item: no waker is needed.
        poll_fn(|_| {
            let taken = self.is_gone() || self.queue.lock().is_empty();
            if taken { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// Leaves the last item behind for the caller.
    pub(crate) fn leave(&self, item: Item) {
        self.queue.lock().push_back(item);
    }

    pub(crate) fn take(&self) -> Option<Item> {
        self.queue.lock().pop_front()
    }

    pub(crate) fn has_items(&self) -> bool {
        !self.queue.lock().is_empty()
    }

    /// Whether the first item is an error.
    pub(crate) fn starts_with_error(&self) -> bool {
        self.queue.lock().front().is_some_and(Result::is_err)
    }

    /// Takes everything, for nobody will.
    pub(crate) fn abandon(&self) -> VecDeque<Item> {
        self.gone.store(true, Ordering::Release);
        std::mem::take(&mut *self.queue.lock())
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Acquire)
    }

    /// Resolves once the caller is gone. Whoever marks it gone polls the job again.
    pub(crate) async fn gone(&self) {
        poll_fn(|_| if self.is_gone() { Poll::Ready(()) } else { Poll::Pending }).await;
    }
}
