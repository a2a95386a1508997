//! `udpchat`: a chat over UDP that keeps its promises.
#![forbid(unsafe_code)]

mod classic;
mod command;
mod modern;
mod notice;
mod safe_text;
mod session;
mod words;

fn main() {}
