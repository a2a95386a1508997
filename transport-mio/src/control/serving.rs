//! The socket through which an operator asks a server that runs, and both its ends.

use std::{
    fs::{self, Permissions},
    io::{self, BufRead, BufReader, Read, Write},
    os::unix::{
        fs::PermissionsExt,
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use proto_core::{
    id::MAX_NAME,
    server::{Event, Operation, Server},
};

use super::{Account, ControlError, Reply, Request, text};
use crate::{endpoint::Handle, files, memory::ServerMemory};

/// The socket in a server's directory.
const SOCKET: &str = "control";

/// How long either side waits for the other.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long the server's store may take.
const STORE: Duration = Duration::from_secs(30);

/// How long to wait before the socket is listened at again after an error.
const PAUSE: Duration = Duration::from_millis(100);

/// What became of an operation, and whether it is done.
type Operated = (Operand, bool);

/// What an operation is on: a nick or a room's name, in lower case.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Operand {
    Account([u8; MAX_NAME], Operation),
    Room([u8; MAX_NAME]),
}

/// A server's end: a thread that answers one operator at a time. Dropping it takes the
/// socket away.
pub struct Control {
    path: PathBuf,
    operated: Sender<Operated>,
    is_ending: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Control {
    /// Listens in `directory`, whose store is this process's. [`Self::notice`] must be told
    /// of all events.
    ///
    /// # Errors
    /// If the system does not let it; a path that is too long, for instance.
    pub fn start(directory: &Path, server: Handle<Server<ServerMemory>>) -> io::Result<Self> {
        let path = directory.join(SOCKET);
        let listener = listen(&path)?;
        let (operated, outcomes) = mpsc::channel();
        let is_ending = Arc::new(AtomicBool::new(false));
        let ending = Arc::clone(&is_ending);
        let thread = thread::Builder::new()
            .name("udpchat-control".to_owned())
            .spawn(move || serve(&listener, &server, &outcomes, &ending))?;
        Ok(Self { path, operated, is_ending, thread: Some(thread) })
    }

    /// The server told of this.
    pub fn notice(&self, event: &Event) {
        let operated = match event {
            Event::Operated { nick, operation, done } => {
                (Operand::Account(nick.folded(), *operation), *done)
            }
            Event::RoomOperated { room, done } => (Operand::Room(room.folded()), *done),
            _ => return,
        };
        // If nobody waits for it, nobody needs to know.
        let _ = self.operated.send(operated);
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.is_ending.store(true, Ordering::SeqCst);
        // Nobody finds it any more; then the thread is woken to see that it ends.
        let woken = UnixStream::connect(&self.path);
        let _ = fs::remove_file(&self.path);
        if let (Ok(_), Some(thread)) = (woken, self.thread.take()) {
            let _ = thread.join();
        }
    }
}

/// A socket that nobody but its owner can open at any time: it gets its name when its
/// rights are set.
fn listen(path: &Path) -> io::Result<UnixListener> {
    let nest = path.with_extension("new");
    // Of a process that was killed here; whoever has the store is alone.
    let _ = fs::remove_dir_all(&nest);
    files::create_directory(&nest)?;
    let beside = nest.join("s");
    let bound = UnixListener::bind(&beside).and_then(|listener| {
        fs::set_permissions(&beside, Permissions::from_mode(0o600))?;
        fs::rename(&beside, path)?;
        Ok(listener)
    });
    fs::remove_dir_all(&nest)?;
    bound
}

fn serve(
    listener: &UnixListener,
    server: &Handle<Server<ServerMemory>>,
    outcomes: &Receiver<Operated>,
    is_ending: &AtomicBool,
) {
    for stream in listener.incoming() {
        if is_ending.load(Ordering::SeqCst) {
            return;
        }
        // An operator who leaves in the middle is the only one who misses something.
        match stream {
            Ok(stream) => drop(answer(stream, server, outcomes)),
            Err(_) => thread::sleep(PAUSE),
        }
    }
}

fn answer(
    mut stream: UnixStream,
    server: &Handle<Server<ServerMemory>>,
    outcomes: &Receiver<Operated>,
) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut line = String::new();
    BufReader::new((&stream).take(text::LONGEST)).read_line(&mut line)?;
    let Some(request) = Request::parse(&line) else { return Ok(()) };
    let result = perform(request, server, outcomes);
    stream.write_all(text::write(&result).as_bytes())
}

fn perform(
    request: Request,
    server: &Handle<Server<ServerMemory>>,
    outcomes: &Receiver<Operated>,
) -> Result<Reply, ControlError> {
    let gone = |error| ControlError::System(io::Error::other(error));
    // What an earlier operator did not wait for.
    while outcomes.try_recv().is_ok() {}
    let operand = match request {
        Request::List => {
            let accounts = server.ask(|endpoint| {
                let mut accounts = Vec::new();
                endpoint.machine().for_each_account(|view| accounts.push(Account::from(view)));
                accounts
            });
            return Ok(Reply::Accounts(accounts.map_err(gone)?));
        }
        Request::Rooms => {
            let rooms = server.ask(|endpoint| {
                let mut rooms = Vec::new();
                endpoint.machine().for_each_room(|view| rooms.push(view));
                rooms
            });
            return Ok(Reply::Rooms(rooms.map_err(gone)?));
        }
        Request::Operate(operation, nick) => {
            server
                .ask(move |endpoint| {
                    endpoint.command(|server, now| server.operate(now, &nick, operation).map(drop))
                })
                .map_err(gone)??;
            Operand::Account(nick.folded(), operation)
        }
        Request::OperateRoom(operation, room) => {
            let is_awaited = server
                .ask(move |endpoint| {
                    endpoint.command(|server, now| server.operate_room(now, &room, operation))
                })
                .map_err(gone)??;
            if !is_awaited {
                return Ok(Reply::Done);
            }
            Operand::Room(room.folded())
        }
    };
    loop {
        match outcomes.recv_timeout(STORE) {
            Ok((of, done)) if of == operand => {
                return if done { Ok(Reply::Done) } else { Err(ControlError::Store) };
            }
            Ok(_) => {}
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                return Err(ControlError::Store);
            }
        }
    }
}

/// Asks the server that listens in `directory`; `None` if there is none.
pub(super) fn ask(directory: &Path, request: &Request) -> Result<Option<Reply>, ControlError> {
    use io::ErrorKind::{ConnectionRefused, InvalidInput, NotFound};
    let mut stream = match UnixStream::connect(directory.join(SOCKET)) {
        Ok(stream) => stream,
        // Too long a path has no socket: the server could not make one either.
        Err(error) if matches!(error.kind(), ConnectionRefused | InvalidInput | NotFound) => {
            return Ok(None);
        }
        Err(error) => return Err(error.into()),
    };
    let mut text = String::new();
    let told = stream.set_read_timeout(Some(PATIENCE + STORE)).and_then(|()| {
        stream.write_all(request.to_line().as_bytes())?;
        stream.read_to_string(&mut text)
    });
    let answer = told.ok().and_then(|_| text::read(&text));
    match answer {
        Some(result) => result.map(Some),
        None => Err(ControlError::NoAnswer { directory: directory.display().to_string() }),
    }
}

#[cfg(test)]
mod tests {
    use proto_core::server::Config;

    use super::*;
    use crate::{endpoint::ServerEndpoint, memory::ServerSizes};

    #[test]
    fn nobody_but_its_owner_can_open_the_socket() {
        let directory = tempfile::tempdir().unwrap();
        let any_port = "127.0.0.1:0".parse().unwrap();
        let sizes = ServerSizes::for_clients(2);
        let server =
            ServerEndpoint::open(directory.path(), any_port, &sizes, Config::default()).unwrap();
        let control = Control::start(directory.path(), server.handle()).unwrap();
        let socket = directory.path().join(SOCKET);
        assert_eq!(fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
        drop(control);
        assert!(!socket.exists());
    }
}
