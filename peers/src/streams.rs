//! The peer's way of what a [`crate::Pair`] does: a stream for each message.

use std::time::Duration;

use quinn_proto::{Connection, Dir, Event, StreamEvent, StreamId};

use crate::{
    BYTES,
    cost::{Cost, cpu, cpu_since},
    quic::{Host, Quic, Side},
};

/// Bytes of a receipt: an application's word that it has the message.
const RECEIPT: usize = 16;

/// An author and a recipient with one connection.
#[allow(missing_debug_implementations)] // megabytes
pub struct Streams {
    quic: Quic,
}

/// Both applications.
struct Application {
    messages: u64,
    said: u64,
    settled: u64,
}

impl Streams {
    /// The handshake is done.
    pub fn new() -> Self {
        Self { quic: Quic::new(1, false) }
    }

    /// The author says so many `messages`, each on a stream of its own, so many of them
    /// `under_way` at a time, until it has the receipt of each.
    pub fn say(&mut self, messages: u64, under_way: u64) -> Cost {
        let quic = &mut self.quic;
        let (start, then, datagrams) = (cpu(), quic.now(), quic.datagrams());
        let mut application = Application { messages, said: 0, settled: 0 };
        quic.command(Side::Client, |connection| {
            for _ in 0..under_way {
                application.say(connection);
            }
        });
        while application.settled < messages {
            quic.step(&mut application);
        }
        Cost {
            messages,
            cpu: cpu_since(start),
            server: Duration::ZERO,
            waited: quic.now() - then,
            datagrams: quic.datagrams() - datagrams,
            strays: 0,
        }
    }
}

impl Default for Streams {
    fn default() -> Self {
        Self::new()
    }
}

impl Application {
    fn say(&mut self, connection: &mut Connection) {
        if self.said < self.messages {
            self.said += 1;
            Quic::say(connection, Dir::Bi, &[b'm'; BYTES]);
        }
    }

    fn read(&mut self, side: Side, connection: &mut Connection, stream: StreamId) {
        if !Quic::read(connection, stream) {
            return;
        }
        match side {
            Side::Server => Quic::answer(connection, stream, &[b'r'; RECEIPT]),
            Side::Client => {
                self.settled += 1;
                self.say(connection);
            }
        }
    }
}

impl Host for Application {
    fn on_event(&mut self, side: Side, connection: &mut Connection, event: Event) {
        match event {
            Event::Stream(StreamEvent::Opened { dir }) => {
                while let Some(stream) = connection.streams().accept(dir) {
                    self.read(side, connection, stream);
                }
            }
            Event::Stream(StreamEvent::Readable { id }) => self.read(side, connection, id),
            _ => {}
        }
    }
}
