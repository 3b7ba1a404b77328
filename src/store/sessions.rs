//! Sessions, API keys, invitations and the keys that tokens are signed with. What is
//! secret is kept as its SHA-256 only, but for the signing keys.

use jiff::{SignedDuration, Timestamp};
use redb::{ReadableTable, TableDefinition};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::record::{decode, encode};
use super::{Store, StoreError, schema};
use crate::domain::User;
use crate::domain::access::Sight;
use crate::domain::session::{ApiKey, Invitation, Refresh, Session};
use crate::domain::user::Reach;

type Table = TableDefinition<'static, &'static str, &'static [u8]>;

/// Id → session.
pub(super) const SESSIONS: Table = TableDefinition::new("sessions");
/// Id → API key.
pub(super) const API_KEYS: Table = TableDefinition::new("api_keys");
/// Hash of the token → invitation.
pub(super) const INVITATIONS: Table = TableDefinition::new("invitations");
/// Id of the key → key.
pub(super) const TOKEN_KEYS: Table = TableDefinition::new("token_keys");

/// Most sessions of one account; the one that was seen longest ago makes room.
const MOST_SESSIONS: usize = 50;

/// A key that tokens are signed with.
#[derive(Clone, Serialize, Deserialize)]
pub struct TokenKey {
    /// Stands in the head of each token.
    pub id: String,
    /// 256 random bits.
    pub secret: [u8; 32],
    /// New tokens are signed with the newest.
    pub created_at: Timestamp,
}

/// Who holds a session or a key: everything that a request is judged by, read at once.
#[derive(Debug, Clone)]
pub struct Holder {
    /// The account.
    pub user: User,
    /// Which calls, by the directory of this moment.
    pub sight: Sight,
    /// The session, where there is one.
    pub session: Option<Session>,
    /// The API key, where it is one.
    pub key: Option<ApiKey>,
}

/// What became of a refresh token.
#[derive(Debug, Clone, PartialEq)]
pub enum Renewed {
    /// The session goes on with the new refresh token.
    Replaced(Session),
    /// The session goes on; the token was replaced a moment ago.
    Kept(Session),
    /// There is no such session any more.
    Gone,
    /// An old token was used again: the session is ended.
    Reused(Session),
}

/// What became of an invitation.
#[derive(Debug, Clone, PartialEq)]
pub enum Invited {
    /// The account is made.
    Made(Box<User>),
    /// No such invitation, or too late.
    Gone,
    /// The name was taken meanwhile.
    Taken,
}

impl Store {
    /// Told whenever who may do or see what has changed.
    pub fn watch_accounts(&self) -> watch::Receiver<()> {
        self.accounts.subscribe()
    }

    /// Keeps a new session, and forgets those of the account that have ended.
    pub fn add_session(&self, session: &Session) -> Result<(), StoreError> {
        let txn = self.write()?;
        {
            let mut table = txn.open_table(SESSIONS)?;
            let mut others = of_user(&table, &session.user)?;
            others.sort_by_key(|other| std::cmp::Reverse(other.seen_at));
            for (at, other) in others.iter().enumerate() {
                if at + 1 >= MOST_SESSIONS || other.expires_at() <= session.created_at {
                    table.remove(other.id.as_str())?;
                }
            }
            table.insert(session.id.as_str(), encode(session)?.as_slice())?;
        }
        txn.commit()?;
        Ok(())
    }

    /// Who holds the session; `None` when it has ended or the account cannot sign in.
    pub fn session_holder(&self, id: &str, now: Timestamp) -> Result<Option<Holder>, StoreError> {
        let txn = self.read()?;
        let Some(session) = txn
            .open_table(SESSIONS)?
            .get(id)?
            .map(|value| decode::<Session>(value.value()))
            .transpose()?
            .filter(|session| now < session.expires_at())
        else {
            return Ok(None);
        };
        Ok(holder(&txn, &session.user)?.map(|holder| Holder {
            session: Some(session),
            ..holder
        }))
    }

    /// Who holds the API key with this id and hash; `None` when it is another, has ended, or
    /// the account cannot sign in. Notes the use, once an hour.
    pub fn key_holder(
        &self,
        id: &str,
        matches: impl FnOnce(&str) -> bool,
        now: Timestamp,
    ) -> Result<Option<Holder>, StoreError> {
        let txn = self.read()?;
        let Some(key) = txn
            .open_table(API_KEYS)?
            .get(id)?
            .map(|value| decode::<ApiKey>(value.value()))
            .transpose()?
            .filter(|key| now < key.expires_at && matches(&key.hash))
        else {
            return Ok(None);
        };
        let found = holder(&txn, &key.user)?;
        drop(txn);
        let hour = SignedDuration::from_hours(1);
        if found.is_some() && key.used_at.is_none_or(|at| now >= at + hour) {
            let txn = self.write()?;
            {
                let mut table = txn.open_table(API_KEYS)?;
                // It may have been taken back meanwhile.
                if table.get(id)?.is_some() {
                    let used = ApiKey {
                        used_at: Some(now),
                        ..key.clone()
                    };
                    table.insert(id, encode(&used)?.as_slice())?;
                }
            }
            txn.commit()?;
        }
        Ok(found.map(|holder| Holder {
            key: Some(key),
            ..holder
        }))
    }

    /// Judges the refresh token with the hash `token`, and puts the one with the hash `fresh`
    /// in its place where that is due.
    pub fn renew_session(
        &self,
        id: &str,
        token: &str,
        fresh: &str,
        address: &str,
        now: Timestamp,
    ) -> Result<Renewed, StoreError> {
        let txn = self.write()?;
        // What changes nothing is not written: anybody can send tokens.
        let renewed = {
            let mut table = txn.open_table(SESSIONS)?;
            let known = table
                .get(id)?
                .map(|value| decode::<Session>(value.value()))
                .transpose()?;
            match known {
                None => Renewed::Gone,
                Some(session) => match session.judge(token, now) {
                    Refresh::Keep => Renewed::Kept(session),
                    Refresh::Expired => Renewed::Gone,
                    Refresh::Reused => {
                        table.remove(id)?;
                        Renewed::Reused(session)
                    }
                    Refresh::Replace => {
                        let session = Session {
                            refresh: fresh.to_owned(),
                            before: Some((token.to_owned(), now)),
                            seen_at: now,
                            address: address.to_owned(),
                            ..session
                        };
                        table.insert(id, encode(&session)?.as_slice())?;
                        Renewed::Replaced(session)
                    }
                },
            }
        };
        match renewed {
            Renewed::Kept(_) | Renewed::Gone => return Ok(renewed),
            Renewed::Replaced(_) => txn.commit()?,
            Renewed::Reused(_) => {
                txn.commit()?;
                self.accounts.send_replace(());
            }
        }
        Ok(renewed)
    }

    /// Sessions of an account that go on, the last seen first.
    pub fn sessions(&self, user: &str, now: Timestamp) -> Result<Vec<Session>, StoreError> {
        let txn = self.read()?;
        let table = txn.open_table(SESSIONS)?;
        let mut sessions = of_user(&table, user)?;
        sessions.retain(|session| now < session.expires_at());
        sessions.sort_by_key(|session| std::cmp::Reverse(session.seen_at));
        Ok(sessions)
    }

    /// Ends a session of the account; `false` when there is none.
    pub fn end_session(&self, user: &str, id: &str) -> Result<bool, StoreError> {
        let txn = self.write()?;
        let ended = {
            let mut table = txn.open_table(SESSIONS)?;
            let own = table
                .get(id)?
                .map(|value| decode::<Session>(value.value()))
                .transpose()?
                .is_some_and(|session| session.user == user);
            own && table.remove(id)?.is_some()
        };
        txn.commit()?;
        self.accounts.send_replace(());
        Ok(ended)
    }

    /// Ends the sessions of an account but for `except`; returns how many.
    pub fn end_sessions(&self, user: &str, except: Option<&str>) -> Result<u64, StoreError> {
        let txn = self.write()?;
        let ended = end_all(&txn, user, except)?;
        txn.commit()?;
        self.accounts.send_replace(());
        Ok(ended)
    }

    /// Keeps an API key.
    pub fn add_api_key(&self, key: &ApiKey) -> Result<(), StoreError> {
        let txn = self.write()?;
        txn.open_table(API_KEYS)?
            .insert(key.id.as_str(), encode(key)?.as_slice())?;
        txn.commit()?;
        Ok(())
    }

    /// All API keys, the newest first.
    pub fn api_keys(&self) -> Result<Vec<ApiKey>, StoreError> {
        let mut keys: Vec<ApiKey> = self.all(API_KEYS)?;
        keys.sort_by_key(|key| std::cmp::Reverse(key.created_at));
        Ok(keys)
    }

    /// Takes an API key back; `false` when there is none.
    pub fn remove_api_key(&self, id: &str) -> Result<bool, StoreError> {
        self.forget(API_KEYS, id)
    }

    /// Keeps an invitation; one of the same name before it is good no more.
    pub fn add_invitation(&self, invitation: &Invitation) -> Result<(), StoreError> {
        let txn = self.write()?;
        {
            let mut table = txn.open_table(INVITATIONS)?;
            table.retain(|_, value| {
                decode::<Invitation>(value).is_ok_and(|other| {
                    other.name != invitation.name && other.expires_at > invitation.created_at
                })
            })?;
            table.insert(invitation.hash.as_str(), encode(invitation)?.as_slice())?;
        }
        txn.commit()?;
        Ok(())
    }

    /// Invitations that are good still, the newest first.
    pub fn invitations(&self, now: Timestamp) -> Result<Vec<Invitation>, StoreError> {
        let mut invitations: Vec<Invitation> = self.all(INVITATIONS)?;
        invitations.retain(|invitation| now < invitation.expires_at);
        invitations.sort_by_key(|invitation| std::cmp::Reverse(invitation.created_at));
        Ok(invitations)
    }

    /// Takes an invitation back; `false` when there is none of this name.
    pub fn remove_invitation(&self, name: &str) -> Result<bool, StoreError> {
        let found = self.all::<Invitation>(INVITATIONS)?;
        match found.iter().find(|invitation| invitation.name == name) {
            Some(invitation) => self.forget(INVITATIONS, &invitation.hash),
            None => Ok(false),
        }
    }

    /// Makes the account of an invitation, once.
    pub fn accept_invitation(
        &self,
        hash: &str,
        password_hash: String,
        now: Timestamp,
    ) -> Result<Invited, StoreError> {
        let txn = self.write()?;
        let made = {
            let mut table = txn.open_table(INVITATIONS)?;
            let invitation = table
                .remove(hash)?
                .map(|value| decode::<Invitation>(value.value()))
                .transpose()?
                .filter(|invitation| now < invitation.expires_at);
            let mut users = txn.open_table(schema::USERS)?;
            match invitation {
                None => Invited::Gone,
                Some(invitation) if users.get(invitation.name.as_str())?.is_some() => {
                    Invited::Taken
                }
                Some(invitation) => {
                    let user = User {
                        reach: invitation.reach,
                        ..User::new(invitation.name, invitation.role, password_hash, now)
                    };
                    users.insert(user.name.as_str(), encode(&user)?.as_slice())?;
                    Invited::Made(Box::new(user))
                }
            }
        };
        txn.commit()?;
        Ok(made)
    }

    /// The keys that tokens are signed with, the newest first.
    pub fn token_keys(&self) -> Result<Vec<TokenKey>, StoreError> {
        let mut keys: Vec<TokenKey> = self.all(TOKEN_KEYS)?;
        keys.sort_by_key(|key| std::cmp::Reverse(key.created_at));
        Ok(keys)
    }

    /// Adds a key and forgets those made before `keep_from`.
    pub fn add_token_key(&self, key: &TokenKey, keep_from: Timestamp) -> Result<(), StoreError> {
        let txn = self.write()?;
        {
            let mut table = txn.open_table(TOKEN_KEYS)?;
            table.retain(|_, value| {
                decode::<TokenKey>(value).is_ok_and(|other| other.created_at >= keep_from)
            })?;
            table.insert(key.id.as_str(), encode(key)?.as_slice())?;
        }
        txn.commit()?;
        Ok(())
    }

    fn all<R: super::record::Record>(&self, table: Table) -> Result<Vec<R>, StoreError> {
        let txn = self.read()?;
        let table = txn.open_table(table)?;
        table
            .iter()?
            .map(|entry| decode(entry?.1.value()))
            .collect()
    }

    fn forget(&self, table: Table, key: &str) -> Result<bool, StoreError> {
        let txn = self.write()?;
        let known = txn.open_table(table)?.remove(key)?.is_some();
        txn.commit()?;
        self.accounts.send_replace(());
        Ok(known)
    }
}

/// Ends the sessions of an account within a transaction; returns how many.
pub(super) fn end_all(
    txn: &redb::WriteTransaction,
    user: &str,
    except: Option<&str>,
) -> Result<u64, StoreError> {
    let mut table = txn.open_table(SESSIONS)?;
    let mut ended = 0;
    for session in of_user(&table, user)? {
        if except != Some(session.id.as_str()) {
            table.remove(session.id.as_str())?;
            ended += 1;
        }
    }
    Ok(ended)
}

/// The keys of an account that is removed go with it.
pub(super) fn remove_keys(txn: &redb::WriteTransaction, user: &str) -> Result<(), StoreError> {
    txn.open_table(API_KEYS)?
        .retain(|_, value| decode::<ApiKey>(value).is_ok_and(|key| key.user != user))?;
    Ok(())
}

fn of_user(
    table: &impl ReadableTable<&'static str, &'static [u8]>,
    user: &str,
) -> Result<Vec<Session>, StoreError> {
    let mut sessions = Vec::new();
    for entry in table.iter()? {
        let session: Session = decode(entry?.1.value())?;
        if session.user == user {
            sessions.push(session);
        }
    }
    Ok(sessions)
}

fn holder(txn: &redb::ReadTransaction, name: &str) -> Result<Option<Holder>, StoreError> {
    let user = txn
        .open_table(schema::USERS)?
        .get(name)?
        .map(|value| decode::<User>(value.value()))
        .transpose()?
        .filter(|user| !user.disabled);
    let Some(user) = user else {
        return Ok(None);
    };
    let sight = match &user.reach {
        Reach::All => Sight::All,
        reach => Sight::of(
            reach,
            &super::employees::read_all(&txn.open_table(schema::EMPLOYEES)?)?,
        ),
    };
    Ok(Some(Holder {
        user,
        sight,
        session: None,
        key: None,
    }))
}
