//! What the server's role adds to links: what is kept for each, and what a packet carried.

mod link;
mod sent;
mod session;

pub use link::ServerLink;
pub use session::ClientSession;

pub(super) use link::ServerRole;
pub(super) use sent::SentFrame;
pub(super) use session::Stalled;
