//! What the client's session with its server keeps in the link to it.

/// What is to be asked of the server.
#[derive(Debug, Default)]
pub(in crate::client) struct SessionLink {
    /// What the client wants now, to be online or offline, is to be asked.
    pub(super) request: bool,
    /// What its user wants of its account is to be asked.
    pub(super) account: bool,
}

impl SessionLink {
    /// The server is to be asked for what the client wants now.
    pub(in crate::client) fn owe_request(&mut self) {
        self.request = true;
    }

    /// The server is to be asked for what the user wants of the account.
    pub(in crate::client) fn owe_account(&mut self) {
        self.account = true;
    }
}
