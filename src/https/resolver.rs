//! Which certificate a client is shown: the one in force, or the answer to a
//! challenge of an authority (RFC 8737), and the answers over HTTP (RFC 8555, 8.3).

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::pair::Pair;

/// The protocol that an authority asks for to see a challenge answered.
pub(crate) const ACME_TLS: &[u8] = b"acme-tls/1";

/// What is in force, and what authorities are answered.
#[derive(Debug)]
pub(crate) struct Resolver {
    current: RwLock<Arc<Pair>>,
    certificates: RwLock<HashMap<String, Arc<CertifiedKey>>>,
    files: RwLock<HashMap<String, String>>,
}

impl Resolver {
    pub(super) fn new(pair: Pair) -> Self {
        Self {
            current: RwLock::new(Arc::new(pair)),
            certificates: RwLock::default(),
            files: RwLock::default(),
        }
    }

    /// The pair in force.
    pub(crate) fn current(&self) -> Arc<Pair> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&current)
    }

    /// Puts a pair in force: connections that begin from now on see it.
    pub(super) fn replace(&self, pair: Pair) -> Arc<Pair> {
        let pair = Arc::new(pair);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&pair);
        pair
    }

    /// The text of `/.well-known/acme-challenge/TOKEN`.
    pub(crate) fn file(&self, token: &str) -> Option<String> {
        let files = self.files.read().unwrap_or_else(PoisonError::into_inner);
        files.get(token).cloned()
    }

    pub(super) fn answer_file(&self, token: String, text: String) {
        let mut files = self.files.write().unwrap_or_else(PoisonError::into_inner);
        files.insert(token, text);
    }

    pub(super) fn answer_certificate(&self, server_name: String, key: CertifiedKey) {
        let mut keys = self
            .certificates
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        keys.insert(server_name, Arc::new(key));
    }

    /// Takes all answers back.
    pub(super) fn forget_answers(&self) {
        self.files
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
        self.certificates
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello) -> Option<Arc<CertifiedKey>> {
        let asks = hello
            .alpn()
            .is_some_and(|mut names| names.any(|name| name == ACME_TLS));
        if !asks {
            return Some(Arc::clone(&self.current().key));
        }
        let name = hello.server_name()?.to_ascii_lowercase();
        let keys = self
            .certificates
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        keys.get(&name).cloned()
    }
}
