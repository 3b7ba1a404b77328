//! Whose account somebody gets who signed in at an identity provider.

use jiff::Timestamp;

use crate::domain::user::{Reach, validate_user_name};
use crate::domain::{Role, User};
use crate::store::{Store, StoreError};

/// What the provider says of somebody.
#[derive(Debug, Clone)]
pub struct Known {
    /// Issuer, a space, subject: who it is, for ever.
    pub identity: String,
    /// What their account is called.
    pub name: String,
    /// What they may do, where the provider says so or an account is made.
    pub role: Option<Role>,
    /// What they see, in the same cases.
    pub reach: Option<Reach>,
    /// The provider's word on role and reach holds for accounts that there are as well.
    pub follows: bool,
    /// Whether an account is made where there is none.
    pub create: bool,
}

/// Why nobody gets an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// There is none of this name, and none is made.
    NoAccount,
    /// It is somebody else's at the provider.
    Taken,
    /// It may not sign in.
    Disabled,
    /// The provider gives no role, or nothing that is seen with it.
    NoRole,
}

/// The account, made or brought up to date where needed.
pub fn admit(
    store: &Store,
    known: &Known,
    now: Timestamp,
) -> Result<Result<User, Refused>, StoreError> {
    let users = store.users()?;
    let own = users
        .iter()
        .find(|user| user.identity.as_ref() == Some(&known.identity));
    let user = match own.or_else(|| named(&users, &known.name)) {
        Some(user) => user,
        None => return make(store, known, now),
    };
    if user
        .identity
        .as_ref()
        .is_some_and(|identity| *identity != known.identity)
    {
        return Ok(Err(Refused::Taken));
    }
    if user.disabled {
        return Ok(Err(Refused::Disabled));
    }
    let wanted = match (known.follows, known.role, &known.reach) {
        (true, Some(role), Some(reach)) => Some((role, reach.clone())),
        (true, _, _) => return Ok(Err(Refused::NoRole)),
        (false, _, _) => None,
    };
    let same = wanted
        .as_ref()
        .is_none_or(|(role, reach)| *role == user.role && *reach == user.reach);
    if user.identity.is_some() && same {
        return Ok(Ok(user.clone()));
    }
    let change = |wanted: Option<(Role, Reach)>| {
        let mut bound = true;
        let changed = store.change_user(&user.name, None, |user| {
            // Somebody else may have been quicker.
            let identity = user.identity.get_or_insert_with(|| known.identity.clone());
            bound = *identity == known.identity;
            if let Some((role, reach)) = wanted.filter(|_| bound) {
                (user.role, user.reach) = (role, reach);
            }
        })?;
        Ok(if bound {
            Ok(changed)
        } else {
            Err(Refused::Taken)
        })
    };
    match change(wanted) {
        Err(StoreError::LastAdmin) => {
            tracing::warn!(
                user = user.name,
                "the provider gives another role to the last administrator, who keeps this one"
            );
            change(None)
        }
        other => other,
    }
}

/// By the very name; else the only one that differs by case alone.
fn named<'a>(users: &'a [User], name: &str) -> Option<&'a User> {
    if let Some(user) = users.iter().find(|user| user.name == name) {
        return Some(user);
    }
    let lower = name.to_lowercase();
    let mut alike = users
        .iter()
        .filter(|user| user.name.to_lowercase() == lower);
    alike.next().filter(|_| alike.next().is_none())
}

fn make(store: &Store, known: &Known, now: Timestamp) -> Result<Result<User, Refused>, StoreError> {
    if !known.create || validate_user_name(&known.name).is_err() {
        return Ok(Err(Refused::NoAccount));
    }
    let (Some(role), Some(reach)) = (known.role, known.reach.clone()) else {
        return Ok(Err(Refused::NoRole));
    };
    // Without a password: they sign in at the provider only.
    let user = User {
        reach,
        identity: Some(known.identity.clone()),
        ..User::new(known.name.clone(), role, String::new(), now)
    };
    if store.add_user(&user)? {
        tracing::info!(user = user.name, role = %role, "an account was made for somebody whom the provider knows");
        return Ok(Ok(user));
    }
    // Made a moment ago by another of their browsers, or by somebody else.
    let there = store.user(&user.name)?;
    Ok(there
        .filter(|there| there.identity == user.identity && !there.disabled)
        .ok_or(Refused::Taken))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(subject: &str, name: &str) -> Known {
        Known {
            identity: format!("https://id.test {subject}"),
            name: name.to_owned(),
            role: Some(Role::Viewer),
            reach: Some(Reach::Teams(vec!["Sales".to_owned()])),
            follows: false,
            create: false,
        }
    }

    #[test]
    fn an_account_belongs_to_whoever_came_first_with_its_name() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Store::open(dir.path()).expect("a store");
        let now = Timestamp::now();
        let admit = |known: &Known| admit(&store, known, now).expect("the store works");
        assert_eq!(admit(&known("1", "olga@b.test")), Err(Refused::NoAccount));
        let olga = User::new("Olga@b.test".to_owned(), Role::Admin, "h".to_owned(), now);
        assert!(store.add_user(&olga).expect("added"));
        let user = admit(&known("1", "olga@b.test")).expect("it is hers");
        assert_eq!(
            (user.name.as_str(), user.role),
            ("Olga@b.test", Role::Admin)
        );
        // Under another name at the provider she is the same; another person is not she.
        let renamed = admit(&known("1", "new@b.test")).expect("it is hers");
        assert_eq!(renamed.name, "Olga@b.test");
        assert_eq!(admit(&known("2", "Olga@b.test")), Err(Refused::Taken));
        // The last administrator stays one, whatever the provider says.
        let demoted = Known {
            follows: true,
            ..known("1", "olga@b.test")
        };
        assert_eq!(admit(&demoted).expect("she is let in").role, Role::Admin);
    }

    #[test]
    fn accounts_are_made_and_follow_the_provider_where_it_is_wished() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Store::open(dir.path()).expect("a store");
        let now = Timestamp::now();
        let admit = |known: &Known| admit(&store, known, now).expect("the store works");
        let new = Known {
            create: true,
            follows: true,
            ..known("1", "ivan")
        };
        let made = admit(&new).expect("it is made");
        assert_eq!(made.password_hash, "");
        assert_eq!(made.role, Role::Viewer);
        let risen = Known {
            role: Some(Role::Supervisor),
            ..new.clone()
        };
        assert_eq!(admit(&risen).expect("let in").role, Role::Supervisor);
        let without = Known {
            role: None,
            ..new.clone()
        };
        assert_eq!(admit(&without), Err(Refused::NoRole));
        let unnamed = Known {
            create: true,
            ..known("3", "a/b")
        };
        assert_eq!(admit(&unnamed), Err(Refused::NoAccount));
        store
            .add_user(&User::new("admin".into(), Role::Admin, "h".into(), now))
            .expect("added");
        store
            .change_user("ivan", None, |user| user.disabled = true)
            .expect("changed");
        assert_eq!(admit(&new), Err(Refused::Disabled));
    }
}
