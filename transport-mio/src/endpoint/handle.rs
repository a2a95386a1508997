//! Endpoints on threads of their own, and how others speak to them.

use std::{
    io,
    sync::{
        Arc,
        mpsc::{self, Sender},
    },
    thread::{self, JoinHandle},
};

use mio::Waker;

use super::Endpoint;
use proto_core::host::Machine;

/// What an endpoint is to do on its own thread.
pub(super) type Command<M> = Box<dyn FnOnce(&mut Endpoint<M>) + Send>;

/// Speaks to an endpoint from any thread.
pub struct Handle<M: Machine + 'static> {
    commands: Sender<Command<M>>,
    waker: Arc<Waker>,
}

impl<M: Machine + 'static> Clone for Handle<M> {
    fn clone(&self) -> Self {
        Self { commands: self.commands.clone(), waker: Arc::clone(&self.waker) }
    }
}

/// The endpoint is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it has ended already")]
pub struct Ended;

impl<M: Machine + 'static> Handle<M> {
    pub(super) fn new(commands: Sender<Command<M>>, waker: Arc<Waker>) -> Self {
        Self { commands, waker }
    }

    /// Has the endpoint's thread do something in its next turn.
    ///
    /// # Errors
    /// [`Ended`] if there is no endpoint any more.
    pub fn tell(&self, what: impl FnOnce(&mut Endpoint<M>) + Send + 'static) -> Result<(), Ended> {
        self.commands.send(Box::new(what)).map_err(|_| Ended)?;
        self.wake();
        Ok(())
    }

    /// Has the endpoint's thread do something in its next turn, and waits for what
    /// comes of it; not to be called on that thread.
    ///
    /// # Errors
    /// [`Ended`] if there is no endpoint any more.
    pub fn ask<R: Send + 'static>(
        &self,
        what: impl FnOnce(&mut Endpoint<M>) -> R + Send + 'static,
    ) -> Result<R, Ended> {
        let (answer, answered) = mpsc::sync_channel(1);
        self.tell(move |endpoint| {
            // Whoever asked waits.
            let _ = answer.send(what(endpoint));
        })?;
        answered.recv().map_err(|_| Ended)
    }

    /// Ends the endpoint's wait: the next turn, or the one that waits, returns.
    pub fn wake(&self) {
        // It fails only when so many wakes wait already that this one is not needed.
        let _ = self.waker.wake();
    }
}

/// An endpoint at work on a thread of its own. Dropping it shuts the endpoint down.
pub struct Running<M: Machine + 'static> {
    handle: Handle<M>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl<M: Machine + Send + 'static> Endpoint<M> {
    /// Has a thread of its own [run](Self::run) it. `on_event` is called there.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn spawn(
        self,
        on_event: impl FnMut(M::Event, &[u8]) + Send + 'static,
    ) -> io::Result<Running<M>> {
        let handle = self.handle();
        let thread = thread::Builder::new()
            .name("udpchat-endpoint".to_owned())
            .spawn(move || self.run(on_event))?;
        Ok(Running { handle, thread: Some(thread) })
    }
}

impl<M: Machine + 'static> Running<M> {
    /// Speaks to it.
    pub fn handle(&self) -> &Handle<M> {
        &self.handle
    }

    /// Has it leave, and waits until it has.
    ///
    /// # Errors
    /// If it ended before, by an error of the system.
    pub fn stop(mut self) -> io::Result<()> {
        self.end()
    }

    fn end(&mut self) -> io::Result<()> {
        // If it has ended, the thread says how.
        let _ = self.handle.tell(Endpoint::stop);
        let ended = self.thread.take().map(JoinHandle::join);
        ended.unwrap_or(Ok(Ok(()))).unwrap_or_else(|_| Err(io::Error::other("its thread panicked")))
    }
}

impl<M: Machine + 'static> Drop for Running<M> {
    fn drop(&mut self) {
        // Whoever wants to know how it ended calls `stop`.
        let _ = self.end();
    }
}
