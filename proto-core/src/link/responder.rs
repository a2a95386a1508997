//! The handshakes that others begin: nothing is remembered, and nothing but hashes computed, of
//! whom has not shown that they receive at their address.

use core::{net::SocketAddr, time::Duration};

use crate::{
    session::{self, Cookies, Opened},
    storage::Id,
    time::Instant,
    wire::{Hello, HelloTo, Init, Retry, VERSION},
};

use super::{
    Link,
    config::{LinkConfig, Local},
    ephemerals::Ephemerals,
    link::Role,
    statistics::Dropped,
};

/// How long an accepted handshake waits for its initiator's first packet.
pub(super) const UNCONFIRMED: Duration = Duration::from_secs(15);

/// What answers the handshakes of others.
pub(super) struct Responder<'a> {
    cookies: &'a mut Cookies,
    ephemerals: Ephemerals<'a>,
}

/// What a handshake message 1 leads to.
pub(super) enum Initiation<R: Role> {
    /// It came before, and led to this link.
    Repeated(Id<Link<R>>),
    /// It opens: who sent it wants a session.
    New { opened: Opened, ephemeral: [u8; 32] },
}

impl<'a> Responder<'a> {
    pub(super) fn new(cookies: &'a mut Cookies, ephemerals: Ephemerals<'a>) -> Self {
        Self { cookies, ephemerals }
    }

    /// The address proof to ask for, of someone who says Hello.
    pub(super) fn hello(
        &mut self,
        local: &mut Local,
        config: &LinkConfig,
        (now, from): (Instant, SocketAddr),
        hello: &Hello,
    ) -> Result<Retry, Dropped> {
        let Local { identity, random, .. } = local;
        let suite = identity.suite();
        let is_ours = match hello.to {
            HelloTo::Server => config.serves,
            HelloTo::Peer { .. } => {
                !config.serves && session::check_hello(suite, &identity.public(), hello)
            }
        };
        if !is_ours {
            return Err(Dropped::Unfitting);
        }
        let cookie = self.cookies.cookie(suite, random, now, from, hello);
        let key = config.serves.then(|| identity.public());
        Ok(session::retry(suite, hello, cookie, key))
    }

    /// Handshake message 1: checks what costs nothing first, and computes a
    /// Diffie-Hellman only for an address that is proven.
    pub(super) fn init<R: Role>(
        &mut self,
        local: &mut Local,
        config: &LinkConfig,
        (now, from): (Instant, SocketAddr),
        init: &Init<'_>,
    ) -> Result<Initiation<R>, Dropped> {
        let Local { identity, random, .. } = local;
        let serves = matches!(init.hello.to, HelloTo::Server);
        let ephemeral = Opened::ephemeral(init)
            .filter(|_| serves == config.serves && init.hello.version == VERSION)
            .ok_or(Dropped::Unfitting)?;
        if !self.cookies.verify(identity.suite(), random, now, from, &init.hello, &init.cookie) {
            return Err(Dropped::Unproven);
        }
        if let Some(id) = self.ephemerals.find(&ephemeral) {
            return Ok(Initiation::Repeated(id));
        }
        if !self.ephemerals.make_room(now) {
            return Err(Dropped::NoRoom);
        }
        let key = config.serves.then(|| identity.public());
        let opened = Opened::open(identity, init, key).ok_or(Dropped::Unauthentic)?;
        Ok(Initiation::New { opened, ephemeral })
    }

    /// A handshake has led to a link: the same message 1 leads to no other one.
    pub(super) fn accepted<R: Role>(
        &mut self,
        ephemeral: &[u8; 32],
        link: Id<Link<R>>,
        now: Instant,
    ) {
        self.ephemerals.remember(ephemeral, link, now, Cookies::LIFETIME);
    }
}
