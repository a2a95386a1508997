//! What a round took.

use std::{env, time::Duration};

use rustix::time::{ClockId, clock_gettime};

/// The CPU time that this thread has used.
pub(crate) fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}

/// The CPU time that this thread has used since it had used `start`.
pub(crate) fn cpu_since(start: Duration) -> Duration {
    cpu().saturating_sub(start)
}

/// What a number of messages took.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// How many messages.
    pub messages: u64,
    /// CPU time, of all sides together.
    pub cpu: Duration,
    /// Of that, the server's and its host's, if it was measured.
    pub server: Duration,
    /// Simulated time in which nobody had anything to do.
    pub waited: Duration,
    /// Datagrams sent, by all sides together.
    pub datagrams: u64,
    /// Messages that went another way than the one that is measured, or expired.
    pub strays: u64,
}

impl Cost {
    /// Nanoseconds of CPU time for one message.
    pub fn nanos(&self) -> f64 {
        self.cpu.as_nanos() as f64 / self.messages as f64
    }

    /// Of those, the server's.
    pub fn server_nanos(&self) -> f64 {
        self.server.as_nanos() as f64 / self.messages as f64
    }

    /// Messages in a second of one core that waits when nobody has anything to do.
    pub fn rate(&self) -> f64 {
        self.messages as f64 / (self.cpu + self.waited).as_secs_f64()
    }

    /// Datagrams for one message.
    pub fn datagrams(&self) -> f64 {
        self.datagrams as f64 / self.messages as f64
    }

    /// Milliseconds for one message in which nobody had anything to do.
    pub fn waited(&self) -> f64 {
        self.waited.as_secs_f64() * 1000.0 / self.messages as f64
    }

    /// The cheaper of two rounds, with the strays of both.
    #[must_use]
    pub fn best(before: Option<Self>, new: Self) -> Self {
        let Some(before) = before else { return new };
        let best = if before.rate() >= new.rate() { before } else { new };
        Self { strays: before.strays + new.strays, ..best }
    }
}

/// What of a benchmark is to run, from the command line: numbers choose among its levels, `alone`
/// leaves the peer out, so that a profile shows the core only.
#[derive(Debug)]
pub struct Selection {
    levels: Vec<usize>,
    alone: bool,
}

impl Selection {
    /// `None` if nothing is to be measured: Cargo runs benchmarks for their tests, too, and says
    /// `--bench` if it is not for that.
    pub fn of_arguments() -> Option<Self> {
        let arguments: Vec<_> = env::args().skip(1).collect();
        let is_said = |what: &str| arguments.iter().any(|argument| argument == what);
        let levels = arguments.iter().flat_map(|argument| argument.parse()).collect();
        is_said("--bench").then(|| Self { levels, alone: is_said("alone") })
    }

    /// Of these levels, the chosen ones.
    pub fn levels(&self, all: &[usize]) -> Vec<usize> {
        let is_chosen = |level: &usize| self.levels.is_empty() || self.levels.contains(level);
        all.iter().copied().filter(is_chosen).collect()
    }

    /// The peer is left out.
    pub fn is_alone(&self) -> bool {
        self.alone
    }
}
