//! The store's thread, and what it shares with the event loop.

use std::{
    collections::VecDeque,
    mem,
    path::PathBuf,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
};

use super::{
    Answer, Failure,
    engine::Engine,
    request::{Asker, Outcome, Request},
};

/// What the event loop and the store's thread share.
pub(super) struct Shared<T> {
    state: Mutex<State<T>>,
    /// Signalled when there is something for the thread to do.
    work: Condvar,
    /// Called, from either side, whenever there are new answers.
    wake: Box<dyn Fn() + Send + Sync>,
    capacity: usize,
    path: PathBuf,
}

struct State<T> {
    queue: VecDeque<Request<T>>,
    /// What nobody waits for and failed: it goes with the next batch.
    again: VecDeque<Request<T>>,
    answers: Vec<Answer<T>>,
    /// The newest failure.
    failure: Option<Failure>,
    /// The same while the event loop has not been told: until then it may ask
    /// for what relies on the failed request, so nothing may succeed.
    untold: Option<Failure>,
    is_closing: bool,
    has_ended: bool,
}

impl<T> Shared<T> {
    pub(super) fn new(path: PathBuf, capacity: usize, wake: Box<dyn Fn() + Send + Sync>) -> Self {
        Self {
            state: Mutex::new(State {
                queue: VecDeque::new(),
                again: VecDeque::new(),
                answers: Vec::new(),
                failure: None,
                untold: None,
                is_closing: false,
                has_ended: false,
            }),
            work: Condvar::new(),
            wake,
            capacity,
            path,
        }
    }

    /// Queues a request, to be worked on [soon](Self::work), or answers at once that it fails.
    pub(super) fn ask(&self, request: Request<T>) {
        let mut state = self.lock();
        let Some(failure) = self.refusal(&state, &request) else {
            state.queue.push_back(request);
            return;
        };
        state.failure = Some(failure.clone());
        if let Some(answer) = request.fail(&failure) {
            state.answers.push(answer);
            state.untold = Some(failure);
            drop(state);
            (self.wake)();
        }
    }

    /// Has the thread work on what is queued.
    pub(super) fn work(&self) {
        self.work.notify_one();
    }

    fn refusal(&self, state: &State<T>, request: &Request<T>) -> Option<Failure> {
        let path = || self.path.clone();
        if state.has_ended {
            return Some(Failure::Ended { path: path() });
        }
        // A caller who waits asks one thing at a time and relies on nothing; nor does what nobody
        // waits for.
        if matches!(request.asker, Asker::Caller(_) | Asker::Nobody) {
            return None;
        }
        let waiting = state.queue.len();
        let is_full = waiting >= self.capacity;
        state.untold.clone().or_else(|| is_full.then(|| Failure::Busy { path: path(), waiting }))
    }

    pub(super) fn take_answers(&self) -> Vec<Answer<T>> {
        let mut state = self.lock();
        state.untold = None;
        mem::take(&mut state.answers)
    }

    pub(super) fn failure(&self) -> Option<Failure> {
        self.lock().failure.clone()
    }

    pub(super) fn close(&self) {
        self.lock().is_closing = true;
        self.work.notify_one();
    }

    /// The thread: commits what is queued, batch by batch, until closed and empty.
    pub(super) fn run(&self, mut engine: Engine) {
        let _end = End(self);
        loop {
            let batch = self.next_batch();
            if batch.is_empty() {
                return;
            }
            let done = engine.run(batch.iter().map(|request| &request.ask));
            self.publish(batch, done);
            (self.wake)();
        }
    }

    /// Waits for something to do; an empty batch is the end.
    fn next_batch(&self) -> VecDeque<Request<T>> {
        let is_idle = |state: &mut State<T>| state.queue.is_empty() && !state.is_closing;
        let waited = self.work.wait_while(self.lock(), is_idle);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        if state.queue.is_empty() {
            return VecDeque::new();
        }
        let mut batch = mem::take(&mut state.again);
        batch.append(&mut state.queue);
        batch
    }

    fn publish(&self, batch: VecDeque<Request<T>>, done: Result<Vec<Outcome>, Failure>) {
        let mut state = self.lock();
        match done {
            Ok(outcomes) => {
                let pairs = batch.into_iter().zip(outcomes);
                state.answers.extend(pairs.filter_map(|(request, done)| request.succeed(done)));
            }
            Err(failure) => {
                // What was asked after what failed may rely on it.
                let later = mem::take(&mut state.queue);
                let failed = batch.into_iter().chain(later);
                let (again, failed): (Vec<_>, Vec<_>) =
                    failed.partition(|request| matches!(request.asker, Asker::Nobody));
                state.again.extend(again);
                let failed = failed.into_iter();
                state.answers.extend(failed.filter_map(|request| request.fail(&failure)));
                state.untold = Some(failure.clone());
                state.failure = Some(failure);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets nobody wait for a thread that has ended, however it did.
struct End<'a, T>(&'a Shared<T>);

impl<T> Drop for End<'_, T> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.has_ended = true;
        state.queue.clear();
        state.again.clear();
    }
}
