//! Hands voters who are due to connections that are free.
//!
//! The connection that rested least is taken first, so a light load stays on few connections.
//! Invariant: nobody waits in the queue while a connection is free or may still be opened. The
//! queue is bounded by the plan: it holds arrivals (24 bytes each), not requests.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use crate::plan::arrivals::Arrival;

/// The queue and the free connections of one lane.
#[derive(Default)]
pub(crate) struct Dispatcher {
    due: RefCell<VecDeque<Arrival>>,
    free: RefCell<Vec<Rc<IdleConnection>>>,
    closed: Cell<bool>,
}

/// Where a free connection waits for its next voter.
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
    /// Takes in a voter; `false` when no connection was free for it.
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

    /// The next voter for the connection of this idle; `None` once there will be none.
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

    /// No more voters will come; those in the queue are still served.
    pub(crate) fn close(&self) {
        self.closed.set(true);
        for idle in self.free.borrow_mut().drain(..) {
            idle.wake();
        }
    }

    /// Sends those in the queue home; gives their number.
    pub(crate) fn dismiss(&self) -> usize {
        let mut due = self.due.borrow_mut();
        let dismissed = due.len();
        due.clear();
        dismissed
    }
}
