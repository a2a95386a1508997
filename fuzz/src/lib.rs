//! What the fuzz targets do with their bytes.
//!
//! - [`wire`]: the bytes are a datagram, and the frames of an opened packet.
//! - [`frames`]: the bytes are the plaintext of one packet, decoded and applied on a live
//!   session of either role, in one of the [`Scene`]s.
//! - [`server`], [`client`]: the bytes are steps at a role with two live sessions:
//!   datagrams as they come, handshakes from the cookie on, sealed frames, time that
//!   passes, and the host's answers. See [`steps::Step`].
//!
//! Beside panics, each looks for what must never be: a deadline that stays due after
//! all was done, and more work than one input is worth. At a server it also looks for starvation:
//! whatever came before, two who are new register, and what one says gets to the other.

mod live;
mod outside;
pub mod steps;
mod suite;

use proto_core::wire::{Datagram, Frame, FrameWriter, Frames, MAX_DATAGRAM};

pub use live::{Scene, client, frames, nick, register, request, room_name, server};
pub use outside::{end_identity, plaintext, role_identity, seed};

/// Reads bytes as a datagram and as frames; what is read is written back and read again.
pub fn wire(data: &[u8]) {
    let mut datagram = data.to_vec();
    let mut out = [0; MAX_DATAGRAM];
    match Datagram::parse(&mut datagram) {
        Ok(Datagram::Hello(hello)) => {
            let again = Datagram::parse(hello.encode(&mut out));
            assert!(matches!(again, Ok(Datagram::Hello(again)) if again == hello));
        }
        Ok(Datagram::Retry(retry)) => {
            let again = Datagram::parse(retry.encode(&mut out));
            assert!(matches!(again, Ok(Datagram::Retry(again)) if again == retry));
        }
        Ok(Datagram::Init(init)) => assert_eq!(init.encode(&mut out), data),
        Ok(Datagram::Accept(accept)) => assert_eq!(accept.encode(&mut out), data),
        Ok(Datagram::Packet(header, _)) => assert_eq!(header.encode(), data[..13]),
        Err(_) => {}
    }
    for frame in Frames::new(data) {
        let Ok(frame) = frame else { break };
        if let Frame::Ack(ack) = &frame {
            assert!(ack.ranges().count() <= ack.gaps.len() + 1);
        }
        if let Frame::Roster(page) = &frame {
            assert!(page.entries().count() <= page.entries.len());
        }
        let mut buffer = vec![0; data.len() + 64];
        let end = buffer.len();
        let mut writer = FrameWriter::new(&mut buffer, 0, end);
        assert!(writer.push(&frame), "what was read fits where it came from");
        let length = writer.length();
        assert_eq!(Frames::new(&buffer[..length]).next(), Some(Ok(frame)));
    }
}
