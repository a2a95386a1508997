//! One thing that goes wrong in a world where nothing else does: to the n-th datagram
//! that is sent, or at the n-th request that a store carries out.

use crate::{
    agenda::Event,
    clock::{Moment, SECOND},
    ctx::Ctx,
    letter::Letter,
    place::Place,
};

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

/// What was sent and asked for in a world.
#[derive(Debug)]
pub struct Course {
    /// How many datagrams were sent.
    pub datagrams: usize,
    /// The requests to stores.
    pub requests: Vec<Asked>,
}

/// A request to a store: of whom, and whether it changed something there.
pub type Asked = (Place, bool);

/// Datagrams that are sent, with one of which something is to go wrong.
#[derive(Debug)]
pub(crate) struct Datagrams {
    disturbance: Disturbance,
    count: usize,
    /// It waits for the next one in its direction.
    held: Option<Letter>,
}

impl Datagrams {
    pub(crate) fn new(disturbance: Disturbance) -> Self {
        Self { disturbance, count: 0, held: None }
    }

    /// How many there were.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// One that is to arrive so much later.
    pub(crate) fn send(&mut self, cx: &mut Ctx, letter: Letter, on_time: Moment) {
        let number = self.count;
        self.count += 1;
        let is_next = |held: &mut Letter| (held.from, held.to) == (letter.from, letter.to);
        if let Some(held) = self.held.take_if(is_next) {
            arrive_after(cx, on_time + 1, held);
        }
        match self.disturbance {
            Disturbance::Lost(at) if at == number => {}
            Disturbance::Doubled(at, later) if at == number => {
                arrive_after(cx, on_time, letter.clone());
                arrive_after(cx, on_time + later, letter);
            }
            Disturbance::Late(at, later) if at == number => {
                arrive_after(cx, on_time + later, letter);
            }
            Disturbance::Overtaken(at) if at == number => {
                self.held = Some(letter);
                cx.after(WAIT, Event::Release);
            }
            _ => arrive_after(cx, on_time, letter),
        }
    }

    /// What waited to be overtaken waits no longer.
    pub(crate) fn release(&mut self, cx: &mut Ctx) {
        if let Some(held) = self.held.take() {
            arrive_after(cx, 0, held);
        }
    }
}

fn arrive_after(cx: &mut Ctx, span: Moment, letter: Letter) {
    cx.after(span, Event::Arrive { letter, damaged: false });
}

/// Requests to stores, at one of which something is to go wrong.
#[derive(Debug)]
pub(crate) struct Requests {
    disturbance: Disturbance,
    all: Vec<Asked>,
}

/// How a request is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    Well,
    /// It fails.
    Not,
    /// Not at all: its host crashes.
    Never,
    /// And then its host crashes.
    Last,
}

impl Requests {
    pub(crate) fn new(disturbance: Disturbance) -> Self {
        Self { disturbance, all: Vec::new() }
    }

    /// All that there were.
    pub(crate) fn all(&self) -> &[Asked] {
        &self.all
    }

    /// What becomes of the next one.
    pub(crate) fn serve(&mut self, place: Place) -> Service {
        let number = self.all.len();
        self.all.push((place, false));
        match self.disturbance {
            Disturbance::CrashBefore(at) if at == number => Service::Never,
            Disturbance::CrashAfter(at) if at == number => Service::Last,
            Disturbance::Failed(at) if at == number => Service::Not,
            _ => Service::Well,
        }
    }

    /// It changed something.
    pub(crate) fn changed(&mut self) {
        if let Some((_, changed)) = self.all.last_mut() {
            *changed = true;
        }
    }
}
