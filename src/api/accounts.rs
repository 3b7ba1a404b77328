//! Other people's accounts, as an administrator sees them, and the teams they can be for.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use poem::web::Data;
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::types::Password;
use poem_openapi::{Object, OpenApi};

use super::account_view::{ReachView, RoleView};
use super::auth::{Accounts, Who};
use super::error::ApiError;
use super::sessions::{Done, SessionsView, hashed, sessions_of};
use crate::accounts;
use crate::app::Parts;
use crate::domain::user::validate_user_name;
use crate::domain::{Role, User};
use crate::store::StoreError;

pub(super) struct AccountsApi;

/// An account.
#[derive(Object)]
struct AccountView {
    name: String,
    role: RoleView,
    reach: ReachView,
    /// Cannot sign in.
    disabled: bool,
    /// The password is for the next sign-in only.
    must_change_password: bool,
    second_factor: bool,
    /// Recovery codes that are left.
    recovery_codes: u32,
    /// Signs in at the identity provider.
    at_provider: bool,
    /// RFC 3339.
    created_at: String,
    /// Last seen with a session that goes on, RFC 3339.
    seen_at: Option<String>,
    /// Sessions that go on.
    sessions: u32,
}

#[derive(Object)]
struct AccountsView {
    /// By name.
    items: Vec<AccountView>,
}

/// A new account.
#[derive(Object)]
struct AccountRequest {
    /// Name to sign in with; stays.
    name: String,
    role: RoleView,
    #[oai(default)]
    reach: ReachView,
    /// For the first sign-in only; one is made when it is left out.
    password: Option<Password>,
}

/// An account with the password that was made for it.
#[derive(Object)]
struct MadeAccountView {
    account: AccountView,
    /// For the first sign-in only, shown this once; null where one was given.
    password: Option<String>,
}

/// What shall change; what is left out stays.
#[derive(Object)]
struct AccountPatch {
    role: Option<RoleView>,
    reach: Option<ReachView>,
    disabled: Option<bool>,
}

/// A password for the next sign-in.
#[derive(Object)]
struct TemporaryPasswordView {
    /// Shown this once.
    password: String,
}

#[derive(Object)]
struct TeamView {
    name: String,
    /// Employees in it.
    employees: u32,
    /// Accounts that are for it.
    accounts: u32,
}

#[derive(Object)]
struct TeamsView {
    /// By name.
    items: Vec<TeamView>,
}

#[OpenApi]
impl AccountsApi {
    /// All accounts.
    #[oai(path = "/accounts", method = "get", operation_id = "accounts")]
    async fn accounts(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        _who: Who<Accounts>,
    ) -> Result<Json<AccountsView>, ApiError> {
        let now = Timestamp::now();
        let items = parts
            .store
            .run(move |store| {
                let users = store.users()?;
                users
                    .iter()
                    .map(|user| AccountView::new(store, user, now))
                    .collect::<Result<_, _>>()
            })
            .await?;
        Ok(Json(AccountsView { items }))
    }

    /// Make an account; its owner chooses another password at the first sign-in.
    #[oai(path = "/accounts", method = "post", operation_id = "addAccount")]
    async fn add(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        who: Who<Accounts>,
        request: Json<AccountRequest>,
    ) -> Result<Json<MadeAccountView>, ApiError> {
        let AccountRequest {
            name,
            role,
            reach,
            password,
        } = request.0;
        who.trace().subject(&name);
        validate_user_name(&name).map_err(|text| ApiError::bad_request("bad_user_name", text))?;
        let role = Role::from(role);
        let reach = reach.read(role)?;
        let made = match &password {
            Some(_) => None,
            None => Some(accounts::random_password()?),
        };
        let text = made
            .clone()
            .or(password.map(|given| given.to_string()))
            .unwrap_or_default();
        let hash = hashed(parts, text, &name).await?;
        let now = Timestamp::now();
        let user = User {
            reach,
            must_change_password: true,
            ..User::new(name, role, hash, now)
        };
        let account = parts
            .store
            .run(move |store| {
                if !store.add_user(&user)? {
                    return Ok(None);
                }
                AccountView::new(store, &user, now).map(Some)
            })
            .await?
            .ok_or_else(|| {
                ApiError::conflict("user_exists", "There is an account of this name already.")
            })?;
        Ok(Json(MadeAccountView {
            account,
            password: made,
        }))
    }

    /// Change role, calls, or whether somebody can sign in. Works at once.
    #[oai(
        path = "/accounts/:name",
        method = "patch",
        operation_id = "changeAccount"
    )]
    async fn change(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        who: Who<Accounts>,
        name: Path<String>,
        request: Json<AccountPatch>,
    ) -> Result<Json<AccountView>, ApiError> {
        let name = name.0;
        who.trace().subject(&name);
        let AccountPatch {
            role,
            reach,
            disabled,
        } = request.0;
        let wanted = name.clone();
        let known = parts
            .store
            .run(move |store| store.user(&wanted))
            .await?
            .ok_or_else(no_such_user)?;
        let role = role.map_or(known.role, Role::from);
        let reach = match reach {
            Some(reach) => reach.read(role)?,
            None => known
                .reach
                .tidy(role)
                .map_err(|text| ApiError::bad_request("bad_reach", text))?,
        };
        if name == who.user().name && disabled == Some(true) {
            return Err(ApiError::conflict(
                "own_account",
                "Nobody can shut out themselves: another administrator can.",
            ));
        }
        let view = parts
            .store
            .run(move |store| {
                let user = store.change_user(&name, None, |user| {
                    user.role = role;
                    user.reach = reach;
                    user.disabled = disabled.unwrap_or(user.disabled);
                })?;
                AccountView::new(store, &user, Timestamp::now())
            })
            .await
            .map_err(of_account)?;
        Ok(Json(view))
    }

    /// Remove an account with its sessions and API keys. What the person said stays.
    #[oai(
        path = "/accounts/:name",
        method = "delete",
        operation_id = "removeAccount"
    )]
    async fn remove(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        who: Who<Accounts>,
        name: Path<String>,
    ) -> Result<Done, ApiError> {
        who.trace().subject(&name.0);
        if name.0 == who.user().name {
            return Err(ApiError::conflict(
                "own_account",
                "Nobody can remove themselves: another administrator can.",
            ));
        }
        parts
            .store
            .run(move |store| store.remove_user(&name.0))
            .await
            .map_err(of_account)?;
        Ok(Done::Done)
    }

    /// A new password for the next sign-in; the account's sessions end.
    #[oai(
        path = "/accounts/:name/password",
        method = "post",
        operation_id = "resetPassword"
    )]
    async fn reset_password(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        who: Who<Accounts>,
        name: Path<String>,
    ) -> Result<Json<TemporaryPasswordView>, ApiError> {
        who.trace().subject(&name.0);
        let password = accounts::random_password()?;
        let hash = parts.hash_password(password.clone()).await?;
        parts
            .store
            .run(move |store| accounts::set_password_hash(store, &name.0, hash, true, None))
            .await
            .map_err(of_account)?;
        Ok(Json(TemporaryPasswordView { password }))
    }

    /// Take the second factor away: its owner has neither authenticator nor codes.
    #[oai(
        path = "/accounts/:name/second-factor",
        method = "delete",
        operation_id = "resetSecondFactor"
    )]
    async fn reset_factor(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        who: Who<Accounts>,
        name: Path<String>,
    ) -> Result<Done, ApiError> {
        who.trace().subject(&name.0);
        parts
            .store
            .run(move |store| {
                store.change_user(&name.0, None, |user| {
                    user.second_factor = None;
                    user.pending_factor = None;
                })
            })
            .await
            .map_err(of_account)?;
        Ok(Done::Done)
    }

    /// Sessions of an account.
    #[oai(
        path = "/accounts/:name/sessions",
        method = "get",
        operation_id = "accountSessions"
    )]
    async fn sessions(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        who: Who<Accounts>,
        name: Path<String>,
    ) -> Result<Json<SessionsView>, ApiError> {
        exists(parts, &name.0).await?;
        let current = who.session().map(|session| session.id.clone());
        sessions_of(parts, name.0, current).await
    }

    /// End all sessions of an account, at once.
    #[oai(
        path = "/accounts/:name/sessions",
        method = "delete",
        operation_id = "endAccountSessions"
    )]
    async fn end_sessions(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        who: Who<Accounts>,
        name: Path<String>,
    ) -> Result<Done, ApiError> {
        who.trace().subject(&name.0);
        exists(parts, &name.0).await?;
        parts
            .store
            .run(move |store| store.end_sessions(&name.0, None))
            .await?;
        Ok(Done::Done)
    }

    /// Sign tokens with another key: every access token is made anew from its session.
    #[oai(
        path = "/token-keys",
        method = "post",
        operation_id = "replaceTokenKey"
    )]
    async fn replace_key(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        _who: Who<Accounts>,
    ) -> Result<Done, ApiError> {
        let shared = Arc::clone(parts);
        parts
            .store
            .run(move |_| shared.tokens.replace(Timestamp::now()))
            .await?;
        Ok(Done::Done)
    }

    /// Teams of the directory, and those that accounts are for.
    #[oai(path = "/teams", method = "get", operation_id = "teams")]
    async fn teams(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        _who: Who<Accounts>,
    ) -> Result<Json<TeamsView>, ApiError> {
        let (directory, users) = parts
            .store
            .run(|store| Ok((store.directory()?, store.users()?)))
            .await?;
        let mut teams: BTreeMap<String, (u32, u32)> = BTreeMap::new();
        for employee in directory.employees() {
            if let Some(team) = &employee.team {
                teams.entry(team.clone()).or_default().0 += 1;
            }
        }
        for user in &users {
            if let crate::domain::user::Reach::Teams(names) = &user.reach {
                for team in names {
                    teams.entry(team.clone()).or_default().1 += 1;
                }
            }
        }
        let view = |(name, (employees, accounts))| TeamView {
            name,
            employees,
            accounts,
        };
        Ok(Json(TeamsView {
            items: teams.into_iter().map(view).collect(),
        }))
    }
}

impl AccountView {
    fn new(store: &crate::store::Store, user: &User, now: Timestamp) -> Result<Self, StoreError> {
        let sessions = store.sessions(&user.name, now)?;
        let factor = user.second_factor.as_ref();
        Ok(Self {
            name: user.name.clone(),
            role: user.role.into(),
            reach: ReachView::of(&user.reach),
            disabled: user.disabled,
            must_change_password: user.must_change_password,
            second_factor: factor.is_some(),
            recovery_codes: factor.map_or(0, |factor| factor.recovery.len() as u32),
            at_provider: user.identity.is_some(),
            created_at: user.created_at.to_string(),
            seen_at: sessions.first().map(|session| session.seen_at.to_string()),
            sessions: sessions.len() as u32,
        })
    }
}

async fn exists(parts: &Arc<Parts>, name: &str) -> Result<User, ApiError> {
    let name = name.to_owned();
    parts
        .store
        .run(move |store| store.user(&name))
        .await?
        .ok_or_else(no_such_user)
}

fn no_such_user() -> ApiError {
    ApiError::missing("no_such_user", "There is no such account.")
}

fn of_account(error: StoreError) -> ApiError {
    match error {
        StoreError::NotFound => no_such_user(),
        other => other.into(),
    }
}
