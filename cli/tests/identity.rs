//! Whose keys are kept where, and moving them, with the real program.
#![cfg(target_os = "linux")]

mod common;

use std::{
    fs::{self, Permissions},
    io::Write as _,
    os::unix::fs::{PermissionsExt as _, chown},
    path::Path,
    process::{Command, Stdio},
};

use common::{Program, free_port};
use proto_core::id::Nick;
use transport_mio::{directories::Directories, identity, key_text};

/// What the program says on both outputs, and its exit code; `input` is what it reads.
fn run(directory: &Path, arguments: &[&str], input: &str) -> (String, i32) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_udpchat"))
        .args(arguments)
        .env_remove("UDPCHAT_PASSWORD")
        .arg("--data-dir")
        .arg(directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Whoever refuses at once reads nothing.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (String::from_utf8(said).unwrap(), output.status.code().unwrap())
}

/// The program refuses, and says this.
fn refused(directory: &Path, arguments: &[&str], input: &str, words: &[&str]) {
    let (said, code) = run(directory, arguments, input);
    assert_eq!(code, 1, "{said}");
    for word in words {
        assert!(said.contains(word), "{word:?} is not in: {said}");
    }
}

/// Someone with an identity, as the first run of the program makes it.
fn with_identity(directory: &Path, nick: &str) {
    let directories = Directories::new(Some(directory)).unwrap();
    let own = directories.client(&Nick::new(nick).unwrap()).unwrap();
    identity::load_or_create(&own.join("identity")).unwrap();
}

const WORD: &str = "open sesame\n";

#[test]
fn a_directory_that_is_not_ones_own_alone_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let data = root.path().join("a/b/data");
    let port = free_port().to_string();
    let host = ["host", "alice", "--port", &port, "--bind", "127.0.0.1"];
    let mut alice = Program::start(&data, &host);
    alice.end_input();
    assert_eq!(alice.exit_code(), 0);
    let own = data.join("clients/alice");
    for made in [root.path().join("a"), root.path().join("a/b"), data.clone(), own.clone()] {
        let mode = fs::metadata(&made).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o700, "{}", made.display());
    }
    for secret in ["identity", "store.redb"] {
        let mode = fs::metadata(own.join(secret)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{secret}");
    }
    let server = ["server", "--port", &port, "--bind", "127.0.0.1"];
    let join = ["join", "alice", "127.0.0.1:9"];
    for directory in [&data, &data.join("clients"), &own] {
        for mode in [0o755, 0o710, 0o701, 0o770] {
            fs::set_permissions(directory, Permissions::from_mode(mode)).unwrap();
            let advice = format!("chmod 700 {},", directory.display());
            let words = [&advice, "others on this computer can use"];
            refused(&data, &join, "", &words);
            refused(&data, &["id", "alice"], "", &words);
            if *directory == data {
                refused(&data, &server, "", &words);
                refused(&data, &["accounts", "list", "--port", &port], "", &words);
            }
        }
        fs::set_permissions(directory, Permissions::from_mode(0o700)).unwrap();
        // Only root can give things away.
        if chown(directory, Some(12345), None).is_ok() {
            refused(&data, &join, "", &["belongs to another user", "--data-dir"]);
            chown(directory, Some(rustix::process::geteuid().as_raw()), None).unwrap();
        }
    }
    for (secret, mode) in [("identity", 0o644), ("store.redb", 0o640)] {
        fs::set_permissions(own.join(secret), Permissions::from_mode(mode)).unwrap();
        refused(&data, &join, "", &["chmod 600", secret]);
        fs::set_permissions(own.join(secret), Permissions::from_mode(0o600)).unwrap();
    }
    assert_eq!(run(&data, &["id"], "").1, 0);
}

#[test]
fn ones_keys_are_shown_with_their_files() {
    let root = tempfile::tempdir().unwrap();
    let data = root.path().join("data");
    assert!(run(&data, &["id"], "").0.contains("no identity in"));
    refused(&data, &["id", "alice"], "", &["no identity", "first `join`"]);
    with_identity(&data, "bob");
    with_identity(&data, "Alice");
    let (said, code) = run(&data, &["id"], "");
    assert_eq!(code, 0);
    let lines: Vec<_> = said.lines().collect();
    assert_eq!((lines[0], lines[3], lines.len()), ("alice", "bob", 6), "{said}");
    let key = lines[1].strip_prefix("    key ").unwrap();
    assert!(key_text::parse(key).is_ok(), "{said}");
    assert_eq!(lines[2], format!("    in {}", data.join("clients/alice/identity").display()));
    assert_eq!(run(&data, &["id", "ALICE"], "").0.lines().nth(1), Some(lines[1]));
}

#[test]
fn an_identity_is_moved_and_speaks_for_its_nick_elsewhere() {
    let root = tempfile::tempdir().unwrap();
    let (old, new) = (root.path().join("old"), root.path().join("new"));
    let file = root.path().join("alice.id");
    let file = file.to_str().unwrap();
    let port = free_port().to_string();
    let words = ["server", "--port", &port, "--bind", "127.0.0.1"];
    let mut server = Program::start(&root.path().join("server"), &words);
    let line = server.expect_where("the line to join by", |line| line.contains(" join NICK "));
    let address = line.split_once(" join NICK ").unwrap().1;
    let join = ["join", "alice", address];

    let mut alice = Program::start(&old, &join);
    alice.expect_where("a welcome", |line| line.starts_with("Welcome, alice"));
    let export = ["id", "--export", file, "--passphrase-fd", "0"];
    refused(&old, &export, WORD, &["another udpchat is using"]);
    alice.end_input();
    assert_eq!(alice.exit_code(), 0);
    let key = run(&old, &["id"], "").0.lines().nth(1).unwrap().to_owned();

    refused(&old, &["id", "--export", file], "", &["--passphrase-fd", "nothing was changed"]);
    refused(&old, &export, "short\n", &["8 characters"]);
    let (said, code) = run(&old, &export, WORD);
    assert!(code == 0 && said.contains(&key) && said.contains("stay here"), "{said}");
    assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    // It runs no more where it was, and says where it is.
    for again in [&join[..], &["id", "alice"], &export] {
        refused(&old, again, WORD, &["was moved to", file, "id --import"]);
    }
    assert!(!old.join("clients/alice/identity").exists());

    let import = ["id", "--import", file, "--passphrase-fd", "0"];
    refused(&new, &import, "open sesamy\n", &["passphrase is wrong", "nothing was changed"]);
    assert_eq!(run(&new, &import, WORD).1, 0);
    assert!(!Path::new(file).exists(), "it is used up");
    refused(&root.path().join("third"), &import, WORD, &["imported already"]);
    let second = format!("{file}.imported");
    let again = ["id", "--import", &second, "--passphrase-fd", "0"];
    refused(&root.path().join("third"), &again, WORD, &["imported already"]);

    assert!(run(&new, &["id"], "").0.contains(&key));
    let mut alice = Program::start(&new, &join);
    alice.expect_where("a welcome back", |line| line.starts_with("Welcome back, alice"));
    // A copy that nobody can know of is noticed where they meet.
    fs::rename(&second, file).unwrap();
    assert_eq!(run(&root.path().join("third"), &import, WORD).1, 0);
    let mut copy = Program::start(&root.path().join("third"), &join);
    copy.expect_where("a welcome back", |line| line.starts_with("Welcome back, alice"));
    alice.expect_where("where it is", |line| line.contains("in use elsewhere"));
    assert_eq!(alice.exit_code(), 6);
    copy.end_input();
    assert_eq!(copy.exit_code(), 0);
    // And back to where it began.
    let third = root.path().join("third");
    assert_eq!(run(&third, &export, WORD).1, 0);
    fs::remove_file(&second).unwrap();
    assert_eq!(run(&old, &import, WORD).1, 0);
    let mut alice = Program::start(&old, &join);
    alice.expect_where("a welcome back", |line| line.starts_with("Welcome back, alice"));
}

#[test]
fn a_file_that_cannot_be_taken_is_refused_with_the_reason() {
    let root = tempfile::tempdir().unwrap();
    let (old, new) = (root.path().join("old"), root.path().join("new"));
    with_identity(&old, "alice");
    let file = root.path().join("alice.id");
    let name = file.to_str().unwrap();
    assert_eq!(run(&old, &["id", "--export", name, "--passphrase-fd", "0"], WORD).1, 0);
    let whole = fs::read(&file).unwrap();
    let import = ["id", "--import", name, "--passphrase-fd", "0"];
    let check = |bytes: &[u8], words: &[&str]| {
        fs::write(&file, bytes).unwrap();
        refused(&new, &import, WORD, words);
        assert_eq!(fs::read(&file).unwrap(), bytes, "the file is left alone");
        assert!(!new.exists(), "nothing was made");
    };
    for length in [20, 33, 100, whole.len() - 1] {
        check(&whole[..length], &["cut off", "copy it again"]);
    }
    for at in [17, 40, 98, whole.len() - 1] {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        check(&damaged, &["damaged", "copy it again"]);
    }
    let mut newer = whole.clone();
    newer[16] = 2;
    check(&newer, &["newer udpchat", "update"]);
    check(b"", &["no identity that udpchat exported"]);
    check(b"-----BEGIN OPENSSH PRIVATE KEY-----", &["no identity that udpchat exported"]);
    let missing = root.path().join("missing");
    let words = ["id", "--import", missing.to_str().unwrap(), "--passphrase-fd", "0"];
    refused(&new, &words, WORD, &["missing", "check that it is there"]);
    check(&whole[..99], &["cut off"]);
    // Whoever has one already keeps it.
    with_identity(&new, "alice");
    fs::write(&file, &whole).unwrap();
    refused(&new, &import, WORD, &["alice has an identity", "nothing was changed"]);
    refused(&old, &["id", "--export", name, "--passphrase-fd", "0"], WORD, &["was moved to"]);
}

/// Killed anywhere on its way, a move leaves one copy at least, and one directory at most that runs.
#[test]
fn a_move_that_is_killed_loses_nothing_and_doubles_nothing() {
    let (word, mut fates) = (WORD, [0; 3]);
    for delay in 0..12 {
        let root = tempfile::tempdir().unwrap();
        let (old, new) = (root.path().join("old"), root.path().join("new"));
        with_identity(&old, "alice");
        let key = run(&old, &["id"], "").0.lines().nth(1).unwrap().to_owned();
        let file = root.path().join("alice.id");
        let name = file.to_str().unwrap();
        let export = ["id", "alice", "--export", name, "--passphrase-fd", "0"];
        let mut victim = Program::start(&old, &export);
        victim.line("open sesame");
        std::thread::sleep(std::time::Duration::from_millis(delay * 30));
        victim.kill();
        let (said, code) = run(&old, &["id"], "");
        // Either it runs as before, or the same command ends the export, or it has ended.
        if code == 0 {
            assert!(said.contains(&key) && !file.exists(), "{said}");
            fates[0] += 1;
            assert_eq!(run(&old, &export, word).1, 0);
        } else if said.contains("was moved to") {
            fates[2] += 1;
        } else {
            assert!(said.contains("did not come to its end"), "{said}");
            fates[1] += 1;
            assert_eq!(run(&old, &export, word).1, 0);
        }
        assert_ne!(run(&old, &["id"], "").1, 0);
        let import = ["id", "--import", name, "--passphrase-fd", "0"];
        assert_eq!(run(&new, &import, word).1, 0);
        assert!(run(&new, &["id"], "").0.contains(&key));
    }
    println!("killed before, in, after the export: {fates:?}");
}
