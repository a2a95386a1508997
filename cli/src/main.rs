//! `udpchat`: a chat over UDP that keeps its promises.
#![forbid(unsafe_code)]

mod accounts;
mod address;
mod arguments;
mod classic;
mod command;
mod input;
mod json;
mod listening;
mod modern;
mod names;
mod notice;
mod password;
mod past;
mod rows;
mod run;
mod safe_text;
mod screen;
mod sending;
mod server_words;
mod session;
mod terminal;
mod words;

use std::process::ExitCode;

use arguments::Arguments;
use session::Exit;

fn main() -> ExitCode {
    let exit = run::run(&Arguments::read()).unwrap_or_else(|error| {
        eprintln!("udpchat: {error}");
        Exit::Failed
    });
    ExitCode::from(exit as u8)
}
