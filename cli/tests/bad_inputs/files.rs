//! Files in a data directory that are not as the program left them, and files to import.

use std::{ffi::OsString, fs, os::unix::fs::PermissionsExt as _, path::Path};

use proto_core::id::{Nick, PublicKey};
use transport_mio::{
    directories::Directories,
    identity::{self, moving::Export},
    key_text,
    known_servers::KnownServers,
    store::Store,
};

use crate::{
    corpus::{self, Case},
    lines::run,
};

const NICKNAME: &str = "alice";

/// A client's directory as the program leaves it, and an exported identity beside it.
fn make(root: &Path) {
    let alice = Nick::new(NICKNAME).unwrap();
    let directories = Directories::new(Some(&root.join("data"))).unwrap();
    let own = directories.client(&alice).unwrap();
    identity::load_or_create(&own.join("identity")).unwrap();
    drop(Store::<u8>::open(&own.join("store.redb"), || ()).unwrap());
    let mut known = KnownServers::load(&own.join("known_servers")).unwrap();
    known.remember("127.0.0.1:9", PublicKey([9; 32])).unwrap();
    let elsewhere = Directories::new(Some(&root.join("elsewhere"))).unwrap();
    let other = elsewhere.client(&alice).unwrap();
    identity::load_or_create(&other.join("identity")).unwrap();
    let export = Export::new(&other, alice, &root.join("exported")).unwrap();
    export.finish(b"open sesame").unwrap();
}

/// Each is `<file> <what is done to it>`; the program is to refuse with code 1 and these words, and
/// to leave the file alone.
pub(crate) fn judge(cases: &[Case]) -> Vec<String> {
    let root = tempfile::tempdir().unwrap();
    make(root.path());
    cases.iter().filter_map(|case| wrong(root.path(), case)).collect()
}

fn wrong(root: &Path, case: &Case) -> Option<String> {
    let (file, change) = case.input.split_once(' ').unwrap();
    let is_export = file == "exported";
    let path = if is_export {
        root.join(file)
    } else {
        root.join("data/clients").join(NICKNAME).join(file)
    };
    let before = fs::read(&path).ok();
    let (content, mode) = changed(before.as_deref().unwrap_or_default(), change);
    fs::write(&path, &content).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    let name = path.to_str().unwrap();
    let (directory, words) = if is_export {
        (root.join("new"), vec!["id", "--import", name, "--passphrase-fd", "0"])
    } else {
        (root.join("data"), vec!["join", NICKNAME, "127.0.0.1:9"])
    };
    let words: Vec<_> = words.into_iter().map(OsString::from).collect();
    let output = run(&directory, &words, b"open sesamy\n");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let is_left = fs::read(&path).unwrap() == content;
    match before {
        Some(before) => {
            fs::write(&path, before).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        }
        None => fs::remove_file(&path).unwrap(),
    }
    if output.status.code() != Some(1) || !is_left {
        return Some(format!("{}: {:?} {is_left} {said:?}", case.name, output.status));
    }
    case.misses(&said)
}

/// What a file is to hold, and its mode.
fn changed(before: &[u8], change: &str) -> (Vec<u8>, u32) {
    let (verb, rest) = change.split_once(' ').unwrap_or((change, ""));
    let mut content = before.to_vec();
    match verb {
        "text" => {
            let key = key_text::encode(&PublicKey([7; 32]));
            content = corpus::bytes(&rest.replace("KEY", &key));
        }
        "cut" => content.truncate(rest.parse().unwrap()),
        "grow" => content.extend(corpus::bytes(rest)),
        "flip" => content[rest.parse::<usize>().unwrap()] ^= 0x55,
        "set" => {
            let (at, value) = rest.split_once(' ').unwrap();
            content[at.parse::<usize>().unwrap()] = value.parse().unwrap();
        }
        "mode" => return (content, u32::from_str_radix(rest, 8).unwrap()),
        "as-it-is" => {}
        other => panic!("{other:?}"),
    }
    (content, 0o600)
}
