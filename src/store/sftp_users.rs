//! Senders of files over SFTP.

use redb::{ReadableTable, ReadableTableMetadata};

use super::record::{decode, encode};
use super::{Store, StoreError, schema};
use crate::domain::SftpUser;

/// Mark that the first sender was made: one who was removed does not come back.
const FIRST_MADE: &str = "sftp_first_user_made";

impl Store {
    /// The sender with this name.
    pub fn sftp_user(&self, name: &str) -> Result<Option<SftpUser>, StoreError> {
        let txn = self.read()?;
        let users = txn.open_table(schema::SFTP_USERS)?;
        users
            .get(name)?
            .map(|value| decode(value.value()))
            .transpose()
    }

    /// All senders by name.
    pub fn sftp_users(&self) -> Result<Vec<SftpUser>, StoreError> {
        let txn = self.read()?;
        let users = txn.open_table(schema::SFTP_USERS)?;
        let mut all = Vec::new();
        for entry in users.iter()? {
            all.push(decode(entry?.1.value())?);
        }
        Ok(all)
    }

    /// Adds a sender; `false` when the name is taken.
    pub fn add_sftp_user(&self, user: &SftpUser) -> Result<bool, StoreError> {
        let txn = self.write()?;
        let added = {
            let mut users = txn.open_table(schema::SFTP_USERS)?;
            let free = users.get(user.name.as_str())?.is_none();
            if free {
                users.insert(user.name.as_str(), encode(user)?.as_slice())?;
            }
            free
        };
        txn.commit()?;
        Ok(added)
    }

    /// Adds a sender only where there never was one; `false` otherwise.
    pub fn add_first_sftp_user(&self, user: &SftpUser) -> Result<bool, StoreError> {
        let txn = self.write()?;
        let added = {
            let first = txn
                .open_table(schema::META)?
                .insert(FIRST_MADE, [1].as_slice())?
                .is_none();
            let mut users = txn.open_table(schema::SFTP_USERS)?;
            let empty = first && users.is_empty()?;
            if empty {
                users.insert(user.name.as_str(), encode(user)?.as_slice())?;
            }
            empty
        };
        txn.commit()?;
        Ok(added)
    }

    /// Changes a sender within one transaction.
    pub fn change_sftp_user(
        &self,
        name: &str,
        change: impl FnOnce(&mut SftpUser),
    ) -> Result<SftpUser, StoreError> {
        let txn = self.write()?;
        let user = {
            let mut users = txn.open_table(schema::SFTP_USERS)?;
            let mut user: SftpUser = users
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

    /// Removes a sender.
    pub fn remove_sftp_user(&self, name: &str) -> Result<(), StoreError> {
        let txn = self.write()?;
        let removed = txn.open_table(schema::SFTP_USERS)?.remove(name)?.is_some();
        if !removed {
            return Err(StoreError::NotFound);
        }
        txn.commit()?;
        Ok(())
    }
}
