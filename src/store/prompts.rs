//! Instructions for the language model: versions, of which one a purpose is in use.

use jiff::Timestamp;
use redb::{ReadableTable, TableDefinition, WriteTransaction};

use super::calls::{get, put};
use super::record::{decode, encode};
use super::{Store, StoreError};
use crate::domain::egress::Purpose;
use crate::domain::prompt::Prompt;

/// Prompt's id → its newest version.
pub(super) const PROMPTS: TableDefinition<'static, &'static str, &'static [u8]> =
    TableDefinition::new("prompts");
/// (prompt's id, version) → an earlier version.
pub(super) const PROMPT_VERSIONS: TableDefinition<'static, (&'static str, u32), &'static [u8]> =
    TableDefinition::new("prompt_versions");

/// A change of a prompt; what is `None` stays.
#[derive(Debug, Clone, Default)]
pub struct PromptChange {
    /// Its name.
    pub name: Option<String>,
    /// Its text.
    pub content: Option<String>,
    /// Whether it is in use.
    pub is_active: Option<bool>,
    /// The version that the person has seen.
    pub seen: Option<u32>,
}

impl Store {
    /// All prompts, by name.
    pub fn prompts(&self) -> Result<Vec<Prompt>, StoreError> {
        let txn = self.read()?;
        let table = txn.open_table(PROMPTS)?;
        let mut prompts: Vec<Prompt> = table
            .iter()?
            .map(|row| decode(row?.1.value()))
            .collect::<Result<_, _>>()?;
        prompts.sort_by(|a, b| a.name.cmp(&b.name).then_with(|| a.id.cmp(&b.id)));
        Ok(prompts)
    }

    /// The prompt in use for a purpose.
    pub fn active_prompt(&self, purpose: Purpose) -> Result<Option<Prompt>, StoreError> {
        let mut prompts = self.prompts()?.into_iter();
        Ok(prompts.find(|prompt| prompt.is_active && prompt.purpose == purpose))
    }

    /// All versions of a prompt, the newest first; none where there is no such prompt.
    pub fn prompt_versions(&self, id: &str) -> Result<Vec<Prompt>, StoreError> {
        let newest: Option<Prompt> = self.read_one(PROMPTS, id)?;
        let mut versions: Vec<Prompt> = newest.into_iter().collect();
        let txn = self.read()?;
        let table = txn.open_table(PROMPT_VERSIONS)?;
        for row in table.range((id, 0)..=(id, u32::MAX))?.rev() {
            versions.push(decode(row?.1.value())?);
        }
        Ok(versions)
    }

    /// Keeps a new prompt. One that is active ends the use of the one before.
    pub fn add_prompt(&self, prompt: &Prompt) -> Result<(), StoreError> {
        let txn = self.write()?;
        if prompt.is_active {
            retire(&txn, prompt.purpose)?;
        }
        put(&txn, PROMPTS, &prompt.id, prompt)?;
        txn.commit()?;
        Ok(())
    }

    /// Changes a prompt. A new text or name is a new version, and the one before is kept.
    ///
    /// # Errors
    /// [`StoreError::NoSuchPrompt`], and [`StoreError::StalePrompt`] where somebody
    /// changed it after the person looked.
    pub fn change_prompt(
        &self,
        id: &str,
        change: PromptChange,
        author: &str,
        now: Timestamp,
    ) -> Result<Prompt, StoreError> {
        let txn = self.write()?;
        let before: Prompt = get(&txn, PROMPTS, id)?.ok_or(StoreError::NoSuchPrompt)?;
        if change.seen.is_some_and(|seen| seen != before.version) {
            return Err(StoreError::StalePrompt);
        }
        let mut prompt = before.clone();
        prompt.name = change.name.unwrap_or(prompt.name);
        prompt.content = change.content.unwrap_or(prompt.content);
        if (&prompt.name, &prompt.content) != (&before.name, &before.content) {
            txn.open_table(PROMPT_VERSIONS)?
                .insert((id, before.version), encode(&before)?.as_slice())?;
            prompt.version += 1;
            prompt.changed_at = now;
            prompt.author = author.to_owned();
        }
        if let Some(active) = change.is_active {
            if active {
                retire(&txn, prompt.purpose)?;
            }
            prompt.is_active = active;
        }
        put(&txn, PROMPTS, id, &prompt)?;
        txn.commit()?;
        Ok(prompt)
    }

    /// Removes a prompt with its versions. Scores that were made with it keep its name.
    ///
    /// # Errors
    /// [`StoreError::NoSuchPrompt`].
    pub fn remove_prompt(&self, id: &str) -> Result<(), StoreError> {
        let txn = self.write()?;
        let known = txn.open_table(PROMPTS)?.remove(id)?.is_some();
        txn.open_table(PROMPT_VERSIONS)?
            .retain_in((id, 0)..=(id, u32::MAX), |_, _| false)?;
        txn.commit()?;
        known.then_some(()).ok_or(StoreError::NoSuchPrompt)
    }
}

/// No prompt of a purpose is in use.
fn retire(txn: &WriteTransaction, purpose: Purpose) -> Result<(), StoreError> {
    let active: Vec<Prompt> = {
        let table = txn.open_table(PROMPTS)?;
        let all = table.iter()?.map(|row| decode::<Prompt>(row?.1.value()));
        let all = all.collect::<Result<Vec<_>, StoreError>>()?;
        all.into_iter()
            .filter(|prompt| prompt.is_active && prompt.purpose == purpose)
            .collect()
    };
    for prompt in active {
        let retired = Prompt {
            is_active: false,
            ..prompt
        };
        put(txn, PROMPTS, &retired.id, &retired)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prompt(id: &str, purpose: Purpose) -> Prompt {
        Prompt {
            id: id.to_owned(),
            version: 1,
            purpose,
            name: format!("name {id}"),
            content: "content".to_owned(),
            is_active: true,
            created_at: Timestamp::UNIX_EPOCH,
            changed_at: Timestamp::UNIX_EPOCH,
            author: "a".to_owned(),
        }
    }

    #[test]
    fn one_a_purpose_is_in_use() {
        let dir = tempfile::tempdir().expect("dir");
        let store = Store::open(dir.path()).expect("store");
        for (id, purpose) in [
            ("1", Purpose::Score),
            ("2", Purpose::Score),
            ("3", Purpose::Summary),
        ] {
            store.add_prompt(&prompt(id, purpose)).expect("added");
        }
        let active = |purpose| {
            let prompt = store.active_prompt(purpose).expect("read");
            prompt.map(|prompt| prompt.id)
        };
        assert_eq!(active(Purpose::Score).as_deref(), Some("2"));
        assert_eq!(active(Purpose::Summary).as_deref(), Some("3"));
        assert_eq!(active(Purpose::Question), None);
        let change = PromptChange {
            is_active: Some(true),
            ..PromptChange::default()
        };
        let first = store
            .change_prompt("1", change, "b", Timestamp::now())
            .expect("changed");
        // Being in use is no new text.
        assert_eq!((first.version, first.author.as_str()), (1, "a"));
        assert_eq!(active(Purpose::Score).as_deref(), Some("1"));
        store.remove_prompt("1").expect("removed");
        assert_eq!(active(Purpose::Score), None);
    }

    #[test]
    fn no_version_is_lost_or_overwritten_unseen() {
        let dir = tempfile::tempdir().expect("dir");
        let store = Store::open(dir.path()).expect("store");
        store
            .add_prompt(&prompt("1", Purpose::Score))
            .expect("added");
        let change = |content: &str, seen| PromptChange {
            content: Some(content.to_owned()),
            seen: Some(seen),
            ..PromptChange::default()
        };
        let now = Timestamp::now();
        let second = store
            .change_prompt("1", change("new", 1), "b", now)
            .expect("changed");
        assert_eq!((second.version, second.changed_at), (2, now));
        let refused = store.change_prompt("1", change("other", 1), "c", now);
        assert!(matches!(refused, Err(StoreError::StalePrompt)));
        let texts: Vec<_> = store
            .prompt_versions("1")
            .expect("versions")
            .into_iter()
            .map(|prompt| (prompt.version, prompt.content))
            .collect();
        assert_eq!(texts, [(2, "new".to_owned()), (1, "content".to_owned())]);
    }
}
