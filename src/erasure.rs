//! Removes calls for good: those of a phone number when a person asks for it, and those
//! whose time is over. An order is in the store before anything is removed and is taken
//! up after a restart; its report stays, without the number.

mod files;

use std::collections::HashSet;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::config::Config;
use crate::domain::audit::{Action, Actor, Entry, Outcome};
use crate::domain::erasure::{Erasure, Left, LeftReason, Removed, Subject};
use crate::domain::retention::Rules;
use crate::domain::{Call, CallId};
use crate::pipeline::Runner;
use crate::sftp::Folders;
use crate::store::{Again, Kept, Store, StoreError};
use files::Copies;

/// After a fault of the store.
const PAUSE: Duration = Duration::from_secs(60);
/// So long a stage that was killed may take to notice.
const NOTICE: Duration = Duration::from_secs(20);

/// Why an erasure cannot be ordered.
#[derive(Debug, thiserror::Error)]
pub enum ErasureError {
    /// The number cannot be used; the text says why.
    #[error("{0}")]
    Phone(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Removes calls for good. One for the program.
pub struct Erasures {
    store: Arc<Store>,
    runner: Arc<Runner>,
    folders: Option<Arc<Folders>>,
    copies: Copies,
    rules: Rules,
    keep_audit: SignedDuration,
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    stopping: bool,
    /// Counts new orders, so that none is missed between a look and the wait.
    orders: u64,
}

/// The thread that erases.
pub struct Erasing {
    erasures: Arc<Erasures>,
    thread: JoinHandle<()>,
}

impl Erasures {
    /// `folders` are those of the SFTP server that runs; without one, those that an earlier
    /// one left.
    pub fn new(
        config: &Config,
        store: Arc<Store>,
        runner: Arc<Runner>,
        folders: Option<Arc<Folders>>,
    ) -> Self {
        Self {
            folders: folders.or_else(|| files::left_folders(&config.data_dir)),
            copies: Copies::new(config),
            rules: config.retention.rules.clone(),
            keep_audit: SignedDuration::from_hours(24 * i64::from(config.audit.keep_days)),
            store,
            runner,
            state: Mutex::default(),
            wake: Condvar::new(),
        }
    }

    /// Starts the thread, which takes up what an earlier process left undone.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(self: &Arc<Self>) -> std::io::Result<Erasing> {
        let own = Arc::clone(self);
        let thread = std::thread::Builder::new()
            .name("erasing".to_owned())
            .spawn(move || own.work())?;
        Ok(Erasing {
            erasures: Arc::clone(self),
            thread,
        })
    }

    /// The number that a person wrote; ours is refused.
    ///
    /// # Errors
    /// [`ErasureError::Phone`] says what to do.
    pub fn subject(&self, phone: &str) -> Result<Subject, ErasureError> {
        let subject = Subject::parse(phone).map_err(ErasureError::Phone)?;
        let directory = self.store.directory()?;
        let employee = directory.employees().iter().find(|employee| {
            let phones = &employee.phones;
            phones
                .iter()
                .any(|phone| Subject::parse(phone).is_ok_and(|known| known == subject))
        });
        match employee {
            Some(employee) => Err(ErasureError::Phone(format!(
                "phone: it is the number of {} in the directory of employees; take it out there first",
                employee.name
            ))),
            None => Ok(subject),
        }
    }

    /// What an order would remove.
    ///
    /// # Errors
    /// When the store fails.
    pub fn preview(&self, subject: &Subject) -> Result<Kept, StoreError> {
        self.store.kept_of(subject)
    }

    /// Orders that everything of a number is erased; it is done soon after.
    ///
    /// # Errors
    /// When the store fails.
    pub fn begin(&self, subject: &Subject, author: &str) -> Result<Erasure, StoreError> {
        let erasure = Erasure {
            id: ulid::Ulid::generate().to_string(),
            author: author.to_owned(),
            ordered_at: Timestamp::now(),
            phone: Some(subject.digits().to_owned()),
            masked: subject.masked(),
            mark: self.store.phone_mark(subject)?,
            removed: Removed::default(),
            left: Vec::new(),
            ended_at: None,
            rewritten: false,
        };
        self.store.put_erasure(&erasure)?;
        self.lock().orders += 1;
        self.wake.notify_all();
        Ok(erasure)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        loop {
            let seen = self.lock().orders;
            let done = self.work_off();
            let state = self.lock();
            if state.stopping {
                return;
            }
            let waits = |state: &mut State| state.orders == seen && !state.stopping;
            match done {
                Ok(()) => drop(self.wake.wait_while(state, waits)),
                Err(error) => {
                    tracing::error!(%error, "an erasure cannot go on for now");
                    drop(self.wake.wait_timeout_while(state, PAUSE, waits));
                }
            }
        }
    }

    /// Does all that is ordered.
    ///
    /// # Errors
    /// When the store fails; what is left is done at the next call.
    pub fn work_off(&self) -> Result<(), StoreError> {
        let mut orders = self.store.erasures()?;
        orders.reverse();
        let mut rewrite = false;
        for mut erasure in orders {
            if let Some(phone) = erasure.phone.clone()
                && !self.erase(&mut erasure, &phone)?
            {
                // The server stops; the next one goes on.
                return Ok(());
            }
            rewrite |= !erasure.rewritten;
        }
        if rewrite {
            self.store.rewrite()?;
            for mut erasure in self.store.erasures()? {
                if !erasure.rewritten && erasure.phone.is_none() {
                    erasure.rewritten = true;
                    self.store.put_erasure(&erasure)?;
                }
            }
        }
        Ok(())
    }

    /// False when it stopped in the middle because the server stops.
    fn erase(&self, erasure: &mut Erasure, phone: &str) -> Result<bool, StoreError> {
        let Ok(subject) = Subject::parse(phone) else {
            erasure.phone = None;
            erasure.left.push(LeftReason::Number.into());
            self.store.put_erasure(erasure)?;
            return Ok(true);
        };
        // What could not be removed before is looked at again.
        erasure.left.clear();
        let kept = self.store.kept_of(&subject)?;
        let now_s = Timestamp::now().as_second();
        let dropped = self.remove_dropped(&kept.dropped, &mut erasure.left)?;
        erasure.removed.add(&dropped);
        let pulled = self.store.erase_pulled(&kept.pulled)?;
        erasure.removed.add(&pulled);
        for key in &kept.notices {
            let copies = self.copies.remove_of_notice(key, &mut erasure.left);
            erasure.removed.copies += copies;
        }
        for (call, _) in &kept.calls {
            if self.lock().stopping {
                return Ok(false);
            }
            let copies = self.copies.remove_of_call(call, &mut erasure.left);
            erasure.removed.copies += copies;
            let entry = Entry::new(Actor::System, Action::Erased);
            let entry = entry.saying(format!("erasure {}", erasure.id));
            let removed = self.remove_call(&call.id, Again::Refused, entry)?;
            erasure.removed.add(&removed);
            self.store.put_erasure(erasure)?;
        }
        let notices = self.store.erase_notices(&kept.notices, now_s)?;
        erasure.removed.add(&notices);
        erasure.removed.add(&self.store.erase_mentions(&subject)?);
        let ids: Vec<CallId> = kept.calls.into_iter().map(|(call, _)| call.id).collect();
        self.purge(&ids, &mut erasure.left);
        erasure.removed.store_copies += self.store.remove_old_copies()?;
        erasure.phone = None;
        erasure.ended_at = Some(Timestamp::now());
        self.store.put_erasure(erasure)?;
        let Removed { calls, notices, .. } = erasure.removed;
        let entry = Entry::new(Actor::System, Action::Erased).about(&erasure.id);
        let detail = format!(
            "{calls} calls, {notices} notices, ordered by {}",
            erasure.author
        );
        self.store.record(entry.saying(detail))?;
        tracing::info!(
            erasure = erasure.id,
            calls,
            "what was kept of a number is erased"
        );
        Ok(true)
    }

    /// Removes a call, which `entry` tells; one that is gone already is no fault.
    fn remove_call(&self, id: &CallId, again: Again, entry: Entry) -> Result<Removed, StoreError> {
        let weight = self.store.weight_of(id)?;
        let mut entry = entry.about(id.as_str());
        let ticket = self.store.begin(entry.clone())?;
        let (removed, told) = match self.runner.remove(id, again) {
            Ok(()) => (Ok(weight), vec![entry]),
            Err(StoreError::NotFound) => (Ok(Removed::default()), Vec::new()),
            Err(error) => {
                entry.outcome = Outcome::Failed;
                (Err(error), vec![entry])
            }
        };
        self.store.settle(Some(ticket), told, None)?;
        removed
    }

    fn remove_dropped(
        &self,
        files: &[(String, Vec<u8>)],
        left: &mut Vec<Left>,
    ) -> Result<Removed, StoreError> {
        let mut gone = Vec::new();
        for (user, path) in files {
            match files::remove_dropped(self.folders.as_deref(), user, path) {
                Ok(()) => gone.push((user.clone(), path.clone())),
                Err(error) => left.push(Left {
                    reason: LeftReason::DroppedFile,
                    detail: Some(format!("{user}: {error}")),
                }),
            }
        }
        self.store.forget_all_dropped(&gone)?;
        Ok(Removed {
            dropped_files: gone.len() as u64,
            ..Removed::default()
        })
    }

    /// Takes the words of calls out of the files of the index.
    fn purge(&self, ids: &[CallId], left: &mut Vec<Left>) {
        if !self.runner.wait_for(ids, NOTICE) {
            left.push(LeftReason::Stage.into());
        }
        if let Err(error) = self.runner.purge_index(ids) {
            tracing::error!(%error, "the index cannot be purged");
            left.push(LeftReason::Index.into());
        }
    }

    /// Calls whose time is over, with the number of the rule that says so.
    ///
    /// # Errors
    /// When the store fails.
    pub fn over(&self, now: Timestamp) -> Result<Vec<(Call, usize)>, StoreError> {
        let mut over = Vec::new();
        if self.rules.is_empty() {
            return Ok(over);
        }
        self.store.each_entry(|entry| {
            if let Some(rule) = self.rules.over(&entry.call, &entry.job, now) {
                over.push((entry.call, rule));
            }
        })?;
        Ok(over)
    }

    /// Removes the calls whose time is over, and entries of the audit that are too old.
    ///
    /// # Errors
    /// When the store fails.
    pub fn tidy(&self, now: Timestamp) -> Result<Removed, StoreError> {
        let mut removed = Removed::default();
        let mut left = Vec::new();
        let over = self.over(now)?;
        let ids: Vec<CallId> = over.iter().map(|(call, _)| call.id.clone()).collect();
        let (dropped, pulled) = self
            .store
            .files_of_calls(&ids.iter().cloned().collect::<HashSet<_>>())?;
        removed.add(&self.remove_dropped(&dropped, &mut left)?);
        removed.add(&self.store.erase_pulled(&pulled)?);
        for (call, rule) in &over {
            if self.lock().stopping {
                return Ok(removed);
            }
            // Retried since it was looked at: then it is not over any more.
            let there = self.store.entry(&call.id)?;
            if there.is_none_or(|entry| self.rules.over(&entry.call, &entry.job, now).is_none()) {
                continue;
            }
            removed.copies += self.copies.remove_of_call(call, &mut left);
            let entry = Entry::new(Actor::System, Action::RetentionEnforced);
            let entry = entry.saying(format!("rule {}", rule + 1));
            removed.add(&self.remove_call(&call.id, Again::Welcome, entry)?);
        }
        if !ids.is_empty() {
            self.purge(&ids, &mut left);
            tracing::info!(
                calls = removed.calls,
                "calls whose time is over were removed"
            );
        }
        for what in left {
            tracing::warn!(%what, "something of a removed call is left");
        }
        let pruned = self.store.prune_audit(now - self.keep_audit)?;
        if pruned > 0 {
            tracing::info!(entries = pruned, "old entries of the audit were removed");
        }
        Ok(removed)
    }

    /// The rules in force.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }
}

impl Erasing {
    /// Ends it after the call it is at. Blocks.
    pub fn stop(self) {
        self.erasures.lock().stopping = true;
        self.erasures.wake.notify_all();
        if self.thread.join().is_err() {
            tracing::error!("the thread that erases panicked");
        }
    }
}
