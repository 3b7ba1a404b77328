//! Accounts.

use redb::{ReadableTable, ReadableTableMetadata};

use super::record::{decode, encode};
use super::{Store, StoreError, schema, sessions};
use crate::domain::{Role, User};

impl Store {
    /// The account with this name.
    pub fn user(&self, name: &str) -> Result<Option<User>, StoreError> {
        let txn = self.read()?;
        let users = txn.open_table(schema::USERS)?;
        users
            .get(name)?
            .map(|value| decode(value.value()))
            .transpose()
    }

    /// All accounts by name.
    pub fn users(&self) -> Result<Vec<User>, StoreError> {
        let txn = self.read()?;
        let users = txn.open_table(schema::USERS)?;
        let mut all = Vec::new();
        for entry in users.iter()? {
            all.push(decode(entry?.1.value())?);
        }
        Ok(all)
    }

    /// Adds an account; `false` when the name is taken.
    pub fn add_user(&self, user: &User) -> Result<bool, StoreError> {
        let txn = self.write()?;
        let added = {
            let mut users = txn.open_table(schema::USERS)?;
            let free = users.get(user.name.as_str())?.is_none();
            if free {
                users.insert(user.name.as_str(), encode(user)?.as_slice())?;
            }
            free
        };
        txn.commit()?;
        Ok(added)
    }

    /// Adds an account only where there is none at all; `false` otherwise.
    pub fn add_first_user(&self, user: &User) -> Result<bool, StoreError> {
        let txn = self.write()?;
        let added = {
            let mut users = txn.open_table(schema::USERS)?;
            let empty = users.is_empty()?;
            if empty {
                users.insert(user.name.as_str(), encode(user)?.as_slice())?;
            }
            empty
        };
        txn.commit()?;
        Ok(added)
    }

    /// Changes an account within one transaction. Where it cannot sign in any more, or its
    /// password is another one, its sessions end but for `keep`.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::LastAdmin`] when nobody could administer
    /// after it; nothing is changed then.
    pub fn change_user(
        &self,
        name: &str,
        keep: Option<&str>,
        change: impl FnOnce(&mut User),
    ) -> Result<User, StoreError> {
        let txn = self.write()?;
        let user = {
            let mut users = txn.open_table(schema::USERS)?;
            let before: User = users
                .get(name)?
                .map(|value| decode(value.value()))
                .transpose()?
                .ok_or(StoreError::NotFound)?;
            let mut user = before.clone();
            change(&mut user);
            if administers(&before) && !administers(&user) && !others_administer(&users, name)? {
                return Err(StoreError::LastAdmin);
            }
            users.insert(name, encode(&user)?.as_slice())?;
            if user.disabled || user.password_hash != before.password_hash {
                sessions::end_all(&txn, name, keep)?;
            }
            user
        };
        txn.commit()?;
        self.accounts.send_replace(());
        Ok(user)
    }

    /// Removes an account with its sessions and keys.
    ///
    /// # Errors
    /// As of [`Store::change_user`].
    pub fn remove_user(&self, name: &str) -> Result<(), StoreError> {
        let txn = self.write()?;
        {
            let mut users = txn.open_table(schema::USERS)?;
            let user: User = users
                .remove(name)?
                .map(|value| decode(value.value()))
                .transpose()?
                .ok_or(StoreError::NotFound)?;
            if administers(&user) && !others_administer(&users, name)? {
                return Err(StoreError::LastAdmin);
            }
        }
        sessions::end_all(&txn, name, None)?;
        sessions::remove_keys(&txn, name)?;
        txn.commit()?;
        self.accounts.send_replace(());
        Ok(())
    }
}

fn administers(user: &User) -> bool {
    user.role == Role::Admin && !user.disabled
}

fn others_administer(
    users: &impl ReadableTable<&'static str, &'static [u8]>,
    name: &str,
) -> Result<bool, StoreError> {
    for entry in users.iter()? {
        let user: User = decode(entry?.1.value())?;
        if user.name != name && administers(&user) {
            return Ok(true);
        }
    }
    Ok(false)
}
