//! Accounts.

use redb::{ReadableTable, ReadableTableMetadata};

use super::record::{decode, encode};
use super::{Store, StoreError, schema};
use crate::domain::User;

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

    /// Changes an account within one transaction.
    pub fn change_user(
        &self,
        name: &str,
        change: impl FnOnce(&mut User),
    ) -> Result<User, StoreError> {
        let txn = self.write()?;
        let user = {
            let mut users = txn.open_table(schema::USERS)?;
            let mut user: User = users
                .get(name)?
                .map(|value| decode(value.value()))
                .transpose()?
                .ok_or(StoreError::NotFound)?;
            change(&mut user);
            users.insert(name, encode(&user)?.as_slice())?;
            user
        };
        txn.commit()?;
        Ok(user)
    }

    /// Removes an account.
    pub fn remove_user(&self, name: &str) -> Result<(), StoreError> {
        let txn = self.write()?;
        let removed = txn.open_table(schema::USERS)?.remove(name)?.is_some();
        if !removed {
            return Err(StoreError::NotFound);
        }
        txn.commit()?;
        Ok(())
    }
}
