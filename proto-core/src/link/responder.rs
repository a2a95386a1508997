//! The handshakes that others begin: nothing is remembered, and nothing but hashes computed, of
//! whom has not shown that they receive at their address.

use core::{net::SocketAddr, time::Duration};

use crate::{
    session::{self, Cookies, Opened},
    time::Instant,
    wire::{Hello, HelloTo, Init, Retry, VERSION},
};

use super::{
    config::{LinkConfig, Local},
    link::EphemeralName,
    statistics::Dropped,
};

/// How long an accepted handshake waits for its initiator's first packet.
pub(super) const UNCONFIRMED: Duration = Duration::from_secs(15);

/// What answers the handshakes of others.
pub(super) struct Responder<'a> {
    cookies: &'a mut Cookies,
}

impl<'a> Responder<'a> {
    pub(super) fn new(cookies: &'a mut Cookies) -> Self {
        Self { cookies }
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

    /// Checks a handshake message 1 for what costs nothing: it is for this endpoint, and from an
    /// address that is proven. Its ephemeral key tells repetitions of it.
    pub(super) fn check(
        &mut self,
        local: &mut Local,
        config: &LinkConfig,
        (now, from): (Instant, SocketAddr),
        init: &Init<'_>,
    ) -> Result<EphemeralName, Dropped> {
        let Local { identity, random, .. } = local;
        let serves = matches!(init.hello.to, HelloTo::Server);
        let ephemeral = Opened::ephemeral(init)
            .filter(|_| serves == config.serves && init.hello.version == VERSION)
            .ok_or(Dropped::Unfitting)?;
        if !self.cookies.verify(identity.suite(), random, now, from, &init.hello, &init.cookie) {
            return Err(Dropped::Unproven);
        }
        Ok(*ephemeral.first_chunk().unwrap_or(&[0; 16]))
    }

    /// Opens a handshake message 1, for two Diffie-Hellman operations.
    pub(super) fn open(
        local: &Local,
        config: &LinkConfig,
        init: &Init<'_>,
    ) -> Result<Opened, Dropped> {
        let key = config.serves.then(|| local.identity.public());
        Opened::open(&local.identity, init, key).ok_or(Dropped::Unauthentic)
    }
}
