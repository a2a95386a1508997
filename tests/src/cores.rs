//! Work that is done on all cores.

use std::{
    sync::{Mutex, PoisonError},
    thread,
};

/// Does one piece after another, on all cores; what came of each, in the order of the pieces.
pub(crate) fn on_all_cores<P: Send, T: Send>(
    pieces: impl Iterator<Item = P> + Send,
    work: impl Fn(P) -> T + Sync,
) -> Vec<T> {
    let (pieces, done) = (Mutex::new(pieces.enumerate()), Mutex::new(Vec::new()));
    let next = || pieces.lock().unwrap_or_else(PoisonError::into_inner).next();
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                while let Some((at, piece)) = next() {
                    let result = (at, work(piece));
                    done.lock().unwrap_or_else(PoisonError::into_inner).push(result);
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_unstable_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}
