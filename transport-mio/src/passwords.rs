//! Judging passwords: Argon2id on one thread of its own, with a short queue before it,
//! so that neither the event loop nor the machine's memory is held up by those who guess.

use std::{
    io, mem,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{self, Receiver, SyncSender},
    },
    thread::{self, JoinHandle},
};

use argon2::{
    Argon2, PasswordHasher, PasswordVerifier,
    password_hash::{Error as HashError, phc::PasswordHash},
};
use proto_core::host::{PasswordOutcome, Ticket};
use zeroize::Zeroizing;

/// How many passwords wait at the most. The core asks for no more at a time than this.
const QUEUE: usize = 8;

/// Bytes of salt, fresh for each password (RFC 9106 §3.1).
const SALT: usize = 16;

/// A thread that judges passwords, once there is one to judge.
pub(crate) struct Passwords {
    worker: Option<Worker>,
    answers: Arc<Mutex<Vec<Answer>>>,
    wake: Arc<dyn Fn() + Send + Sync>,
}

struct Worker {
    queue: SyncSender<Request>,
    thread: JoinHandle<()>,
}

struct Request {
    ticket: Ticket,
    password: Zeroizing<Vec<u8>>,
    hash: Option<Vec<u8>>,
}

/// What was found of a password.
pub(crate) struct Answer {
    /// Names the request.
    pub(crate) ticket: Ticket,
    finding: Finding,
}

enum Finding {
    Right,
    Hashed(String),
    Wrong,
    Busy,
    Failed,
}

impl Answer {
    /// In the form that the core takes.
    pub(crate) fn as_judgement(&self) -> PasswordOutcome<'_> {
        match &self.finding {
            Finding::Right => PasswordOutcome::Right,
            Finding::Hashed(hash) => PasswordOutcome::Hashed(hash.as_bytes()),
            Finding::Wrong => PasswordOutcome::Wrong,
            Finding::Busy => PasswordOutcome::Busy,
            Finding::Failed => PasswordOutcome::Failed,
        }
    }
}

impl Passwords {
    /// `wake` is called whenever there are new [`Self::answers`].
    pub(crate) fn new(wake: impl Fn() + Send + Sync + 'static) -> Self {
        Self { worker: None, answers: Arc::default(), wake: Arc::new(wake) }
    }

    /// Has a password judged, or, if there is no hash for it, hashed.
    pub(crate) fn judge(&mut self, ticket: Ticket, password: &[u8], hash: Option<&[u8]>) {
        let password = Zeroizing::new(password.to_vec());
        let request = Request { ticket, password, hash: hash.map(<[u8]>::to_vec) };
        let queued = self
            .start()
            .ok()
            .and_then(|()| self.worker.as_ref()?.queue.try_send(request).ok())
            .is_some();
        if !queued {
            publish(&self.answers, Answer { ticket, finding: Finding::Busy });
            (self.wake)();
        }
    }

    /// Takes the answers that are there.
    pub(crate) fn answers(&self) -> Vec<Answer> {
        mem::take(&mut *self.answers.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn start(&mut self) -> io::Result<()> {
        if self.worker.as_ref().is_some_and(|worker| !worker.thread.is_finished()) {
            return Ok(());
        }
        let (queue, requests) = mpsc::sync_channel(QUEUE);
        let (answers, wake) = (Arc::clone(&self.answers), Arc::clone(&self.wake));
        let thread = thread::Builder::new()
            .name("udpchat-passwords".to_owned())
            .spawn(move || work(&requests, &answers, &*wake))?;
        self.worker = Some(Worker { queue, thread });
        Ok(())
    }
}

impl Drop for Passwords {
    fn drop(&mut self) {
        if let Some(Worker { queue, thread }) = self.worker.take() {
            drop(queue);
            // Nobody waits for what it was doing.
            let _ = thread.join();
        }
    }
}

fn work(requests: &Receiver<Request>, answers: &Mutex<Vec<Answer>>, wake: &(dyn Fn() + Sync)) {
    for Request { ticket, password, hash } in requests {
        let finding = match hash {
            Some(hash) => verify(&password, &hash),
            None => hashed(&password),
        };
        drop(password);
        publish(answers, Answer { ticket, finding });
        wake();
    }
}

fn publish(answers: &Mutex<Vec<Answer>>, answer: Answer) {
    answers.lock().unwrap_or_else(PoisonError::into_inner).push(answer);
}

/// Argon2id with 19 MiB, two passes and one lane, as OWASP's password storage sheet has it.
fn hashed(password: &[u8]) -> Finding {
    let mut salt = [0; SALT];
    if getrandom::fill(&mut salt).is_err() {
        return Finding::Failed;
    }
    match Argon2::default().hash_password_with_salt(password, &salt) {
        Ok(hash) => Finding::Hashed(hash.to_string()),
        Err(_) => Finding::Failed,
    }
}

/// By the parameters that the hash itself names, so that later ones may differ.
fn verify(password: &[u8], hash: &[u8]) -> Finding {
    let parsed = std::str::from_utf8(hash).ok().and_then(|text| PasswordHash::new(text).ok());
    let Some(hash) = parsed else { return Finding::Failed };
    match Argon2::default().verify_password(password, &hash) {
        Ok(()) => Finding::Right,
        Err(HashError::PasswordInvalid) => Finding::Wrong,
        Err(_) => Finding::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_has_its_hash_and_no_other() {
        let Finding::Hashed(hash) = hashed(b"correct horse") else { panic!("it is hashed") };
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(hash.len() <= proto_core::host::MAX_HASH, "{hash}");
        assert!(matches!(verify(b"correct horse", hash.as_bytes()), Finding::Right));
        assert!(matches!(verify(b"correct horsf", hash.as_bytes()), Finding::Wrong));
        assert!(matches!(verify(b"correct horse", &hash.as_bytes()[..40]), Finding::Failed));
        let Finding::Hashed(again) = hashed(b"correct horse") else { panic!("it is hashed") };
        assert_ne!(hash, again, "the salt is fresh");
    }
}
