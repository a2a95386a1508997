//! The vectors in `docs/vectors/`, recomputed from their fixed inputs and compared, in
//! both directions: what is encoded here is what the files say, and what the files
//! say is decoded as it was meant.
//!
//! None of it rests on the core's own output alone: the Noise messages are compared with
//! `snow`'s, the keys and MACs with a second computation from the hash and HMAC as
//! `docs/PROTOCOL.md` describes them, the frames with bytes put together by hand.
//!
//! `UDPCHAT_WRITE_VECTORS=1 cargo test -p proto-core --test vectors` writes the files anew.

use std::{
    collections::BTreeMap, convert::Infallible, fmt::Write as _, fs, net::SocketAddr, path::PathBuf,
};

use proto_core::{
    Received,
    id::{
        Account, Epoch, Incarnation, MessageName, Nick, Number, Position, PublicKey, Recipient,
        Room, RoomName, SecretKey, SessionId,
    },
    random::{Random, Seed},
    session::{
        Cookies, Identity, Initiator, Keys, MAIL_OVERHEAD, Offer, Opened, Portable, RekeyRequest,
        Suite, answer_rekey, check_hello, check_receipt, check_retry, hello_mac, open_mail,
        receipt, retry, seal_mail,
    },
    time::{Instant, UnixTime},
    wire::{
        Accept, AccountAction, AccountRefusal, AccountRequest, AccountResponse, Ack, AckGap, Away,
        CloseReason, CreditLimit, Datagram, DeliveryStatus, FRAGMENT_UNIT, Frame, FrameWriter,
        Frames, Hello, HelloTo, Init, Joined, KeyHistory, Left, LeftReason, Limits, Login,
        MAX_ACK_RANGES, MAX_DATAGRAM, Mail, MailAck, Message, Names, PacketHeader, PasswordWant,
        PasswordWanted, Presence, Read, Receipt, Register, RegisterRefusal, Registered, Rekey,
        Rekeyed, Retention, Retry, RoomAction, RoomEntry, RoomRefusal, RoomRequest, RoomResponse,
        Roster, RosterEntry, Secret, StatusQuery, Submit, SubmitRefusal, SubmitRefused, TrimReason,
        Trimmed, VERSION,
    },
};

/// The bytes from `first` on, counted up: plain to see in a dump.
fn count<const N: usize>(first: u8) -> [u8; N] {
    let mut bytes = [0; N];
    for (byte, value) in bytes.iter_mut().zip(first..) {
        *byte = value;
    }
    bytes
}

// ---------------------------------------------------------------------- files

/// The files are to be written anew.
fn writes() -> bool {
    std::env::var_os("UDPCHAT_WRITE_VECTORS").is_some()
}

/// A file of vectors: `name = hex` a line, remarks behind `#`.
struct Vectors {
    file: &'static str,
    text: String,
}

impl Vectors {
    fn new(file: &'static str, about: &str) -> Self {
        let mut new = Self { file, text: String::new() };
        new.remark(about);
        new.remark("Recomputed and compared by proto-core/tests/vectors.rs.");
        new
    }

    fn remark(&mut self, about: &str) {
        if self.text.lines().last().is_some_and(|line| !line.starts_with('#')) {
            self.text.push('\n');
        }
        writeln!(self.text, "# {about}").unwrap();
    }

    fn add(&mut self, name: &str, value: impl AsRef<[u8]>) {
        write!(self.text, "{name} = ").unwrap();
        for byte in value.as_ref() {
            write!(self.text, "{byte:02x}").unwrap();
        }
        self.text.push('\n');
    }

    /// Compares with the file, or writes it; then what the file says.
    fn check(self) -> BTreeMap<String, Vec<u8>> {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/vectors");
        let path = path.join(self.file);
        if writes() {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, &self.text).unwrap();
        }
        let found = fs::read_to_string(&path).unwrap();
        for (line, (found, made)) in (1..).zip(found.lines().zip(self.text.lines())) {
            assert_eq!(found, made, "docs/vectors/{}, line {line}", self.file);
        }
        assert_eq!(found, self.text, "docs/vectors/{} is longer or shorter", self.file);
        found.lines().filter_map(read_line).collect()
    }
}

fn read_line(line: &str) -> Option<(String, Vec<u8>)> {
    let (name, value) = line.split_once(" = ").filter(|_| !line.starts_with('#'))?;
    let byte = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap();
    Some((name.to_owned(), value.as_bytes().chunks(2).map(byte).collect()))
}

// ------------------------------------------------- the same, computed again here

fn hash(parts: &[&[u8]]) -> [u8; 32] {
    Portable.hash(parts)
}

/// HMAC-BLAKE2s after RFC 2104.
fn hmac(key: &[u8], text: &[u8]) -> [u8; 32] {
    let mut block = [0; 64];
    block[..key.len()].copy_from_slice(key);
    let inner = hash(&[&block.map(|byte| byte ^ 0x36), text]);
    hash(&[&block.map(|byte| byte ^ 0x5c), &inner])
}

fn mac(key: &[u8], text: &[u8]) -> [u8; 16] {
    *hmac(key, text).first_chunk().unwrap()
}

/// Noise §4.3, two outputs.
fn hkdf(chain: &[u8; 32], input: &[u8]) -> ([u8; 32], [u8; 32]) {
    let temporary = hmac(chain, input);
    let first = hmac(&temporary, &[1]);
    (first, hmac(&temporary, &[&first[..], &[2]].concat()))
}

/// A handshake as Noise §5 has it, one line of the specification at a time.
struct Noise {
    hash: [u8; 32],
    chain: [u8; 32],
    key: [u8; 32],
}

impl Noise {
    fn new(name: &[u8], prologue: &[u8], responder: &[u8; 32]) -> Self {
        let mut start = [0; 32];
        match start.get_mut(..name.len()) {
            Some(front) => front.copy_from_slice(name),
            None => start = hash(&[name]),
        }
        let mut noise = Self { hash: start, chain: start, key: [0; 32] };
        noise.mix_hash(prologue);
        noise.mix_hash(responder);
        noise
    }

    fn mix_hash(&mut self, data: &[u8]) {
        self.hash = hash(&[&self.hash, data]);
    }

    fn mix_key(&mut self, secret: &[u8; 32], public: &[u8; 32]) {
        let shared = Portable.agree(secret, public).unwrap();
        (self.chain, self.key) = hkdf(&self.chain, &shared);
    }

    fn encrypt(&mut self, plain: &[u8]) -> Vec<u8> {
        let mut text = plain.to_vec();
        let tag = Portable.seal(&self.key, 0, &self.hash, &mut text);
        text.extend(tag);
        self.mix_hash(&text);
        text
    }
}

/// The generator that this seed stands for.
fn generator(seed: [u8; 32]) -> Random {
    let Ok(seed) = Seed::draw(|bytes| {
        bytes.copy_from_slice(&seed);
        Ok::<_, Infallible>(())
    });
    Random::new(seed)
}

/// The secret of an ephemeral key as this implementation derives it: `hash` is the
/// handshake's so far, `to` the other side's key, `sealed` what the pair protects.
fn ephemeral(
    own: &[u8; 32],
    seed: [u8; 32],
    hash_so_far: &[u8],
    to: &[u8],
    sealed: &[u8],
) -> [u8; 32] {
    let label = b"udpchat 1 ephemeral";
    let random: [u8; 32] = generator(seed).bytes();
    let payload = hash(&[label, sealed]);
    let boot = BOOT.to_le_bytes();
    hmac(own, &[&label[..], &random, &boot, hash_so_far, to, &payload].concat())
}

const BOOT: u64 = 1;

fn snow(
    pattern: &str,
    own: &[u8; 32],
    ephemeral: &[u8; 32],
    other: Option<&[u8; 32]>,
    prologue: &[u8],
) -> snow::HandshakeState {
    let builder = snow::Builder::new(pattern.parse().unwrap())
        .local_private_key(own)
        .unwrap()
        .fixed_ephemeral_key_for_testing_only(ephemeral)
        .prologue(prologue)
        .unwrap();
    match other {
        Some(other) => builder.remote_public_key(other).unwrap().build_initiator().unwrap(),
        None => builder.build_responder().unwrap(),
    }
}

// ------------------------------------------------------------------ handshake

const IK: &str = "Noise_IK_25519_ChaChaPoly_BLAKE2s";
const X: &str = "Noise_X_25519_ChaChaPoly_BLAKE2s";

/// Where the secret keys of both sides begin to count.
const INITIATOR: u8 = 0x00;
const RESPONDER: u8 = 0x20;

fn identity(first: u8) -> Identity {
    Identity::new(SecretKey(count(first)), &Portable)
}

fn secret(first: u8) -> [u8; 32] {
    count(first)
}

const SIZE: u16 = 256;

fn server_hello() -> Hello {
    Hello { version: VERSION, size: SIZE, random: count(0xa0), to: HelloTo::Server }
}

#[test]
#[allow(clippy::too_many_lines)] // one handshake, from its beginning to its end
fn handshake() {
    let mut file = Vectors::new("handshake.txt", "A handshake of a client with a server.");
    let (client, server) = (identity(INITIATOR), identity(RESPONDER));
    let (client_key, server_key) = (client.public(), server.public());
    let (client_secret, server_secret) = (secret(INITIATOR), secret(RESPONDER));
    file.remark("The static keys.");
    file.add("initiator.secret", client_secret);
    file.add("initiator.public", client_key.0);
    file.add("responder.secret", server_secret);
    file.add("responder.public", server_key.0);

    file.remark("Hello: 256 bytes wanted.");
    let hello = server_hello();
    let mut out = [0; MAX_DATAGRAM];
    file.add("hello.random", hello.random);
    file.add("hello.header", hello.header());
    let hello_datagram = hello.encode(&mut out).to_vec();
    assert_eq!(hello_datagram, [&[1, 1, 0, 1][..], &hello.random, &[0; 236]].concat());
    file.add("hello", &hello_datagram);

    file.remark("Retry. The cookie is the responder's own affair; this one makes it like this,");
    file.remark("for a Hello from 192.0.2.7, port 5000.");
    let from: SocketAddr = "192.0.2.7:5000".parse().unwrap();
    let now = Instant::from_micros(0);
    let mut random = generator(count(0x80));
    let mut cookies = Cookies::new(&mut random, now);
    let cookie = cookies.cookie(&Portable, &mut random, now, from, &hello);
    let cookie_secret: [u8; 32] = generator(count(0x80)).bytes();
    let address = [&[0; 10][..], &[0xff, 0xff, 192, 0, 2, 7], &[0x88, 0x13], &[0; 4]].concat();
    let covered = [b"udpchat 1 cookie", &address[..], &hello.header(), &[0; 16]].concat();
    assert_eq!(cookie, mac(&cookie_secret, &covered));
    file.add("cookie.secret", cookie_secret);
    file.add("cookie.covers", &covered);
    file.add("cookie", cookie);
    let answer = retry(&Portable, &hello, cookie, Some(server_key));
    let retry_datagram = answer.encode(&mut out).to_vec();
    let unchecked = [&[3, 1][..], &hello.random, &cookie, &server_key.0].concat();
    let check = mac(&hello.random, &[b"udpchat 1 retry", &unchecked[..]].concat());
    assert_eq!(retry_datagram, [&unchecked[..], &check].concat());
    file.add("retry.check", check);
    file.add("retry", &retry_datagram);

    file.remark("Init. The initiator receives under the first four bytes of its Hello's random;");
    file.remark(
        "its credit is 81,920 bytes and 64 messages. The hash is Noise's h after the message.",
    );
    let offer = Offer { session: SessionId(0xa3a2_a1a0), credit: 81_920, messages: 64 };
    let seed = count(0x40);
    let random = &mut generator(seed);
    let (initiator, noise) =
        Initiator::new(&client, &server_key, &hello, &answer, offer, random, BOOT).unwrap();
    let init = Init { hello, cookie, noise: &noise };
    let init_datagram = init.encode(&mut out).to_vec();
    let prologue = [b"udpchat 1", &hello.header()[..], &[0; 16], &retry_datagram].concat();
    let payload = [0xa0, 0xa1, 0xa2, 0xa3, 0x00, 0x40, 0x01, 0x00, 0x40, 0x00];
    let mut state = Noise::new(IK.as_bytes(), &prologue, &server_key.0);
    let first_secret = ephemeral(&client_secret, seed, &state.hash, &server_key.0, &payload);
    let first_public = Portable.public(&first_secret);
    file.add("prologue", &prologue);
    file.add("init.ephemeral.secret", first_secret);
    file.add("init.ephemeral.public", first_public);
    file.add("init.payload", payload);
    state.mix_hash(&first_public);
    state.mix_key(&first_secret, &server_key.0);
    let sealed_key = state.encrypt(&client_key.0);
    state.mix_key(&client_secret, &server_key.0);
    let first = [&first_public[..], &sealed_key, &state.encrypt(&payload)].concat();
    assert_eq!(noise[..], first);
    assert_eq!(init_datagram, [&[4][..], &hello.header(), &[0; 16], &cookie, &first].concat());
    file.add("init", &init_datagram);
    file.add("init.hash", state.hash);

    file.remark("Accept, padded to 256 bytes. The responder receives under 0x44332211.");
    let opened = Opened::open(&server, &init, Some(server_key)).unwrap();
    let answered = Offer { session: SessionId(0x4433_2211), credit: 81_920, messages: 64 };
    let seed = count(0x60);
    let random = &mut generator(seed);
    let (mut server_keys, memo) =
        opened.accept(&server, answered, SIZE.into(), random, BOOT).unwrap();
    let mut noise = [0; MAX_DATAGRAM];
    let length = memo.encode(&Portable, &mut noise).unwrap();
    let accept = Accept { session: offer.session, noise: &mut noise[..length] };
    let accept_datagram = accept.encode(&mut out).to_vec();
    assert_eq!(accept_datagram.len(), usize::from(SIZE));
    let payload_two = [0x11, 0x22, 0x33, 0x44, 0x00, 0x40, 0x01, 0x00, 0x40, 0x00];
    let padded = [&payload_two[..], &[0; 256 - 5 - 32 - 16 - 10]].concat();
    // In the derivation, message 2's length stands for the padding.
    let derived_from = [&payload_two[..], &(length as u16).to_le_bytes()].concat();
    let second_secret = ephemeral(&server_secret, seed, &state.hash, &client_key.0, &derived_from);
    let second_public = Portable.public(&second_secret);
    file.add("accept.ephemeral.secret", second_secret);
    file.add("accept.ephemeral.public", second_public);
    file.add("accept.payload", &padded);
    state.mix_hash(&second_public);
    state.mix_key(&second_secret, &first_public);
    state.mix_key(&second_secret, &client_key.0);
    let second = [&second_public[..], &state.encrypt(&padded)].concat();
    assert_eq!(noise[..length], second);
    assert_eq!(accept_datagram, [&[5, 0xa0, 0xa1, 0xa2, 0xa3][..], &second].concat());
    file.add("accept", &accept_datagram);
    file.add("accept.hash", state.hash);

    file.remark("The session's keys: for what the initiator seals, for what the responder seals.");
    let (initiators, responders) = hkdf(&state.chain, &[]);
    file.add("key.initiator", initiators);
    file.add("key.responder", responders);
    let (mut client_keys, offered) =
        initiator.finish(&client, &mut noise[..length].to_vec()).unwrap();
    assert_eq!(offered, answered);

    file.remark("The first packet: a Register of alice, who has no epoch yet and nothing of the");
    file.remark("roster; the client's run is 30 31 … 37 in hex.");
    let register = register(None, Incarnation::NONE, 0);
    let plain = frames(&[Frame::Register(register)]);
    let mut packet = room_for(&plain);
    let sealed = client_keys.seal.seal(&Portable, answered.session, &mut packet, plain.len());
    assert_eq!(sealed, Some((0, packet.len())));
    assert_eq!(packet, packet_by_hand(&initiators, 0x4433_2211, 0, &plain));
    file.add("packet.plaintext", &plain);
    file.add("packet", &packet);

    file.remark(
        "The answer: an Ack of packet 0, held back for 1,500 microseconds, and a Registered:",
    );
    file.remark(
        "account 0, epoch 1, not returning, the server's run 50 51 … 57 in hex, no mail, in",
    );
    file.remark(
        "one room; texts of 16,384 bytes, mail kept for 30 days, of each room 10,000 entries,",
    );
    file.remark("16 MiB, 30 days.");
    let ack = Ack { largest: 0, delay: 1500, first: 0, gaps: heapless::Vec::new() };
    let registered = Registered {
        account: Account(0),
        epoch: Epoch(1),
        returning: false,
        run: SERVER,
        mailbox: 0,
        rooms: 1,
        limits: LIMITS,
    };
    let plain = frames(&[Frame::Ack(ack), Frame::Registered(registered)]);
    let mut packet = room_for(&plain);
    let sealed = server_keys.seal.seal(&Portable, offer.session, &mut packet, plain.len());
    assert_eq!(sealed, Some((0, packet.len())));
    assert_eq!(packet, packet_by_hand(&responders, 0xa3a2_a1a0, 0, &plain));
    file.add("answer.plaintext", &plain);
    file.add("answer", &packet);

    let again = |noise: &mut [u8]| {
        let opened = Opened::open(&server, &init, Some(server_key)).unwrap();
        let random = &mut generator(count(0x60));
        let (mine, _) = opened.accept(&server, answered, SIZE.into(), random, BOOT).unwrap();
        [(&client, initiator.finish(&client, noise).unwrap().0), (&server, mine)]
    };
    rekey(&mut file, again(&mut second.clone()), [initiators, responders]);

    // Both messages as snow makes them, byte for byte, and both keys as snow has them.
    let mut snow_initiator =
        snow(IK, &client_secret, &first_secret, Some(&server_key.0), &prologue);
    let mut snow_responder = snow(IK, &server_secret, &second_secret, None, &prologue);
    let (mut message, mut read) = ([0; 400], [0; 400]);
    let length = snow_initiator.write_message(&payload, &mut message).unwrap();
    assert_eq!(message[..length], first);
    snow_responder.read_message(&first, &mut read).unwrap();
    let length = snow_responder.write_message(&padded, &mut message).unwrap();
    assert_eq!(message[..length], second);
    snow_initiator.read_message(&second, &mut read).unwrap();
    assert_eq!(snow_initiator.get_handshake_hash(), state.hash);
    for (sender, key) in [(snow_initiator, initiators), (snow_responder, responders)] {
        let sender = sender.into_stateless_transport_mode().unwrap();
        let length = sender.write_message(5, b"a text", &mut message).unwrap();
        let mut text = *b"a text";
        let tag = Portable.seal(&key, 5, &[], &mut text);
        assert_eq!(message[..length], [&text[..], &tag].concat());
    }

    // And from the file back.
    let mut read = file.check();
    let mut take = |name: &str| read.remove(name).unwrap();
    assert!(matches!(Datagram::parse(&mut take("hello")), Ok(Datagram::Hello(h)) if h == hello));
    let mut bytes = take("retry");
    let Ok(Datagram::Retry(found)) = Datagram::parse(&mut bytes) else { panic!("no Retry") };
    assert!(check_retry(&Portable, &hello, &found));
    assert_eq!((found.key, found.cookie), (Some(server_key), cookie));
    let mut bytes = take("init");
    let Ok(Datagram::Init(found)) = Datagram::parse(&mut bytes) else { panic!("no Init") };
    assert_eq!(found.hello, hello);
    let proof = &found.cookie;
    assert!(cookies.verify(&Portable, &mut generator([0; 32]), now, from, &hello, proof));
    let opened = Opened::open(&server, &found, Some(server_key)).unwrap();
    assert_eq!((opened.initiator(), opened.offer()), (client_key, offer));
    let mut bytes = take("accept");
    let Ok(Datagram::Accept(found)) = Datagram::parse(&mut bytes) else { panic!("no Accept") };
    assert_eq!(found.session, offer.session);
    assert!(initiator.finish(&client, &mut found.noise.to_vec()).is_some());
    for (name, keys) in [("packet", &mut server_keys), ("answer", &mut client_keys)] {
        let mut bytes = take(name);
        let Ok(Datagram::Packet(header, sealed)) = Datagram::parse(&mut bytes) else {
            panic!("no packet");
        };
        let plain = keys.open.open(&Portable, header, sealed).unwrap();
        assert_eq!(plain, take(&format!("{name}.plaintext")));
        assert!(Frames::new(plain).all(|frame| frame.is_ok()));
    }
}

/// The session's second keys, by a rekey that its initiator begins after the first packet.
fn rekey(
    file: &mut Vectors,
    [(client, mut client_keys), (server, mut server_keys)]: [(&Identity, Keys); 2],
    [initiators, responders]: [[u8; 32]; 2],
) {
    let [client_secret, server_secret] = [INITIATOR, RESPONDER].map(count);
    let (client_key, server_key) = (client.public(), server.public());
    file.remark("A rekey of that session. Both payloads are empty.");
    let prologue = [&b"udpchat 1 rekey"[..], &initiators, &responders].concat();
    let mut state = Noise::new(IK.as_bytes(), &prologue, &server_key.0);
    let seed = count(0xa0);
    let first_secret = ephemeral(&client_secret, seed, &state.hash, &server_key.0, &[]);
    let first_public = Portable.public(&first_secret);
    state.mix_hash(&first_public);
    state.mix_key(&first_secret, &server_key.0);
    let sealed_key = state.encrypt(&client_key.0);
    state.mix_key(&client_secret, &server_key.0);
    let first = [&first_public[..], &sealed_key, &state.encrypt(&[])].concat();
    let request = RekeyRequest::new(&mut generator(seed));
    for _ in 0..2 {
        let made = request.encode((client, BOOT), &server_key, &client_keys).unwrap();
        assert_eq!(made[..], first, "the same each time");
    }
    file.add("rekey.prologue", &prologue);
    file.add("rekey.ephemeral.secret", first_secret);
    file.add("rekey", frames(&[Frame::Rekey(Rekey { noise: &first })]));

    let seed = count(0xc0);
    let second_secret = ephemeral(&server_secret, seed, &state.hash, &client_key.0, &[]);
    let second_public = Portable.public(&second_secret);
    state.mix_hash(&second_public);
    state.mix_key(&second_secret, &first_public);
    state.mix_key(&second_secret, &client_key.0);
    let second = [&second_public[..], &state.encrypt(&[])].concat();
    let random = &mut generator(seed);
    let (next, made) =
        answer_rekey((server, random, BOOT), &client_key, &server_keys, &first).unwrap();
    assert_eq!(made[..], second);
    file.add("rekeyed.ephemeral.secret", second_secret);
    file.add("rekeyed", frames(&[Frame::Rekeyed(Rekeyed { noise: &second })]));
    let (initiators, responders) = hkdf(&state.chain, &[]);
    file.add("rekeyed.key.initiator", initiators);
    file.add("rekeyed.key.responder", responders);
    for wrong in [&first[1..], &[&first[..], &[0]].concat(), &[&first[..95], &[0]].concat()] {
        let answered = answer_rekey((server, random, BOOT), &client_key, &server_keys, wrong);
        assert!(answered.is_none());
    }
    let other = PublicKey(count(1));
    let answered = answer_rekey((server, random, BOOT), &other, &server_keys, &first);
    assert!(answered.is_none(), "of somebody else");

    file.remark(
        "The initiator's second packet, a Ping, and the answer, an Ack of it: under the new",
    );
    file.remark("keys, to the other key phase, and with the counters of the session.");
    let finished = request.finish((client, BOOT), &server_key, &client_keys, &second).unwrap();
    drop(client_keys.replace(finished));
    drop(server_keys.replace(next.split(&Portable)));
    let ack = Ack { largest: 1, delay: 0, first: 1, gaps: heapless::Vec::new() };
    for (name, mut keys, to, key, frame) in [
        ("rekeyed.packet", client_keys, 0x4433_2211, initiators, Frame::Ping(())),
        ("rekeyed.answer", server_keys, 0xa3a2_a1a0, responders, Frame::Ack(ack)),
    ] {
        keys.seal.skip();
        let to = SessionId(to).other_phase();
        let plain = frames(&[frame]);
        let mut packet = room_for(&plain);
        let sealed = keys.seal.seal(&Portable, to, &mut packet, plain.len());
        assert_eq!(sealed, Some((1, packet.len())));
        assert_eq!(packet, packet_by_hand(&key, to.0, 1, &plain));
        file.add(name, &packet);
    }
}

fn nick(text: &str) -> Nick {
    Nick::new(text).unwrap()
}

fn frames(all: &[Frame<'_>]) -> Vec<u8> {
    let mut out = [0; MAX_DATAGRAM];
    let mut writer = FrameWriter::new(&mut out, 0, MAX_DATAGRAM);
    assert!(all.iter().all(|frame| writer.push(frame)));
    let length = writer.length();
    out[..length].to_vec()
}

/// Room for the header, the plaintext, room for the tag.
fn room_for(plain: &[u8]) -> Vec<u8> {
    [&[0; PacketHeader::LENGTH][..], plain, &[0; 16]].concat()
}

fn packet_by_hand(key: &[u8; 32], session: u32, counter: u64, plain: &[u8]) -> Vec<u8> {
    let header = [&[6][..], &session.to_le_bytes(), &counter.to_le_bytes()].concat();
    let mut text = plain.to_vec();
    let tag = Portable.seal(key, counter, &header, &mut text);
    [&header[..], &text, &tag].concat()
}

// ----------------------------------------------------------------------- peers

#[test]
fn a_hello_to_a_peer() {
    let mut file =
        Vectors::new("peer.txt", "A Hello to a peer, and the Retry that the peer answers with.");
    let peer = identity(RESPONDER).public();
    file.add("responder.public", peer.0);
    let mut hello = Hello { to: HelloTo::Peer { mac: [0; 16] }, ..server_hello() };
    let key = hash(&[b"udpchat 1 peer key", &peer.0]);
    let made = mac(&key, &[b"udpchat 1 hello", &hello.header()[..]].concat());
    assert_eq!(hello_mac(&Portable, &peer, &hello), made);
    hello.to = HelloTo::Peer { mac: made };
    file.add("hello.header", hello.header());
    file.add("hello.mac.key", key);
    file.add("hello.mac", made);
    let mut out = [0; MAX_DATAGRAM];
    let datagram = hello.encode(&mut out).to_vec();
    assert_eq!(datagram, [&[2, 1, 0, 1][..], &hello.random, &made, &[0; 220]].concat());
    file.add("hello", &datagram);
    file.remark("The Retry has no key. Its cookie here is c0 c1 … cf.");
    let cookie = count(0xc0);
    let answer = retry(&Portable, &hello, cookie, None);
    let unchecked = [&[3, 1][..], &hello.random, &cookie].concat();
    let check = mac(&hello.random, &[b"udpchat 1 retry", &unchecked[..]].concat());
    let retry_datagram = answer.encode(&mut out).to_vec();
    assert_eq!(retry_datagram, [&unchecked[..], &check].concat());
    file.add("retry", &retry_datagram);
    file.remark("The prologue of the handshake that follows.");
    let prologue = [b"udpchat 1", &hello.header()[..], &made, &retry_datagram].concat();
    file.add("prologue", prologue);

    let mut read = file.check();
    let mut bytes = read.remove("hello").unwrap();
    let Ok(Datagram::Hello(found)) = Datagram::parse(&mut bytes) else { panic!("no Hello") };
    assert_eq!(found, hello);
    assert!(check_hello(&Portable, &peer, &found));
    assert!(!check_hello(&Portable, &identity(INITIATOR).public(), &found));
    let mut bytes = read.remove("retry").unwrap();
    let Ok(Datagram::Retry(found)) = Datagram::parse(&mut bytes) else { panic!("no Retry") };
    assert_eq!(found, Retry { version: 1, random: hello.random, cookie, key: None, check });
    assert!(check_retry(&Portable, &hello, &found));
}

// ------------------------------------------------------------------------ mail

#[test]
fn sealed_mail_and_its_receipt() {
    let mut file = Vectors::new("mail.txt", "A sealed message, and the receipt for it.");
    let (author, recipient) = (identity(INITIATOR), identity(RESPONDER));
    let (author_secret, recipient_secret) = (secret(INITIATOR), secret(RESPONDER));
    let position = Position::new(Epoch(3), Number(7));
    let name = MessageName { author: author.public(), recipient: recipient.public(), position };
    file.remark("Epoch 3, number 7; said on 2017-06-14 at 02:40:17.501063 UTC: \"offline?\".");
    file.add("author.secret", author_secret);
    file.add("author.public", name.author.0);
    file.add("recipient.secret", recipient_secret);
    file.add("recipient.public", name.recipient.0);
    let body = [&1_497_408_017_501_063_u64.to_le_bytes()[..], b"offline?"].concat();
    let place = [3, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0];
    let named = [&name.author.0[..], &name.recipient.0, &place].concat();
    let prologue = [b"udpchat 1 mail", &named[..]].concat();
    file.add("prologue", &prologue);
    file.add("body", &body);
    file.remark("Inside the seal: the open message before was epoch 3, number 5; then the body.");
    let previous = Position::new(Epoch(3), Number(5));
    let inside = [&[5, 0, 0, 0, 3, 0, 0, 0][..], &body].concat();
    file.add("inside", &inside);

    let seed = count(0x40);
    let mut sealed = [&body[..], &[0; MAIL_OVERHEAD]].concat();
    let length =
        seal_mail(&author, &name, previous, &mut generator(seed), BOOT, &mut sealed, body.len());
    assert_eq!(length, Some(sealed.len()));
    let mut state = Noise::new(X.as_bytes(), &prologue, &name.recipient.0);
    let one_time = ephemeral(&author_secret, seed, &state.hash, &name.recipient.0, &inside);
    let public = Portable.public(&one_time);
    file.add("ephemeral.secret", one_time);
    file.add("ephemeral.public", public);
    state.mix_hash(&public);
    state.mix_key(&one_time, &name.recipient.0);
    let sealed_key = state.encrypt(&name.author.0);
    state.mix_key(&author_secret, &name.recipient.0);
    assert_eq!(sealed, [&public[..], &sealed_key, &state.encrypt(&inside)].concat());
    let mut by_snow = vec![0; sealed.len()];
    let mut writer = snow(X, &author_secret, &one_time, Some(&name.recipient.0), &prologue);
    let length = writer.write_message(&inside, &mut by_snow).unwrap();
    assert_eq!(sealed, by_snow[..length]);
    file.add("sealed", &sealed);

    file.remark(
        "The receipt: of the author's messages the recipient has all from epoch 2, number 4 to",
    );
    file.remark("epoch 3, number 7, but for those between (3, 2) and (3, 5).");
    file.remark("Agreed is the DH of the two static keys, key what the MAC is made with.");
    let shared = Portable.agree(&recipient_secret, &name.author.0).unwrap();
    let key = hash(&[b"udpchat 1 pair key", &shared]);
    let at = |epoch, number| Position::new(Epoch(epoch), Number(number));
    let received = Received { first: at(2, 4), gap: (at(3, 2), at(3, 5)), last: at(3, 7) };
    let spelled = [4, 2, 2, 3, 5, 3, 7, 3].map(u32::to_le_bytes).concat();
    let between = [name.author.0, name.recipient.0].concat();
    let made = mac(&key, &[b"udpchat 1 receipt", &between[..], &spelled].concat());
    assert_eq!(receipt(&recipient, &name.author, &name.recipient, &received), Some(made));
    file.add("receipt.agreed", shared);
    file.add("receipt.key", key);
    file.add("receipt", made);

    let mut read = file.check();
    let mut bytes = read.remove("sealed").unwrap();
    let (found, opened) = open_mail(&recipient, &name, &mut bytes).unwrap();
    assert_eq!((found, &opened[..]), (previous, &body[..]));
    let found = read["receipt"].clone().try_into().unwrap();
    assert!(check_receipt(&author, &name.author, &name.recipient, &received, &found));
}

// ---------------------------------------------------------------------- frames

/// A number as it stands in a frame's body.
fn n(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// Bytes or a text behind their length.
fn counted(bytes: &[u8]) -> Vec<u8> {
    [n(bytes.len() as u64), bytes.to_vec()].concat()
}

/// A frame, what it says, and its body put together by hand.
struct Sample {
    name: &'static str,
    about: &'static str,
    frame: Frame<'static>,
    body: Vec<u8>,
}

fn sample(
    name: &'static str,
    about: &'static str,
    frame: Frame<'static>,
    body: &[Vec<u8>],
) -> Sample {
    Sample { name, about, frame, body: body.concat() }
}

/// The client's run, and the server's.
const CLIENT: Incarnation = Incarnation([0x30, 0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 0x37]);
const SERVER: Incarnation = Incarnation([0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57]);

fn register(epoch: Option<Epoch>, server: Incarnation, roster: u64) -> Register {
    Register { nick: nick("alice"), epoch, run: CLIENT, server, roster }
}

/// 2^40, where the versions and places of a server's first run begin.
const RUN: u64 = 1 << 40;

const LIMITS: Limits = Limits {
    text: 16_384,
    mail: 2_592_000,
    room: Retention { entries: 10_000, bytes: 16_777_216, age: 2_592_000 },
};

fn roster_entry() -> (RosterEntry<'static>, Vec<u8>) {
    let candidates =
        [Some("192.0.2.7:5000".parse().unwrap()), Some("[2001:db8::7]:443".parse().unwrap())];
    let entry = RosterEntry {
        account: Account(1),
        version: RUN + 5,
        nick: nick("bob"),
        key: PublicKey(count(0x20)),
        key_number: 2,
        presence: Presence::Online,
        candidates,
        seen: UnixTime(1_497_408_017_501_063),
        away: Some("tea"),
    };
    let by_hand = [
        n(1),
        n(RUN + 5),
        counted(b"bob"),
        count::<32>(0x20).to_vec(),
        n(2),
        n(0),
        vec![1, 0, 192, 0, 2, 7],
        n(5000),
        vec![1, 1, 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7],
        n(443),
        n(1_497_408_017_501_063),
        vec![1],
        counted(b"tea"),
    ];
    (entry, by_hand.concat())
}

fn refused(reason: SubmitRefusal) -> Frame<'static> {
    Frame::SubmitRefused(SubmitRefused { to: BOB, epoch: EPOCH, number: NUMBER, reason })
}

const BOB: Recipient = Recipient::Account(Account(1));
const EPOCH: Epoch = Epoch(3);
const NUMBER: Number = Number(7);

/// The time as in `mail.txt`, then a text.
const SAID: &[u8] = b"\x87\x8b\xf7\x78\xe2\x51\x05\x00offline?";

const SEALED: &[u8] = b"a sealed piece, shown in clear";

/// What stands for the messages of a rekey.
static MESSAGES: [u8; 96] = {
    let mut bytes = [0; 96];
    let mut at = 0;
    while at < bytes.len() {
        bytes[at] = at as u8;
        at += 1;
    }
    bytes
};

/// What every link carries.
fn link_samples() -> Vec<Sample> {
    let gaps = [AckGap { missing: 0, run: 3 }, AckGap { missing: 9, run: 0 }];
    let gaps = heapless::Vec::from_slice(&gaps).unwrap();
    let close =
        |name, about, reason, number| sample(name, about, Frame::Close(reason), &[n(number)]);
    vec![
        sample(
            "ack",
            "Ack: 290 to 300, 285 to 288 and 274; missing are 289 and 275 to 284; held back 1,500 us",
            Frame::Ack(Ack { largest: 300, delay: 1500, first: 10, gaps }),
            &[n(300), n(1500), n(10), n(2), n(0), n(3), n(9), n(0)],
        ),
        sample("ping", "Ping", Frame::Ping(()), &[]),
        close("close.leaving", "Close: Leaving", CloseReason::Leaving, 0),
        close("close.displaced", "Close: Displaced", CloseReason::Displaced, 1),
        close("close.full", "Close: Full", CloseReason::Full, 2),
        close("close.unsupported", "Close: Unsupported", CloseReason::Unsupported, 3),
        close("close.malformed", "Close: Malformed", CloseReason::Malformed, 4),
        close("close.expelled", "Close: Expelled", CloseReason::Expelled, 5),
        sample(
            "credit",
            "Credit: 123,456 bytes and 789 messages in all",
            Frame::Credit(CreditLimit { bytes: 123_456, messages: 789 }),
            &[n(123_456), n(789)],
        ),
        sample(
            "rekey",
            "Rekey, with the bytes from 0x00 on for message 1",
            Frame::Rekey(Rekey { noise: &MESSAGES }),
            &[counted(&MESSAGES)],
        ),
        sample(
            "rekeyed",
            "Rekeyed, with the bytes from 0x00 on for message 2",
            Frame::Rekeyed(Rekeyed { noise: &MESSAGES[..48] }),
            &[counted(&MESSAGES[..48])],
        ),
    ]
}

/// What clients and the server say to be in touch.
#[allow(clippy::too_many_lines)] // one item a frame
fn registration_samples() -> Vec<Sample> {
    let registered = Registered {
        account: Account(0),
        epoch: EPOCH,
        returning: true,
        run: SERVER,
        mailbox: RUN + 9,
        rooms: 1,
        limits: LIMITS,
    };
    let not = |name, about, reason, number| {
        sample(name, about, Frame::RegisterRefused(reason), &[n(number)])
    };
    let (entry, entry_bytes) = roster_entry();
    let mut room = [0; RosterEntry::SIZE_BOUND];
    assert_eq!(entry.encode(&mut room).unwrap(), &entry_bytes[..]);
    let page = Roster {
        base: 0,
        upto: RUN + 6,
        low: Account(0),
        high: Account(u32::MAX),
        last: true,
        entries: entry_bytes.clone().leak(),
    };
    vec![
        sample(
            "register.new",
            "Register: alice, no epoch, run 30…37, nothing of the roster",
            Frame::Register(register(None, Incarnation::NONE, 0)),
            &[counted(b"alice"), n(0), CLIENT.0.to_vec(), vec![0; 8], n(0)],
        ),
        sample(
            "register.again",
            "Register: alice, epoch 3, run 30…37, the roster of run 50…57 up to 2^40 + 5",
            Frame::Register(register(Some(EPOCH), SERVER, RUN + 5)),
            &[counted(b"alice"), n(1), n(3), CLIENT.0.to_vec(), SERVER.0.to_vec(), n(RUN + 5)],
        ),
        sample(
            "registered",
            "Registered: account 0, epoch 3, returning, the server's run 50…57, mail up to 2^40 + 9, in one room; texts of 16,384 bytes, mail kept for 30 days, of each room 10,000 entries, 16 MiB, 30 days",
            Frame::Registered(registered),
            &[
                n(0),
                n(3),
                n(1),
                SERVER.0.to_vec(),
                n(RUN + 9),
                n(1),
                n(16_384),
                n(2_592_000),
                n(10_000),
                n(16_777_216),
                n(2_592_000),
            ],
        ),
        not("register-refused.taken", "RegisterRefused: Taken", RegisterRefusal::Taken, 0),
        not("register-refused.full", "RegisterRefused: Full", RegisterRefusal::Full, 1),
        not("register-refused.other", "RegisterRefused: OtherNick", RegisterRefusal::OtherNick, 2),
        not("register-refused.store", "RegisterRefused: Store", RegisterRefusal::Store, 3),
        not("register-refused.banned", "RegisterRefused: Banned", RegisterRefusal::Banned, 4),
        not(
            "register-refused.exhausted",
            "RegisterRefused: Exhausted",
            RegisterRefusal::Exhausted,
            5,
        ),
        not(
            "register-refused.lookalike",
            "RegisterRefused: Lookalike",
            RegisterRefusal::Lookalike,
            6,
        ),
        sample(
            "password-wanted",
            "PasswordWanted: Known, looked at now, in answer to a Register",
            Frame::PasswordWanted(PasswordWanted { why: PasswordWant::Known, wait: 0, attempt: 0 }),
            &[n(1), n(0), n(0)],
        ),
        sample(
            "password-wanted.wrong",
            "PasswordWanted: Wrong was attempt 2; the next one is looked at in 2,000 ms",
            Frame::PasswordWanted(PasswordWanted {
                why: PasswordWant::Wrong,
                wait: 2000,
                attempt: 2,
            }),
            &[n(2), n(2000), n(2)],
        ),
        sample(
            "login",
            "Login: alice, no epoch, run 30…37, nothing of the roster; attempt 2, a password",
            Frame::Login(Login {
                register: register(None, Incarnation::NONE, 0),
                attempt: 2,
                password: Secret(b"correct horse"),
            }),
            &[
                counted(b"alice"),
                n(0),
                CLIENT.0.to_vec(),
                vec![0; 8],
                n(0),
                n(2),
                counted(b"correct horse"),
            ],
        ),
        sample("deregister", "Deregister", Frame::Deregister(()), &[]),
        sample("deregistered", "Deregistered", Frame::Deregistered(()), &[]),
        sample(
            "roster",
            "Roster: what changed after version 0 up to 2^40 + 6, all accounts, the last page; account 1, version 2^40 + 5, bob, the key 20 21 … 3f, key number 2, online, 192.0.2.7 port 5000 and [2001:db8::7] port 443, since 2017-06-14 at 02:40:17.501063 UTC, away: tea",
            Frame::Roster(page),
            &[n(0), n(RUN + 6), n(0), n(0xffff_ffff), n(1), counted(&entry_bytes)],
        ),
        sample(
            "roster.empty",
            "Roster: what changed after version 2^40 + 6 up to 2^40 + 8, accounts 0 to 4, not the last page, no entry",
            Frame::Roster(Roster {
                base: RUN + 6,
                upto: RUN + 8,
                low: Account(0),
                high: Account(5),
                last: false,
                entries: &[],
            }),
            &[n(RUN + 6), n(RUN + 8), n(0), n(5), n(0), n(0)],
        ),
    ]
}

#[allow(clippy::too_many_lines)] // one item a frame
/// What carries messages.
fn message_samples() -> Vec<Sample> {
    let (to, from) = (BOB, Account(0));
    let (epoch, number, receipt) = (EPOCH, NUMBER, count(0xd0));
    let key = PublicKey(count(0x20)).tag();
    let submit =
        Submit { to, epoch, number, key: 2, skip: 6, total: 350, offset: 320, piece: SEALED };
    let at = |epoch, number| Position::new(Epoch(epoch), Number(number));
    let received = Received { first: at(2, 4), gap: (at(3, 2), at(3, 5)), last: at(3, 7) };
    let spelled = [2, 4, 3, 2, 3, 5, 3, 7].map(n).concat();
    let progress = DeliveryStatus {
        to,
        key: 2,
        stored: Position::new(epoch, Number(9)),
        received,
        expired: (Position::new(Epoch(2), Number(4)), Position::new(epoch, Number(5))),
        online: true,
        receipt,
    };
    let mail = Mail {
        index: RUN + 9,
        previous: RUN + 8,
        from,
        key,
        epoch,
        number,
        total: 350,
        offset: 320,
        piece: SEALED,
    };
    let not = |name, about, reason, code| {
        sample(name, about, refused(reason), &[n(0), n(1), n(3), n(7), n(code)])
    };
    let answer = |name, about, result, code: &[Vec<u8>]| {
        let response = AccountResponse { serial: 1 << 63, result };
        sample(name, about, Frame::AccountResponse(response), &[&[n(1 << 63)], code].concat())
    };
    vec![
        sample(
            "message",
            "Message: epoch 3, number 7, two before it do not count, 16 bytes in all, from 0 on",
            Frame::Message(Message { epoch, number, skip: 2, total: 16, offset: 0, piece: SAID }),
            &[n(3), n(7), n(2), n(16), n(0), counted(SAID)],
        ),
        sample(
            "receipt",
            "Receipt: epoch 3, the five up to 7",
            Frame::Receipt(Receipt { epoch, number, run: 5 }),
            &[n(3), n(7), n(5)],
        ),
        sample(
            "submit",
            "Submit: to account 1, epoch 3, number 7, sealed to key number 2, six before it do not count, 350 bytes in all, from 320 on",
            Frame::Submit(submit),
            &[n(0), n(1), n(3), n(7), n(2), n(6), n(350), n(320), counted(SEALED)],
        ),
        sample(
            "delivery_status",
            "DeliveryStatus: to account 1, key number 2; by epoch and number, stored up to (3, 9), received from (2, 4) to (3, 7) but for those between (3, 2) and (3, 5), expired from (2, 4) to (3, 5); online, a receipt",
            Frame::DeliveryStatus(progress),
            &[
                n(0),
                n(1),
                n(2),
                n(3),
                n(9),
                spelled.clone(),
                n(2),
                n(4),
                n(3),
                n(5),
                n(1),
                receipt.to_vec(),
            ],
        ),
        sample(
            "progress.nothing",
            "DeliveryStatus: to account 1, key number 0, for whom the server has nothing of this author's",
            Frame::DeliveryStatus(DeliveryStatus {
                to,
                key: 0,
                stored: Position::default(),
                received: Received::default(),
                expired: (Position::default(), Position::default()),
                online: false,
                receipt: [0; 16],
            }),
            &[n(0), n(1), vec![0; 16], vec![0; 16]],
        ),
        not(
            "entry-refused.no-recipient",
            "SubmitRefused: to account 1, epoch 3, number 7: NoRecipient",
            SubmitRefusal::NoRecipient,
            0,
        ),
        not("entry-refused.not-member", "SubmitRefused: NotMember", SubmitRefusal::NotMember, 1),
        not("entry-refused.too-long", "SubmitRefused: TooLong", SubmitRefusal::TooLong, 2),
        not("entry-refused.store", "SubmitRefused: Store", SubmitRefusal::Store, 3),
        not("entry-refused.superseded", "SubmitRefused: Superseded", SubmitRefusal::Superseded, 4),
        not("entry-refused.key-changed", "SubmitRefused: KeyChanged", SubmitRefusal::KeyChanged, 5),
        sample(
            "key_history",
            "KeyHistory: the Mail of account 0, alice, that follows was sealed with the key 20 21 … 3f",
            Frame::KeyHistory(KeyHistory {
                account: from,
                key: PublicKey(count(0x20)),
                nick: nick("alice"),
            }),
            &[n(0), count::<32>(0x20).to_vec(), counted(b"alice")],
        ),
        sample(
            "account-request.password",
            "AccountRequest: serial 2^63, another password, \"new\", than \"old\"",
            Frame::AccountRequest(AccountRequest {
                serial: 1 << 63,
                action: AccountAction::ChangePassword { old: Secret(b"old"), new: Secret(b"new") },
            }),
            &[n(1 << 63), n(0), counted(b"old"), counted(b"new")],
        ),
        sample(
            "account-request.endorse",
            "AccountRequest: serial 2^63, the device with the key 20 21 … 3f may log in",
            Frame::AccountRequest(AccountRequest {
                serial: 1 << 63,
                action: AccountAction::Endorse { key: PublicKey(count(0x20)) },
            }),
            &[n(1 << 63), n(1), count::<32>(0x20).to_vec()],
        ),
        answer("account-response.done", "AccountResponse: serial 2^63, done", Ok(()), &[n(0)]),
        answer(
            "account-response.wrong",
            "AccountResponse: serial 2^63, Wrong, none is looked at for 2,000 ms",
            Err(AccountRefusal::Wrong { wait: 2000 }),
            &[n(1), n(0), n(2000)],
        ),
        answer(
            "account-response.busy",
            "AccountResponse: serial 2^63, Busy, none is looked at for 1,000 ms",
            Err(AccountRefusal::Busy { wait: 1000 }),
            &[n(1), n(1), n(1000)],
        ),
        answer(
            "account-response.no-password",
            "AccountResponse: serial 2^63, NoPassword",
            Err(AccountRefusal::NoPassword),
            &[n(1), n(2)],
        ),
        answer(
            "account-response.store",
            "AccountResponse: serial 2^63, Store",
            Err(AccountRefusal::Store),
            &[n(1), n(3)],
        ),
        sample(
            "mail",
            "Mail: place 2^40 + 9 behind 2^40 + 8, from account 0, key tag 0x23222120, epoch 3, number 7, 350 bytes in all, from 320 on",
            Frame::Mail(mail),
            &[
                n(RUN + 9),
                n(RUN + 8),
                n(0),
                n(key.into()),
                n(3),
                n(7),
                n(350),
                n(320),
                counted(SEALED),
            ],
        ),
        sample(
            "mail-ack",
            "MailAck: place 2^40 + 9, received from (2, 4) to (3, 7) but for those between (3, 2) and (3, 5), a receipt",
            Frame::MailAck(MailAck { index: RUN + 9, received, receipt }),
            &[n(RUN + 9), spelled, receipt.to_vec()],
        ),
        sample(
            "status_query",
            "StatusQuery: to account 1, epoch 3",
            Frame::StatusQuery(StatusQuery { to, epoch }),
            &[n(0), n(1), n(3)],
        ),
        sample("mailbox-empty", "MailboxEmpty", Frame::MailboxEmpty(()), &[]),
    ]
}

#[allow(clippy::too_many_lines)] // one item a frame
/// What makes rooms.
fn room_samples() -> Vec<Sample> {
    let (room, serial) = (Room(3), 0x0102_0304_0506_0708);
    let tea = RoomName::new("tea").unwrap();
    let action = |name, about, action, body: &[Vec<u8>]| {
        let body = [&[n(serial)], body].concat();
        sample(name, about, Frame::RoomRequest(RoomRequest { serial, action }), &body)
    };
    let outcome = |name, about, result, body: &[Vec<u8>]| {
        let body = [&[n(serial)], body].concat();
        sample(name, about, Frame::RoomResponse(RoomResponse { serial, result }), &body)
    };
    let refused =
        |name, about, reason, number| outcome(name, about, Err(reason), &[n(1), n(number)]);
    let names: &[u8] = b"\x05alice\x03bob";
    let submit = Submit {
        to: Recipient::Room(room),
        epoch: EPOCH,
        number: NUMBER,
        key: 0,
        skip: 6,
        total: 16,
        offset: 0,
        piece: SAID,
    };
    let entry = RoomEntry {
        room,
        index: 301,
        run: SERVER,
        previous: None,
        from: nick("bob"),
        total: 16,
        offset: 0,
        piece: SAID,
    };
    vec![
        sample(
            "joined",
            "Joined: room 3, tea, joined behind entry 41, the last is 300, of run 50…57",
            Frame::Joined(Joined { room, since: 41, last: 300, run: SERVER, name: Some(tea) }),
            &[n(3), n(41), n(300), SERVER.0.to_vec(), n(1), counted(b"tea")],
        ),
        sample(
            "joined.lobby",
            "Joined: the lobby, where nothing was said yet",
            Frame::Joined(Joined {
                room: Room::LOBBY,
                since: 0,
                last: 0,
                run: Incarnation::NONE,
                name: None,
            }),
            &[n(0), n(0), n(0), vec![0; 8], n(0)],
        ),
        sample(
            "read",
            "Read: room 3, up to entry 300, after going back once",
            Frame::Read(Read { room, upto: 300, rewinds: 1 }),
            &[n(3), n(300), n(1)],
        ),
        sample(
            "submit.room",
            "Submit: to room 3, epoch 3, number 7, key number 0, six before it do not count, 16 bytes in all, from 0 on, not sealed",
            Frame::Submit(submit),
            &[n(1), n(3), n(3), n(7), n(0), n(6), n(16), n(0), counted(SAID)],
        ),
        sample(
            "room-entry",
            "RoomEntry: room 3, entry 301, of run 50…57 as the one before it, said by bob, 16 bytes in all, from 0 on",
            Frame::RoomEntry(entry),
            &[n(3), n(301), SERVER.0.to_vec(), n(0), counted(b"bob"), n(16), n(0), counted(SAID)],
        ),
        sample(
            "room-entry.first",
            "RoomEntry: the same, but the one before it is of run 30…37, whose tag is 30 31 32 33",
            Frame::RoomEntry(RoomEntry { previous: Some(CLIENT.tag()), ..entry }),
            &[
                n(3),
                n(301),
                SERVER.0.to_vec(),
                n(1),
                CLIENT.tag().0.to_vec(),
                counted(b"bob"),
                n(16),
                n(0),
                counted(SAID),
            ],
        ),
        sample(
            "trimmed",
            "Trimmed: room 3, all up to entry 200; from 199 on they are damaged",
            Frame::Trimmed(Trimmed { room, upto: 200, first: 199, reason: TrimReason::Damaged }),
            &[n(3), n(200), n(199), n(1)],
        ),
        action(
            "room_request.create",
            "RoomRequest: create tea",
            RoomAction::Create(tea),
            &[n(0), counted(b"tea")],
        ),
        action(
            "room_request.join",
            "RoomRequest: join tea",
            RoomAction::Join(tea),
            &[n(1), counted(b"tea")],
        ),
        action(
            "room_request.leave",
            "RoomRequest: leave tea",
            RoomAction::Leave(tea),
            &[n(2), counted(b"tea")],
        ),
        action(
            "room_request.rooms",
            "RoomRequest: the names of rooms, from room 0 on",
            RoomAction::Rooms { from: Room(0) },
            &[n(3), n(0)],
        ),
        action(
            "room_request.members",
            "RoomRequest: the members of tea, from account 5 on",
            RoomAction::Members { of: Some(tea), from: Account(5) },
            &[n(4), n(1), counted(b"tea"), n(5)],
        ),
        action(
            "room_request.everyone",
            "RoomRequest: the members of the lobby, from account 0 on",
            RoomAction::Members { of: None, from: Account(0) },
            &[n(4), n(0), n(0)],
        ),
        outcome("room_response.done", "RoomResponse: done", Ok(()), &[n(0)]),
        refused("room_response.exists", "RoomResponse: Exists", RoomRefusal::Exists, 0),
        refused("room_response.unknown", "RoomResponse: Unknown", RoomRefusal::Unknown, 1),
        refused("room_response.room-full", "RoomResponse: RoomFull", RoomRefusal::RoomFull, 2),
        refused(
            "room_response.server-full",
            "RoomResponse: ServerFull",
            RoomRefusal::ServerFull,
            3,
        ),
        refused("room_response.store", "RoomResponse: Store", RoomRefusal::Store, 4),
        refused("room_response.too-many", "RoomResponse: TooMany", RoomRefusal::TooMany, 5),
        refused(
            "room_response.not-creator",
            "RoomResponse: NotCreator",
            RoomRefusal::NotCreator,
            7,
        ),
        refused("room_response.no-person", "RoomResponse: NoPerson", RoomRefusal::NoPerson, 8),
        refused(
            "room_response.not-invited",
            "RoomResponse: NotInvited",
            RoomRefusal::NotInvited,
            9,
        ),
        refused("room_response.barred", "RoomResponse: Barred", RoomRefusal::Barred, 10),
        sample(
            "left.removed",
            "Left: room 3, Removed",
            Frame::Left(Left { room: Room(3), reason: LeftReason::Removed }),
            &[n(3), n(0)],
        ),
        sample(
            "left.deleted",
            "Left: room 3, Deleted",
            Frame::Left(Left { room: Room(3), reason: LeftReason::Deleted }),
            &[n(3), n(1)],
        ),
        refused("room_response.lookalike", "RoomResponse: Lookalike", RoomRefusal::Lookalike, 6),
        sample(
            "names",
            "Names: alice and bob, more from account 9 on",
            Frame::Names(Names { serial, next: Some(9), names }),
            &[n(serial), n(1), n(9), counted(names)],
        ),
        sample(
            "away",
            "Away: at tea",
            Frame::Away(Away { text: Some("at tea") }),
            &[n(1), counted(b"at tea")],
        ),
        sample("away.back", "Away: back", Frame::Away(Away { text: None }), &[n(0)]),
    ]
}

#[test]
fn every_frame() {
    let mut file = Vectors::new("frames.txt", "Each frame whole: its type, its length, its body.");
    file.remark("Run 30…37 is the eight bytes 30 31 … 37, in hex, and run 50…57 is 50 51 … 57.");
    let samples: Vec<Sample> =
        [link_samples(), registration_samples(), message_samples(), room_samples()]
            .into_iter()
            .flatten()
            .collect();
    for Sample { name, about, frame, body } in &samples {
        file.remark(about);
        let wire = frames(std::slice::from_ref(frame));
        let length = (body.len() as u16).to_le_bytes();
        assert_eq!(wire, [&[frame.kind()][..], &length, body].concat(), "{name}");
        file.add(name, wire);
    }
    let read = file.check();
    for Sample { name, frame, .. } in &samples {
        let found: Vec<_> = Frames::new(&read[*name]).collect();
        assert_eq!(found, [Ok(frame.clone())], "{name}");
    }
    let (entry, _) = roster_entry();
    let Some(Ok(Frame::Roster(page))) = Frames::new(&read["roster"]).next() else {
        panic!("no Roster");
    };
    assert_eq!(page.entries().collect::<Vec<_>>(), [Ok(entry)]);
    let Some(Ok(Frame::Ack(ack))) = Frames::new(&read["ack"]).next() else { panic!("no Ack") };
    assert_eq!(ack.ranges().collect::<Vec<_>>(), [290..=300, 285..=288, 274..=274]);
    assert!(ack.gaps.len() <= MAX_ACK_RANGES);
    // No frame is left out.
    for kind in 0..=u8::MAX {
        let tried = samples.iter().any(|sample| sample.frame.kind() == kind);
        assert_eq!(Frame::size_bound(kind).is_some(), tried, "type {kind:#04x}");
    }
}

// -------------------------------------------------------------------- document

/// The table of frames in the document has the sizes of the code, and its examples are
/// vectors.
#[test]
fn the_document_says_the_same() {
    let docs = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let text = fs::read_to_string(docs.join("PROTOCOL.md")).unwrap();
    let mut told = 0;
    for line in text.lines() {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        let ["", kind, _, _, size, ""] = cells[..] else { continue };
        let kind = kind.strip_prefix("0x").map(|kind| u8::from_str_radix(kind, 16));
        let Some(Ok(kind)) = kind.filter(|_| !size.is_empty()) else { continue };
        // What a frame quotes, in the smallest packet.
        let quoted = match size.split_once(" + ") {
            None => 0,
            Some((_, "piece")) => FRAGMENT_UNIT,
            Some((_, of)) => of.split(' ').find_map(|word| word.parse().ok()).unwrap(),
        };
        let head: usize = size.split(' ').next().unwrap().parse().unwrap();
        assert_eq!(Frame::size_bound(kind), Some(head + quoted), "{line}");
        told += 1;
    }
    assert_eq!(told, (0..=u8::MAX).filter(|kind| Frame::size_bound(*kind).is_some()).count());

    if writes() {
        // Other tests are at it.
        return;
    }
    let files = ["handshake.txt", "peer.txt", "mail.txt", "frames.txt"];
    let read = |file| fs::read_to_string(docs.join("vectors").join(file)).unwrap();
    let vectors = files.map(read).concat();
    let (_, examples) = text.split_once("\n## 14. ").unwrap();
    let is_hex = |word: &&str| word.len() > 8 && word.bytes().all(|b| b.is_ascii_hexdigit());
    let found: Vec<_> = examples.split([' ', '`', '\n']).filter(is_hex).collect();
    assert!(found.len() > 30);
    for hex in found {
        assert!(vectors.contains(hex), "{hex} is in no vector");
    }
}
