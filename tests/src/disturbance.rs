//! One thing that goes wrong in a world where nothing else does: to the n-th datagram
//! that is sent, or at the n-th request that a store carries out.

use std::net::SocketAddr;

use crate::{
    clock::{Moment, SECOND},
    place::Place,
    store::Manners,
    world::{Event, World},
};

/// How long a host that crashed is down.
const DOWN: Moment = SECOND / 2;

/// The longest that a datagram waits for one to overtake it.
const WAIT: Moment = SECOND;

/// What goes wrong. Datagrams and requests to stores count from 0, over all nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disturbance {
    /// Nothing.
    None,
    /// This datagram is lost.
    Lost(usize),
    /// This datagram comes a second time, so much later.
    Doubled(usize, Moment),
    /// This datagram comes so much later.
    Late(usize, Moment),
    /// This datagram comes right behind the next one in its direction.
    Overtaken(usize),
    /// The host crashes right before this request is carried out, and starts again.
    CrashBefore(usize),
    /// The host crashes when this request is durable, before it hears so, and starts again.
    CrashAfter(usize),
    /// The store fails at this request.
    Failed(usize),
}

/// A datagram on its way: from, to, bytes.
type Sent = (SocketAddr, SocketAddr, Vec<u8>);

/// What was sent and asked for in a world so far, and what is to go wrong with it.
#[derive(Debug)]
pub struct Course {
    /// What goes wrong.
    pub disturbance: Disturbance,
    /// How many datagrams were sent.
    pub datagrams: usize,
    /// Whose store each request was made of, and whether it changed something there.
    pub requests: Vec<(Place, bool)>,
    held: Option<Sent>,
}

/// How a store serves a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    Well,
    /// It fails.
    Not,
    /// Not at all: its host crashed.
    Never,
    /// And then its host crashes.
    Last,
}

impl World {
    /// Counts what is sent and asked for from now on, with one thing of it to go wrong.
    pub fn disturb(&mut self, disturbance: Disturbance) {
        let (datagrams, requests) = (0, Vec::new());
        self.course = Some(Course { disturbance, datagrams, requests, held: None });
    }

    /// What becomes of a datagram: how many times, and how much later each, than `on_time`,
    /// it arrives.
    pub(crate) fn fate(
        &mut self,
        from: SocketAddr,
        to: SocketAddr,
        bytes: &[u8],
        on_time: Moment,
    ) -> Vec<Moment> {
        let Some(course) = &mut self.course else { return vec![0] };
        let number = course.datagrams;
        course.datagrams += 1;
        if let Some(held) = course.held.take_if(|held| (held.0, held.1) == (from, to)) {
            self.release_after(on_time + 1, held);
        }
        let Some(course) = &mut self.course else { return vec![0] };
        match course.disturbance {
            Disturbance::Lost(at) if at == number => Vec::new(),
            Disturbance::Doubled(at, later) if at == number => vec![0, later],
            Disturbance::Late(at, later) if at == number => vec![later],
            Disturbance::Overtaken(at) if at == number => {
                course.held = Some((from, to, bytes.to_vec()));
                self.after(WAIT, Event::Release);
                Vec::new()
            }
            _ => vec![0],
        }
    }

    /// What waited to be overtaken waits no longer.
    pub(crate) fn release(&mut self) {
        if let Some(held) = self.course.as_mut().and_then(|course| course.held.take()) {
            self.release_after(0, held);
        }
    }

    fn release_after(&mut self, span: Moment, (from, to, bytes): Sent) {
        self.after(span, Event::Arrive { from, to, bytes, damaged: false });
    }

    /// What becomes of the next request to a store.
    pub(crate) fn serve(&mut self, place: Place) -> Service {
        let Some(course) = &mut self.course else { return Service::Well };
        let number = course.requests.len();
        course.requests.push((place, false));
        match course.disturbance {
            Disturbance::CrashBefore(at) if at == number => {
                self.crash_and_restart(place);
                Service::Never
            }
            Disturbance::CrashAfter(at) if at == number => Service::Last,
            Disturbance::Failed(at) if at == number => {
                let manners = Manners { fails: 1_000, ..Manners::default() };
                self.nodes[place].store.behave(manners);
                Service::Not
            }
            _ => Service::Well,
        }
    }

    /// A request was served.
    pub(crate) fn served(&mut self, place: Place, service: Service, changed: bool) {
        if let Some((_, changes)) = self.course.as_mut().and_then(|c| c.requests.last_mut()) {
            *changes = changed;
        }
        match service {
            Service::Not => self.nodes[place].store.behave(Manners::default()),
            Service::Last => self.crash_and_restart(place),
            Service::Well | Service::Never => {}
        }
    }

    fn crash_and_restart(&mut self, place: Place) {
        self.crash(place);
        let life = self.nodes[place].life;
        self.after(DOWN, Event::Boot(place, life));
    }
}
