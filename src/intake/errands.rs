//! Doing an errand: what an outside system is asked, and what becomes of its
//! answer. Called by the threads of [`super::fetch`].

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::calltouch::fields::Fields;
use super::fetch::{Outcome, POLL};
use super::mango::{Statistics, history};
use super::outside::Outside;
use super::web::{self, Fault};
use super::{Accepted, Arrival};
use crate::domain::notice::{self, Errand, MANGO_LANE, Notice, calltouch_lane};
use crate::domain::{CallId, Priority, Source};
use crate::store::{News, Payload, Spool, StoreError};

/// Messages written in one transaction.
const BATCH: usize = 200;

impl Outside {
    /// Does an errand.
    pub(super) fn attempt(&self, errand: &Errand) -> Result<Outcome, Fault> {
        let store = |error: StoreError| Fault::later(error.to_string());
        if let Some((key, recording)) = errand.recording()
            && !self
                .store()
                .recording_missing(&key, recording)
                .map_err(store)?
        {
            // It came by another door meanwhile.
            let changed = self.store().recording_taken(errand, None).map_err(store)?;
            self.announce(&changed);
            return Ok(Outcome::Ended);
        }
        match errand {
            Errand::MangoRecording { recording_id, .. } => {
                let spool = self.mango().recording(self.intake(), recording_id)?;
                self.take_recording(errand, spool)
            }
            Errand::CalltouchRecording { site, call_id } => {
                let spool = self.calltouch().recording(self.intake(), site, call_id)?;
                self.take_recording(errand, spool)
            }
            Errand::MangoHistory {
                from_s,
                to_s,
                key: None,
            } => {
                let key = self.mango().request_history(*from_s, *to_s)?;
                let next = Errand::MangoHistory {
                    from_s: *from_s,
                    to_s: *to_s,
                    key: Some(key),
                };
                Ok(Outcome::GoesOn(next, POLL))
            }
            Errand::MangoHistory {
                from_s,
                to_s,
                key: Some(key),
            } => match self.mango().history(key)? {
                Statistics::Wait => Ok(Outcome::GoesOn(errand.clone(), POLL)),
                Statistics::Unknown => {
                    let anew = Errand::MangoHistory {
                        from_s: *from_s,
                        to_s: *to_s,
                        key: None,
                    };
                    Ok(Outcome::GoesOn(anew, Duration::from_secs(60)))
                }
                Statistics::Ready(csv) => {
                    let now = Timestamp::now();
                    let window = self.mango().settings().join_window_s;
                    let (rows, strange) = history::rows(&csv, now, window);
                    let found = rows.len();
                    let news = rows.into_iter().map(|row| {
                        let payload =
                            self.payload("stats/result", "text/csv", row.line.into_bytes(), now);
                        (row.notice, payload, true)
                    });
                    self.take_list(news.collect(), now).map_err(store)?;
                    self.store().end_errand(errand).map_err(store)?;
                    self.synced(
                        MANGO_LANE,
                        format!("calls: {found}, lines that were not understood: {strange}"),
                    );
                    Ok(Outcome::Ended)
                }
            },
            Errand::CalltouchDiary {
                site,
                from,
                to,
                page,
            } => {
                let list = self.calltouch().diary(site, *from, *to, *page)?;
                let now = Timestamp::now();
                let found = list.records.len();
                let mut news = Vec::new();
                for record in &list.records {
                    let fields = Fields::of_json(record, &self.calltouch().settings().aliases);
                    let body = record.to_string().into_bytes();
                    let id = format!("w{}", &web::hex(&Sha256::digest(&body))[..24]);
                    let sites = [site.as_str()];
                    let (mut notice, expected) = fields.notice(&self.context(&sites, &id, now));
                    notice.site.clone_from(site);
                    news.push((
                        notice,
                        self.payload("calls-diary", "application/json", body, now),
                        expected,
                    ));
                }
                self.take_list(news, now).map_err(store)?;
                self.synced(
                    &calltouch_lane(site),
                    format!("{from} – {to}, page {page}, calls: {found}"),
                );
                if list.last {
                    self.store().end_errand(errand).map_err(store)?;
                    return Ok(Outcome::Ended);
                }
                let next = Errand::CalltouchDiary {
                    site: site.clone(),
                    from: *from,
                    to: *to,
                    page: page + 1,
                };
                Ok(Outcome::GoesOn(next, Duration::ZERO))
            }
        }
    }

    fn payload(&self, method: &str, content_type: &str, body: Vec<u8>, now: Timestamp) -> Payload {
        Payload {
            received_at: now,
            method: method.to_owned(),
            content_type: content_type.to_owned(),
            body,
        }
    }

    fn synced(&self, lane: &str, what: String) {
        let written = self.store().change_product(lane, |product| {
            product.synced = Some((Timestamp::now(), what));
        });
        if let Err(error) = written {
            tracing::warn!(lane, %error, "the end of a synchronisation cannot be written down");
        }
    }

    /// Writes what a list tells; what was told before in the same words adds nothing.
    fn take_list(
        &self,
        list: Vec<(Notice, Payload, bool)>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut batch = Vec::new();
        for (notice, payload, fetch) in list {
            let known = self.store().payloads(&notice.key())?;
            let new = !known.iter().any(|known| known.body == payload.body);
            batch.push(News {
                key: notice.key(),
                payload: new.then_some(payload),
                notice: Some(notice),
                fetch_at: fetch.then_some(now),
            });
            if batch.len() == BATCH {
                self.announce(&self.store().take_news(std::mem::take(&mut batch))?);
            }
        }
        self.announce(&self.store().take_news(batch)?);
        Ok(())
    }

    /// Takes a downloaded recording in with what its notice tells.
    fn take_recording(&self, errand: &Errand, spool: Spool) -> Result<Outcome, Fault> {
        let store = |error: StoreError| Fault::later(error.to_string());
        let Some((key, _)) = errand.recording() else {
            return Ok(Outcome::Ended);
        };
        let notice = self.store().notice_by_key(&key).map_err(store)?;
        let source = match errand {
            Errand::MangoRecording { .. } | Errand::MangoHistory { .. } => Source::Mango,
            Errand::CalltouchRecording { .. } | Errand::CalltouchDiary { .. } => Source::Calltouch,
        };
        let arrival = Arrival {
            filename: notice
                .as_ref()
                .map_or_else(|| format!("{}.mp3", source.name()), filename),
            operator: None,
            language: None,
            source,
            direction: notice.as_ref().and_then(|notice| notice.direction),
            priority: Priority::Bulk,
            started_at: notice.as_ref().and_then(|notice| notice.started_at),
            details: notice
                .as_ref()
                .map(|notice| notice.details.clone())
                .unwrap_or_default(),
        };
        let (Accepted::New(id) | Accepted::Known(id)) = self.intake().accept(spool, arrival)?;
        let changed = self
            .store()
            .recording_taken(errand, Some(&id))
            .map_err(store)?;
        self.announce(&changed);
        tracing::info!(call = %id, errand = errand.key(), "a recording was fetched");
        if let (Some(dir), Some(notice), Source::Calltouch) =
            (&self.calltouch().settings().records_path, &notice, source)
            && let Err(error) = self.put_aside(dir, notice, &id)
        {
            tracing::warn!(dir = %dir.display(), error, "the copy of a recording cannot be written");
        }
        Ok(Outcome::Ended)
    }

    /// Puts a copy of a recording and what is known of it into a directory of the
    /// administrator's.
    fn put_aside(&self, dir: &Path, notice: &Notice, id: &CallId) -> Result<(), String> {
        let entry = self.store().entry(id).map_err(|error| error.to_string())?;
        let call = entry.ok_or("the call is gone")?.call;
        let io = |error: std::io::Error| error.to_string();
        let dir = dir.join(notice::file_name(&notice.site));
        std::fs::create_dir_all(&dir).map_err(io)?;
        let name = notice::file_name(&notice.id);
        let part = dir.join(format!(".{name}.part"));
        std::fs::copy(self.store().blobs().path(&call.sha256), &part).map_err(io)?;
        std::fs::rename(&part, dir.join(format!("{name}.mp3"))).map_err(io)?;
        let json = serde_json::to_vec_pretty(&call).map_err(|error| error.to_string())?;
        std::fs::write(&part, json).map_err(io)?;
        std::fs::rename(&part, dir.join(format!("{name}.json"))).map_err(io)
    }
}

/// A name for a recording that comes without one.
fn filename(notice: &Notice) -> String {
    let part = |number: &Option<crate::domain::phone::Number>| {
        number.as_ref().map_or("-".to_owned(), |number| {
            number.phone.clone().unwrap_or(number.text.clone())
        })
    };
    let time = notice.started_at.map_or(notice.id.clone(), |at| {
        at.strftime("%Y-%m-%d_%H-%M-%SZ").to_string()
    });
    let (from, to) = (part(&notice.details.caller), part(&notice.details.called));
    format!("{}_{time}_{from}_{to}.mp3", notice.source.name())
}
