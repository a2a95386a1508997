//! The real program, run over loopback.
#![allow(dead_code)] // Each test file uses its own part.

use std::{
    collections::HashSet,
    fmt,
    hash::{BuildHasher, RandomState},
    io::{BufRead, BufReader, Write},
    net::UdpSocket,
    path::Path,
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::{
        Mutex,
        mpsc::{self, Receiver, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

/// No step takes that long, even on a machine that does much else.
const DEADLINE: Duration = Duration::from_mins(1);

/// A UDP port that nobody uses, on loopback, and that no system gives away on its own.
pub(crate) fn free_port() -> u16 {
    static TAKEN: Mutex<Option<HashSet<u16>>> = Mutex::new(None);
    let mut taken = TAKEN.lock().unwrap();
    let taken = taken.get_or_insert_default();
    loop {
        // Test programs that run at once mostly draw from different ranges.
        let range = std::process::id() % 40;
        let port = 10_000 + (range * 500) as u16 + (random() % 500) as u16;
        if UdpSocket::bind(("127.0.0.1", port)).is_ok() && taken.insert(port) {
            return port;
        }
    }
}

/// Makes a directory, if it is there, its owner's alone: the program takes no other for its data.
pub(crate) fn make_private(directory: &Path) {
    #[cfg(unix)]
    if directory.is_dir() {
        use std::{fs, os::unix::fs::PermissionsExt};
        fs::set_permissions(directory, fs::Permissions::from_mode(0o700)).unwrap();
    }
}

/// Another number every time.
pub(crate) fn random() -> u64 {
    RandomState::new().hash_one(0)
}

/// The program at work; killed when dropped.
pub(crate) struct Program {
    name: String,
    child: Child,
    input: Option<ChildStdin>,
    output: Receiver<String>,
    /// Every line that was looked at.
    pub(crate) seen: Vec<String>,
}

impl Program {
    /// Starts it with `arguments` and its data below `directory`.
    pub(crate) fn start(directory: &Path, arguments: &[&str]) -> Self {
        Self::with_password(directory, arguments, None)
    }

    /// The same, with a password in the environment.
    pub(crate) fn with_password(
        directory: &Path,
        arguments: &[&str],
        password: Option<&str>,
    ) -> Self {
        make_private(directory);
        let mut child = Command::new(env!("CARGO_BIN_EXE_udpchat"))
            .args(arguments)
            .env_remove("UDPCHAT_PASSWORD")
            .envs(password.map(|password| ("UDPCHAT_PASSWORD", password)))
            .arg("--data-dir")
            .arg(directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (sender, output) = mpsc::channel();
        thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let input = child.stdin.take();
        Self { name: arguments.join(" "), child, input, output, seen: Vec::new() }
    }

    /// The classic server.
    pub(crate) fn classic_server(directory: &Path, port: u16) -> Self {
        let mut server = Self::start(directory, &["-s", &port.to_string(), "--bind", "127.0.0.1"]);
        server.expect(&format!("server port number:  {port}"));
        server
    }

    /// The classic client, registered.
    pub(crate) fn classic_client(directory: &Path, nick: &str, server: u16, port: u16) -> Self {
        let (server, port) = (server.to_string(), port.to_string());
        let arguments = ["-c", nick, "127.0.0.1", &server, &port];
        let mut client = Self::start(&directory.join(nick), &arguments);
        client.expect(">>> [Welcome, You are registered.]");
        client.expect(">>> [Client table updated.]");
        client
    }

    /// Types a line.
    pub(crate) fn line(&mut self, line: &str) {
        let input = self.input.as_mut().unwrap();
        // Whoever was killed takes nothing in any more.
        let _ = writeln!(input, "{line}");
    }

    /// There will be no further line.
    pub(crate) fn end_input(&mut self) {
        self.input = None;
    }

    /// Waits for a line.
    pub(crate) fn expect(&mut self, line: &str) {
        self.expect_where(line, |seen| seen == line);
    }

    /// Waits for a line that `fits`, which is described by `what`; gives it.
    pub(crate) fn expect_where(&mut self, what: &str, fits: impl Fn(&str) -> bool) -> String {
        let until = Instant::now() + DEADLINE;
        loop {
            let Some(line) = self.next(until) else { panic!("{self}: {what:?} never came") };
            if fits(&line) {
                return line;
            }
        }
    }

    /// The next line must be this one.
    pub(crate) fn expect_next(&mut self, line: &str) {
        let next = self.next(Instant::now() + DEADLINE);
        assert_eq!(next.as_deref(), Some(line), "{self}");
    }

    /// The next line; `None` when there is none until then, or at the end.
    pub(crate) fn next(&mut self, until: Instant) -> Option<String> {
        let left = until.saturating_duration_since(Instant::now());
        match self.output.recv_timeout(left) {
            Ok(line) => {
                self.seen.push(line.clone());
                Some(line)
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => None,
        }
    }

    /// Looks at all lines that are there or come until then.
    pub(crate) fn look(&mut self, span: Duration) {
        let until = Instant::now() + span;
        while self.next(until).is_some() {}
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id().cast_signed()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Kills it as `kill -9` does, and looks at all that it wrote before.
    pub(crate) fn kill(mut self) -> Vec<String> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.look(DEADLINE);
        std::mem::take(&mut self.seen)
    }

    /// Waits for its end, and looks at all that it wrote before.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let until = Instant::now() + DEADLINE;
        while self.next(until).is_some() {}
        loop {
            match self.child.try_wait().unwrap() {
                Some(status) => return status,
                None if Instant::now() > until => panic!("{self}: it never ended"),
                None => thread::sleep(Duration::from_millis(10)),
            }
        }
    }

    /// Waits for its end; its exit code.
    pub(crate) fn exit_code(&mut self) -> i32 {
        self.wait().code().unwrap()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "udpchat {}, which wrote {:#?}", self.name, self.seen)
    }
}
