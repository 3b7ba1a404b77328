//! Invitations: a link by which somebody makes their own account, once.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use poem::Request;
use poem::web::Data;
use poem::web::cookie::CookieJar;
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::types::Password;
use poem_openapi::{Object, OpenApi};

use super::account_view::{ReachView, RoleView};
use super::audited;
use super::auth::{Accounts, Who};
use super::error::ApiError;
use super::sessions::{Done, LoginView, begin, hashed, keep, login_view};
use super::trace::Trace;
use crate::accounts::secrets;
use crate::app::Parts;
use crate::domain::Role;
use crate::domain::session::{Invitation, SignedInBy};
use crate::domain::user::validate_user_name;
use crate::store::Invited;

/// An invitation is good for so long.
const GOOD: SignedDuration = SignedDuration::from_hours(24 * 7);

pub(super) struct InvitationsApi;

/// Whom to invite.
#[derive(Object)]
struct InvitationRequest {
    /// Name of the account to be.
    name: String,
    role: RoleView,
    #[oai(default)]
    reach: ReachView,
}

/// Somebody who is invited.
#[derive(Object)]
struct InvitationView {
    name: String,
    role: RoleView,
    reach: ReachView,
    /// Who invites.
    author: String,
    /// RFC 3339.
    created_at: String,
    /// RFC 3339.
    expires_at: String,
}

#[derive(Object)]
struct MadeInvitationView {
    invitation: InvitationView,
    /// End of the link `…/#/invitation/TOKEN`; shown this once.
    token: String,
}

#[derive(Object)]
struct InvitationsView {
    /// The newest first.
    items: Vec<InvitationView>,
}

/// An invitation as the invited has it.
#[derive(Object)]
struct InvitedRequest {
    token: Password,
}

#[derive(Object)]
struct AcceptRequest {
    token: Password,
    /// The password of the account.
    password: Password,
}

impl From<&Invitation> for InvitationView {
    fn from(invitation: &Invitation) -> Self {
        Self {
            name: invitation.name.clone(),
            role: invitation.role.into(),
            reach: ReachView::of(&invitation.reach),
            author: invitation.author.clone(),
            created_at: invitation.created_at.to_string(),
            expires_at: invitation.expires_at.to_string(),
        }
    }
}

#[OpenApi]
impl InvitationsApi {
    /// Invitations that are good still.
    #[oai(path = "/invitations", method = "get", operation_id = "invitations")]
    async fn invitations(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        _who: Who<Accounts>,
    ) -> Result<Json<InvitationsView>, ApiError> {
        let found = parts
            .store
            .run(|store| store.invitations(Timestamp::now()))
            .await?;
        Ok(Json(InvitationsView {
            items: found.iter().map(InvitationView::from).collect(),
        }))
    }

    /// Invite somebody: the link is good for seven days, once. An earlier one of the same
    /// name is good no more.
    #[oai(path = "/invitations", method = "post", operation_id = "invite")]
    async fn invite(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        who: Who<Accounts>,
        request: Json<InvitationRequest>,
    ) -> Result<Json<MadeInvitationView>, ApiError> {
        let InvitationRequest { name, role, reach } = request.0;
        who.trace().subject(&name);
        validate_user_name(&name).map_err(|text| ApiError::bad_request("bad_user_name", text))?;
        let role = Role::from(role);
        let reach = reach.read(role)?;
        let (token, now) = (secrets::token()?, Timestamp::now());
        let invitation = Invitation {
            hash: secrets::fingerprint(&token),
            name,
            role,
            reach,
            author: who.user().name.clone(),
            created_at: now,
            expires_at: now + GOOD,
        };
        let view = InvitationView::from(&invitation);
        let added = parts
            .store
            .run(move |store| {
                if store.user(&invitation.name)?.is_some() {
                    return Ok(false);
                }
                store.add_invitation(&invitation)?;
                Ok(true)
            })
            .await?;
        if !added {
            return Err(ApiError::conflict(
                "user_exists",
                "There is an account of this name already.",
            ));
        }
        Ok(Json(MadeInvitationView {
            invitation: view,
            token,
        }))
    }

    /// Take an invitation back.
    #[oai(
        path = "/invitations/:name",
        method = "delete",
        operation_id = "removeInvitation"
    )]
    async fn remove(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        who: Who<Accounts>,
        name: Path<String>,
    ) -> Result<Done, ApiError> {
        who.trace().subject(&name.0);
        let known = parts
            .store
            .run(move |store| store.remove_invitation(&name.0))
            .await?;
        if known {
            Ok(Done::Done)
        } else {
            Err(no_such_invitation())
        }
    }

    /// What an invitation is for. Public: the token is the proof.
    #[oai(
        path = "/auth/invitation",
        method = "post",
        operation_id = "lookAtInvitation"
    )]
    async fn look(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        request: Json<InvitedRequest>,
    ) -> Result<Json<InvitationView>, ApiError> {
        let invitation = invitation(parts, &request.0.token).await?;
        Ok(Json(InvitationView::from(&invitation)))
    }

    /// Make the account of an invitation and sign in. Public: the token is the proof.
    #[oai(
        path = "/auth/invitation/accept",
        method = "post",
        operation_id = "acceptInvitation"
    )]
    async fn accept(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        request: &Request,
        cookies: &CookieJar,
        body: Json<AcceptRequest>,
    ) -> Result<Json<LoginView>, ApiError> {
        let trace = Trace::of(request).ok_or_else(|| ApiError::internal(&"no trace"))?;
        let AcceptRequest { token, password } = body.0;
        let known = invitation(parts, &token).await?;
        trace.person(&known.name);
        let hash = hashed(parts, password.to_string(), &known.name).await?;
        audited::begin(parts, &trace, request.method(), request.uri().path()).await?;
        let made = parts
            .store
            .run(move |store| store.accept_invitation(&known.hash, hash, Timestamp::now()))
            .await?;
        let user = match made {
            Invited::Made(user) => user,
            Invited::Gone => return Err(no_such_invitation()),
            Invited::Taken => {
                return Err(ApiError::conflict(
                    "user_exists",
                    "There is an account of this name already.",
                ));
            }
        };
        let renewal = begin(parts, &user, &trace, SignedInBy::Invitation).await?;
        keep(cookies, &renewal, trace.peer.secure);
        Ok(Json(login_view(parts, renewal)))
    }
}

async fn invitation(parts: &Arc<Parts>, token: &str) -> Result<Invitation, ApiError> {
    let hash = secrets::fingerprint(token);
    parts
        .store
        .run(|store| store.invitations(Timestamp::now()))
        .await?
        .into_iter()
        .find(|invitation| secrets::same(&invitation.hash, &hash))
        .ok_or_else(no_such_invitation)
}

fn no_such_invitation() -> ApiError {
    ApiError::missing(
        "no_such_invitation",
        "The invitation is not good any more: ask for another one.",
    )
}
