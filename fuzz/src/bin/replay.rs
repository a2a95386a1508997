//! Runs a target on every file of a directory, without a fuzzer: to see what a corpus
//! reaches, and whether what once failed still does.
//! `cargo run --bin replay -- TARGET DIRECTORY`

use std::{env, fs, io, path::PathBuf, thread};

/// Says which file it was that panicked.
struct Running(PathBuf);

impl Drop for Running {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("replay: {}", self.0.display());
        }
    }
}

fn main() -> io::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [target, directory] = &arguments[..] else { return Err(usage()) };
    let run = match &target[..] {
        "wire" => udpchat_fuzz::wire,
        "frames" => udpchat_fuzz::frames,
        "server" => udpchat_fuzz::server,
        "client" => udpchat_fuzz::client,
        _ => return Err(usage()),
    };
    for file in fs::read_dir(directory)? {
        let running = Running(file?.path());
        run(&fs::read(&running.0)?);
    }
    Ok(())
}

fn usage() -> io::Error {
    io::Error::other("usage: replay wire|frames|server|client DIRECTORY")
}
