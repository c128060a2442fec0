//! Hands voters who are due to idle connections.
//!
//! The connection that became idle last is taken first, so that a light load uses few connections.
//! Invariant: no voter waits in the queue while a connection is idle or may still be opened. The
//! queue is bounded by the plan: it holds arrivals of 24 bytes each, not requests.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use crate::plan::arrivals::Arrival;

/// The waiting voters and the idle connections of one worker.
#[derive(Default)]
pub(crate) struct Dispatcher {
    due: RefCell<VecDeque<Arrival>>,
    free: RefCell<Vec<Rc<IdleConnection>>>,
    closed: Cell<bool>,
}

/// A place in which an idle connection receives its next voter.
#[derive(Default)]
pub(crate) struct IdleConnection {
    voter: Cell<Option<Arrival>>,
    waker: RefCell<Option<Waker>>,
}

impl IdleConnection {
    fn wake(&self) {
        if let Some(waker) = self.waker.borrow_mut().take() {
            waker.wake();
        }
    }
}

impl Dispatcher {
    /// Adds a voter who is due. Returns `false` if no connection is idle; the voter then waits in
    /// the queue.
    pub(crate) fn offer(&self, voter: Arrival) -> bool {
        match self.free.borrow_mut().pop() {
            Some(idle) => {
                idle.voter.set(Some(voter));
                idle.wake();
                true
            }
            None => {
                self.due.borrow_mut().push_back(voter);
                false
            }
        }
    }

    /// Returns the next voter for the connection that waits in `idle`; `None` once there will be no
    /// more.
    pub(crate) async fn next(&self, idle: &Rc<IdleConnection>) -> Option<Arrival> {
        if let Some(voter) = self.due.borrow_mut().pop_front() {
            return Some(voter);
        }
        if self.closed.get() {
            return None;
        }
        self.free.borrow_mut().push(Rc::clone(idle));
        poll_fn(|cx| match idle.voter.take() {
            Some(voter) => Poll::Ready(Some(voter)),
            None if self.closed.get() => Poll::Ready(None),
            None => {
                *idle.waker.borrow_mut() = Some(cx.waker().clone());
                Poll::Pending
            }
        })
        .await
    }

    /// Ends the queue: no more voters will be added. Those in the queue are still served.
    pub(crate) fn close(&self) {
        self.closed.set(true);
        for idle in self.free.borrow_mut().drain(..) {
            idle.wake();
        }
    }

    /// Drops the voters in the queue, and returns their number.
    pub(crate) fn dismiss(&self) -> usize {
        let mut due = self.due.borrow_mut();
        let dismissed = due.len();
        due.clear();
        dismissed
    }
}
