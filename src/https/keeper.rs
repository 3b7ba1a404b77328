//! Keeps the certificate in force: looks at files that change, renews what ends.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use super::pair::Pair;
use super::{Certificates, HttpsError, authority, self_signed};
use crate::config::{Acme, CertificateSource, Https};

/// Files are looked at this often.
const LOOK: Duration = Duration::from_secs(5);
/// The first failure is followed by another attempt after this; the time doubles.
const FIRST_WAIT: Duration = Duration::from_secs(120);
/// Authorities bound failures by the hour: more seldom than this is not needed.
const LONGEST_WAIT: Duration = Duration::from_secs(6 * 3600);
/// An authority is asked about the time of renewal between these.
const SUGGESTION: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(600)..=Duration::from_secs(12 * 3600);

impl Certificates {
    /// Runs until `stop`.
    pub async fn keep(&self, stop: CancellationToken) {
        let work = async {
            match &self.settings.source {
                CertificateSource::SelfSigned => self.renew_own().await,
                CertificateSource::Files { certificate, key } => {
                    self.watch(certificate, key).await;
                }
                CertificateSource::Acme(acme) => self.renew(acme).await,
            }
        };
        tokio::select! {
            () = work => {}
            () = stop.cancelled() => {}
        }
    }

    async fn renew_own(&self) {
        loop {
            sleep_until(self.current().renew_at(), LONGEST_WAIT).await;
            let now = Timestamp::now();
            if now < self.current().renew_at() {
                continue;
            }
            match self_signed::ensure(&self.kept, &self.settings.names, now) {
                Ok(pair) => self.put_in_force(pair),
                Err(error) => {
                    tracing::error!(%error, "the certificate cannot be renewed");
                    tokio::time::sleep(LONGEST_WAIT).await;
                }
            }
        }
    }

    async fn watch(&self, certificate: &Path, key: &Path) {
        let mut seen = state(certificate, key);
        loop {
            tokio::time::sleep(LOOK).await;
            let now = state(certificate, key);
            if now == seen {
                continue;
            }
            // Whoever writes both files may be between them: what does not fit yet
            // is looked at again when it changes again.
            seen = now;
            let read = read_files(certificate, key).and_then(|pair| {
                pair.check_time(Timestamp::now())?;
                Ok(pair)
            });
            match read {
                Ok(pair) if pair.first() == self.current().first() => {}
                Ok(pair) => {
                    warn_of(&pair, &self.settings, Timestamp::now());
                    self.put_in_force(pair);
                }
                Err(error) => tracing::error!(
                    %error,
                    "the changed certificate cannot be used; the one before stays in force"
                ),
            }
        }
    }

    async fn renew(&self, acme: &Acme) {
        let authority = authority(&self.settings, acme, &self.kept);
        let mut failures = 0;
        loop {
            let current = self.current();
            let obtained = authority
                .kept_pair(Timestamp::now())
                .is_ok_and(|kept| kept.is_some_and(|kept| kept.first() == current.first()));
            if obtained {
                let (at, look_again) = match authority.suggestion(&current).await {
                    Some((from, to, again)) => (within(from, to, &current), again),
                    None => (current.renew_at(), LONGEST_WAIT),
                };
                if Timestamp::now() < at {
                    let longest = look_again.clamp(*SUGGESTION.start(), *SUGGESTION.end());
                    sleep_until(at, longest).await;
                    continue;
                }
            }
            match authority.obtain(failures, &self.resolver).await {
                Ok(pair) => {
                    failures = 0;
                    self.put_in_force(pair);
                }
                Err(error) => {
                    let wait = jittered(
                        FIRST_WAIT
                            .saturating_mul(1 << failures.min(10))
                            .min(LONGEST_WAIT),
                    );
                    failures += 1;
                    tracing::error!(
                        %error,
                        again_in_s = wait.as_secs(),
                        valid_until = %current.not_after,
                        "no new certificate; the one before stays in force"
                    );
                    tokio::time::sleep(wait).await;
                }
            }
        }
    }

    fn put_in_force(&self, pair: Pair) {
        let pair = self.resolver.replace(pair);
        tracing::info!(
            names = pair.names.iter().cloned().collect::<Vec<_>>().join(" "),
            valid_until = %pair.not_after,
            sha256 = pair.fingerprint(),
            "a new certificate is in force"
        );
    }
}

/// A moment within the window that an authority suggests, and never so late that a
/// failure could not be made up for.
fn within(from: Timestamp, to: Timestamp, pair: &Pair) -> Timestamp {
    let width = to.duration_since(from).max(SignedDuration::ZERO);
    let part = SignedDuration::try_from(width.unsigned_abs().mul_f64(random())).unwrap_or_default();
    let at = from.checked_add(part).unwrap_or(from);
    let life = pair.not_after.duration_since(pair.not_before);
    let latest = pair.not_before.checked_add(life / 10 * 9).unwrap_or(at);
    at.min(latest)
}

/// From 0 to 1.
fn random() -> f64 {
    let mut bytes = [0u8; 4];
    // Without randomness the middle does as well.
    match getrandom::fill(&mut bytes) {
        Ok(()) => f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX),
        Err(_) => 0.5,
    }
}

/// Up to a quarter more or less.
fn jittered(wait: Duration) -> Duration {
    wait.mul_f64(0.75 + random() / 2.0)
}

/// Until `at` by the clock, but not longer than `longest`: the clock may be set.
async fn sleep_until(at: Timestamp, longest: Duration) {
    let left = Duration::try_from(at.duration_since(Timestamp::now())).unwrap_or_default();
    tokio::time::sleep(left.min(longest).max(Duration::from_secs(1))).await;
}

/// What tells that files changed.
fn state(certificate: &Path, key: &Path) -> [Option<(u64, i64, i64, u64)>; 2] {
    [certificate, key].map(|path| {
        fs::metadata(path)
            .ok()
            .map(|file| (file.ino(), file.mtime(), file.mtime_nsec(), file.len()))
    })
}

/// The pair of the configuration's files.
pub(super) fn read_files(certificate: &Path, key: &Path) -> Result<Pair, HttpsError> {
    let read = || -> Result<Pair, HttpsError> {
        let (chain, key) = (fs::read(certificate)?, fs::read(key)?);
        Ok(Pair::read(&chain, &key)?)
    };
    read().map_err(|fault| HttpsError::Named {
        certificate: certificate.display().to_string(),
        key: key.display().to_string(),
        fault: Box::new(fault),
    })
}

/// Says what browsers will say.
pub(super) fn warn_of(pair: &Pair, settings: &Https, now: Timestamp) {
    if let Err(error) = pair.check_time(now) {
        tracing::error!(%error, "browsers will refuse https.certificate");
    }
    for name in pair.lacks(&settings.names) {
        tracing::warn!(%name, "https.certificate is not for this name of https.domains");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_grows_and_varies_within_bounds() {
        for wait in [FIRST_WAIT, LONGEST_WAIT] {
            let jittered = jittered(wait);
            assert!(jittered >= wait.mul_f64(0.75) && jittered <= wait.mul_f64(1.25));
        }
        let longest = FIRST_WAIT.saturating_mul(1 << 10).min(LONGEST_WAIT);
        assert_eq!(longest, LONGEST_WAIT);
    }
}
