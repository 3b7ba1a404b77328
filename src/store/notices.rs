//! Notices of outside systems. One message is one transaction: its bytes, what
//! it tells, what it joins and what must be fetched; whoever is answered 200
//! after it can forget the message.

use jiff::Timestamp;

use super::calls::get;
use super::payloads::{self, Payload};
use super::{Store, StoreError, erasures, errands, joins, schema};
use crate::domain::notice::{self, Errand, Notice};
use crate::domain::{CallId, Source};

/// One message of an outside system, understood as far as it can be.
#[derive(Debug, Clone)]
pub struct News {
    /// Key of the notice that the payload belongs to.
    pub key: String,
    /// Its bytes.
    pub payload: Option<Payload>,
    /// What it tells.
    pub notice: Option<Notice>,
    /// When the recordings that it names are to be fetched; `None`: not for now.
    pub fetch_at: Option<Timestamp>,
}

impl Store {
    /// Writes messages, all or none. Returns the calls that they changed.
    pub fn take_news(&self, news: Vec<News>) -> Result<Vec<CallId>, StoreError> {
        let secret = self.erasure_key()?;
        let txn = self.write()?;
        let mut changed = Vec::new();
        for message in news {
            if erasures::is_notice_erased(&txn, &secret, &message.key)? {
                continue;
            }
            if let Some(payload) = &message.payload {
                payloads::keep(&txn, &message.key, payload)?;
            }
            let Some(newer) = message.notice else {
                continue;
            };
            let notice = match get::<Notice>(&txn, schema::NOTICES, &newer.key())? {
                Some(mut known) => {
                    known.renew(newer);
                    known
                }
                None => newer,
            };
            if let Some(at) = message.fetch_at {
                for errand in to_fetch(&notice) {
                    errands::add(&txn, errand, at)?;
                }
            }
            changed.extend(joins::notice_changes(&txn, notice, None)?);
        }
        txn.commit()?;
        changed.sort();
        changed.dedup();
        Ok(changed)
    }

    /// A notice by system and id.
    pub fn notice(&self, source: Source, id: &str) -> Result<Option<Notice>, StoreError> {
        self.notice_by_key(&notice::key(source, id))
    }

    /// A notice by its key.
    pub fn notice_by_key(&self, key: &str) -> Result<Option<Notice>, StoreError> {
        self.read_one(schema::NOTICES, key)
    }

    /// Whether a recording still has to be fetched: not when it was, and not when
    /// the notice is joined to as many recordings from elsewhere as it tells of.
    pub fn recording_missing(&self, key: &str, recording: &str) -> Result<bool, StoreError> {
        let Some(notice) = self.notice_by_key(key)? else {
            return Ok(true);
        };
        let mut elsewhere = 0;
        for id in &notice.calls {
            if let Some(entry) = self.entry(id)?
                && entry.call.source != notice.source
            {
                elsewhere += 1;
            }
        }
        let taken = notice.taken.iter().any(|taken| taken == recording);
        Ok(!taken && elsewhere < notice.recordings.len().max(1))
    }

    /// An errand has brought its recording (`call`), or it is not needed: the
    /// errand ends and the notice is joined. Returns the calls that changed.
    pub fn recording_taken(
        &self,
        errand: &Errand,
        call: Option<&CallId>,
    ) -> Result<Vec<CallId>, StoreError> {
        let txn = self.write()?;
        errands::remove(&txn, &errand.key())?;
        let mut changed = Vec::new();
        if let Some((key, recording)) = errand.recording()
            && let Some(mut notice) = get::<Notice>(&txn, schema::NOTICES, &key)?
        {
            if !notice.taken.iter().any(|taken| taken == recording) {
                notice.taken.push(recording.to_owned());
            }
            changed = joins::notice_changes(&txn, notice, call)?;
        }
        txn.commit()?;
        Ok(changed)
    }
}

fn to_fetch(notice: &Notice) -> Vec<Errand> {
    notice
        .recordings
        .iter()
        .filter(|recording| !notice.taken.contains(recording))
        .filter_map(|recording| match notice.source {
            Source::Mango => Some(Errand::MangoRecording {
                entry_id: notice.id.clone(),
                recording_id: recording.clone(),
            }),
            Source::Calltouch if !notice.site.is_empty() => Some(Errand::CalltouchRecording {
                site: notice.site.clone(),
                call_id: notice.id.clone(),
            }),
            Source::Calltouch | Source::Upload | Source::Sftp | Source::Pull | Source::Import => {
                None
            }
        })
        .collect()
}
