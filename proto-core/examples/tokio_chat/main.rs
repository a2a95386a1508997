//! A client on tokio that chats with a real server, on a store that survives crashes.
//!
//! `cargo run -p proto-core --example tokio_chat -- NICK SERVER:PORT [KEY]`
//!
//! A line goes to everyone, `@nick text` to one person; the end of the input leaves. The identity,
//! the server's key and the store are in `tokio_chat-NICK`.

mod store;

use std::{
    error::Error,
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::LazyLock,
    time,
};

use data_encoding::BASE32_NOPAD;
use proto_core::{
    client::{
        Client, Config, Event, Status, To,
        fixed::{Blocks, Fixed, Incoming, Links, Outgoing, Packets, Peers, Work},
    },
    host::{Action, Machine, Resume},
    id::{Nick, PublicKey, SecretKey},
    random::Seed,
    session::{Identity, Portable, Suite},
    text_bound,
    time::{Instant, UnixTime, WallClock},
    wire::MAX_DATAGRAM,
};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::UdpSocket,
    runtime,
    sync::mpsc::{UnboundedSender, unbounded_channel},
    task,
    time::sleep,
};

use store::{Batch, Store};

/// The longest text, in bytes.
const TEXT: usize = 4096;

type Memory = Fixed<
    Links<16>,
    Peers<256>,
    Outgoing<64>,
    Incoming<64>,
    Blocks<512>,
    Packets<128>,
    Work<{ text_bound(TEXT) }>,
>;

fn now() -> Instant {
    static START: LazyLock<time::Instant> = LazyLock::new(time::Instant::now);
    Instant::from_micros(START.elapsed().as_micros() as u64)
}

fn wall_clock() -> WallClock {
    // A clock that is set to before 1970 is as good as none.
    let unix = time::UNIX_EPOCH.elapsed().unwrap_or_default().as_micros() as u64;
    WallClock { at: now(), unix: UnixTime(unix) }
}

/// The secret key in the directory, drawn at the first start. Nobody else may read it, and nobody
/// else use it at the same time: the file is locked as long as it is open.
fn identity(directory: &Path) -> Result<(Identity, File), Box<dyn Error>> {
    let path = directory.join("identity");
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.try_lock().map_err(|why| format!("another one runs in {}: {why}", directory.display()))?;
    let mut key = SecretKey([0; 32]);
    if file.metadata()?.len() == 0 {
        getrandom::fill(&mut key.0)?;
        file.write_all(&key.0)?;
        file.sync_all()?;
    } else {
        file.read_exact(&mut key.0)?;
    }
    Ok((Identity::new(key, &Portable), file))
}

struct Chat {
    client: Client<Box<Memory>>,
    socket: UdpSocket,
    store: Store,
    batches: UnboundedSender<Batch>,
    /// Where the server's key is remembered.
    server_key: PathBuf,
    /// The client is offline for good.
    over: bool,
}

impl Chat {
    /// Does all that the client owes.
    async fn act(&mut self) -> io::Result<()> {
        let mut scratch = [0; MAX_DATAGRAM];
        self.client.set_clock(wall_clock());
        while let Some(action) = self.client.poll(now(), &mut scratch) {
            match action {
                Action::Send { to, datagram } => {
                    // What the system does not take is lost, as anywhere on the way; so below.
                    let _ = self.socket.send_to(datagram, to).await;
                }
                Action::Put { ticket, log, number, record } => {
                    self.store.put(ticket, log, number, record);
                }
                Action::Trim { ticket, log, upto } => self.store.trim(ticket, log, upto),
                Action::Read { ticket, log, from, most } => {
                    let client = &mut self.client;
                    self.store.read(log, from, most, |found| {
                        client.handle_read(now(), ticket, Ok(found));
                    });
                }
                // A client asks for none.
                Action::CheckPassword { .. } => {}
                Action::Event { event, text } => {
                    // Quoted, nothing in it can move the cursor or pass for something else.
                    let text = String::from_utf8_lossy(text);
                    match event {
                        Event::Registered { server, .. } => {
                            self.remember(server)?;
                            println!("online");
                        }
                        Event::Message { from, .. } => println!("{from}: {text:?}"),
                        Event::RoomMessage { room: To::Lobby, from, .. } => {
                            println!("{from} to everyone: {text:?}");
                        }
                        Event::Verdict { to, verdict, .. } => println!("{verdict:?} to {to:?}"),
                        Event::RegisterRefused(_)
                        | Event::PasswordWanted { .. }
                        | Event::WrongServerKey
                        | Event::Displaced
                        | Event::Deregistered { .. } => {
                            println!("{event:?}");
                            self.over = true;
                        }
                        Event::ServerClosed(_) => {
                            println!("{event:?}");
                            self.over = self.client.status() == Status::Offline;
                        }
                        Event::Ready
                        | Event::RosterChanged
                        | Event::Accepted { .. }
                        | Event::Submitted { .. }
                        | Event::Relayed { .. }
                        | Event::MailboxEmpty => {}
                        _ => println!("{event:?}"),
                    }
                }
            }
        }
        if let Some(batch) = self.store.take_batch() {
            // If nobody takes it, the disk has failed, which ends the program.
            let _ = self.batches.send(batch);
        }
        Ok(())
    }

    /// Keeps the server's key for the next time, in place of none or the same one.
    fn remember(&self, server: PublicKey) -> io::Result<()> {
        let new = self.server_key.with_extension("new");
        let mut file = File::create(&new)?;
        file.write_all(&server.0)?;
        file.sync_all()?;
        fs::rename(new, &self.server_key)
    }

    /// Hands over every datagram that has arrived.
    async fn receive(&mut self) {
        let mut buffer = [0; MAX_DATAGRAM];
        while let Ok((length, from)) = self.socket.try_recv_from(&mut buffer) {
            let datagram = &mut buffer[..length];
            if let Some(reply) = self.client.handle_datagram(now(), from, datagram) {
                let _ = self.socket.send_to(reply, from).await;
            }
        }
    }

    fn say(&mut self, line: &str) {
        let (to, text) = match line.strip_prefix('@').and_then(|line| line.split_once(' ')) {
            Some((nick, text)) => match Nick::new(nick) {
                Ok(nick) => (To::Peer(nick), text),
                Err(why) => return println!("{why}"),
            },
            None => (To::Lobby, line),
        };
        if let Err(why) = self.client.send_message(now(), to, text) {
            println!("{why}");
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let done = runtime.block_on(chat());
    // Not to wait for a line that nobody types.
    runtime.shutdown_background();
    done
}

/// A key as a server prints it: with a checksum behind it, three bytes of a hash (docs/PROTOCOL.md,
/// 1.5).
fn key_of(text: &str) -> Result<PublicKey, Box<dyn Error>> {
    let bytes = BASE32_NOPAD.decode(text.to_ascii_uppercase().as_bytes())?;
    let (key, checksum) = bytes.split_first_chunk::<32>().ok_or("the key is too short")?;
    if !Portable.hash(&[b"udpchat key", key]).starts_with(checksum) || checksum.len() != 3 {
        return Err("the key is mistyped: copy it again".into());
    }
    Ok(PublicKey(*key))
}

async fn chat() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(nick), Some(server)) = (arguments.next(), arguments.next()) else {
        return Err("usage: tokio_chat NICK SERVER:PORT [KEY]".into());
    };
    let (nick, server): (_, SocketAddr) = (Nick::new(&nick)?, server.parse()?);
    let directory = PathBuf::from(format!("tokio_chat-{nick}"));
    fs::create_dir_all(&directory)?;
    let (identity, _lock) = identity(&directory)?;
    let server_key = directory.join("server");
    let key = match arguments.next() {
        Some(text) => Some(key_of(&text)?),
        // Whoever answers the first time is believed, and nobody else from then on.
        None if server_key.exists() => {
            let key = <[u8; 32]>::try_from(fs::read(&server_key)?);
            Some(PublicKey(key.map_err(|_| "the server's key is not 32 bytes long")?))
        }
        None => None,
    };

    let (store, file, boot) = Store::open(&directory)?;
    let (batches, to_write) = unbounded_channel();
    let (written, mut answers) = unbounded_channel();
    let writer = task::spawn_blocking(|| store::write(file, to_write, written));

    let mut config = Config::new(nick, server, key);
    config.text = TEXT as u32;
    let (seed, resume) = (Seed::draw(getrandom::fill)?, Resume { boot, clock: wall_clock() });
    let mut client = Client::new(config, identity, seed, resume, now(), Box::new(Memory::new()))?;
    client.register(now())?;
    let any =
        if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind(SocketAddr::new(any, 0)).await?;
    let mut chat = Chat { client, socket, store, batches, server_key, over: false };

    let (mut lines, mut has_input) = (BufReader::new(tokio::io::stdin()).lines(), true);
    loop {
        chat.act().await?;
        if chat.over && chat.client.unanswered() == 0 {
            break;
        }
        let wait = chat.client.deadline().map(|at| at.since(now()));
        let is_online = chat.client.status() == Status::Online;
        tokio::select! {
            ready = chat.socket.readable() => ready?,
            () = sleep(wait.unwrap_or_default()), if wait.is_some() => {}
            line = lines.next_line(), if has_input && is_online => match line? {
                Some(line) => chat.say(&line),
                None => {
                    has_input = false;
                    chat.client.deregister(now())?;
                }
            },
            answered = answers.recv() => match answered {
                Some(tickets) => {
                    for ticket in tickets {
                        chat.client.handle_stored(now(), ticket, Ok(()));
                    }
                }
                None => break,
            },
        }
        if chat.client.wants_seed() {
            chat.client.reseed(Seed::draw(getrandom::fill)?);
        }
        chat.receive().await;
    }
    drop(chat);
    Ok(writer.await??)
}
