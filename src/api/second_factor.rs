//! One's own second factor: a code of an authenticator after the password.

use std::sync::Arc;

use jiff::Timestamp;
use poem::web::Data;
use poem_openapi::payload::Json;
use poem_openapi::types::Password;
use poem_openapi::{Object, OpenApi};
use qrcodegen::{QrCode, QrCodeEcc};

use super::auth::{Profile, Who};
use super::error::ApiError;
use super::sessions::{Done, verified};
use crate::accounts::factor;
use crate::app::Parts;
use crate::domain::user::SecondFactor;

pub(super) struct SecondFactorApi;

/// One's own password, once more.
#[derive(Object)]
struct ProofRequest {
    password: Password,
}

#[derive(Object)]
struct CodeRequest {
    /// Six digits of the authenticator.
    code: Password,
}

/// What an authenticator needs.
#[derive(Object)]
struct SecretView {
    /// To type in: Base32.
    secret: String,
    /// `otpauth://totp/…`.
    address: String,
    /// The address as a QR code: rows of `0` and `1`, 1 is dark.
    qr: Vec<String>,
}

#[derive(Object)]
struct RecoveryView {
    /// Each good once instead of a code; shown this once.
    recovery_codes: Vec<String>,
}

#[OpenApi]
impl SecondFactorApi {
    /// Begin to set up a second factor: a secret for the authenticator. It is asked for at
    /// sign-in after it was confirmed.
    #[oai(
        path = "/auth/second-factor",
        method = "post",
        operation_id = "beginSecondFactor"
    )]
    async fn begin(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        who: Who<Profile>,
        request: Json<ProofRequest>,
    ) -> Result<Json<SecretView>, ApiError> {
        let name = who.user().name.clone();
        if who.user().second_factor.is_some() {
            return Err(ApiError::conflict(
                "has_second_factor",
                "There is a second factor already: remove it first.",
            ));
        }
        let ip = who.trace().peer.ip;
        verified(parts, &name, request.0.password.to_string(), ip).await?;
        let secret = factor::secret()?;
        let kept = secret.clone();
        let account = name.clone();
        parts
            .store
            .run(move |store| {
                store.change_user(&account, None, |user| user.pending_factor = Some(kept))
            })
            .await?;
        let address = factor::address(&secret, &name);
        let qr = QrCode::encode_text(&address, QrCodeEcc::Medium)
            .map_err(|error| ApiError::internal(&error))?;
        let row = |y| {
            (0..qr.size())
                .map(|x| if qr.get_module(x, y) { '1' } else { '0' })
                .collect()
        };
        Ok(Json(SecretView {
            secret: factor::base32(&secret),
            qr: (0..qr.size()).map(row).collect(),
            address,
        }))
    }

    /// Prove that the authenticator has the secret: from now on its codes are asked for.
    #[oai(
        path = "/auth/second-factor/confirm",
        method = "post",
        operation_id = "confirmSecondFactor"
    )]
    async fn confirm(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        who: Who<Profile>,
        request: Json<CodeRequest>,
    ) -> Result<Json<RecoveryView>, ApiError> {
        let (shown, kept) = factor::recovery_codes()?;
        let (name, now) = (who.user().name.clone(), Timestamp::now());
        let code = request.0.code;
        let confirmed = parts
            .store
            .run(move |store| {
                let mut confirmed = None;
                store.change_user(&name, None, |user| {
                    let Some(secret) = &user.pending_factor else {
                        return;
                    };
                    let step = factor::step_of(secret, &code, 0, now);
                    confirmed = Some(step.is_some());
                    if let (Some(last_step), Some(secret)) = (step, user.pending_factor.clone()) {
                        user.pending_factor = None;
                        user.second_factor = Some(SecondFactor {
                            secret,
                            last_step,
                            recovery: kept,
                            since: now,
                        });
                    }
                })?;
                Ok(confirmed)
            })
            .await?;
        match confirmed {
            Some(true) => Ok(Json(RecoveryView {
                recovery_codes: shown,
            })),
            Some(false) => Err(ApiError::bad_request(
                "bad_code",
                "The code is wrong: look at the clock of the telephone.",
            )),
            None => Err(ApiError::conflict(
                "no_pending_factor",
                "Begin to set up the second factor first.",
            )),
        }
    }

    /// New recovery codes; the ones before are good no more.
    #[oai(
        path = "/auth/second-factor/recovery-codes",
        method = "post",
        operation_id = "newRecoveryCodes"
    )]
    async fn recovery_codes(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        who: Who<Profile>,
        request: Json<ProofRequest>,
    ) -> Result<Json<RecoveryView>, ApiError> {
        let name = who.user().name.clone();
        let ip = who.trace().peer.ip;
        verified(parts, &name, request.0.password.to_string(), ip).await?;
        let (shown, kept) = factor::recovery_codes()?;
        let user = parts
            .store
            .run(move |store| {
                store.change_user(&name, None, |user| {
                    if let Some(factor) = &mut user.second_factor {
                        factor.recovery = kept;
                    }
                })
            })
            .await?;
        if user.second_factor.is_none() {
            return Err(no_factor());
        }
        Ok(Json(RecoveryView {
            recovery_codes: shown,
        }))
    }

    /// Sign in with the password alone from now on.
    #[oai(
        path = "/auth/second-factor/remove",
        method = "post",
        operation_id = "removeSecondFactor"
    )]
    async fn remove(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        who: Who<Profile>,
        request: Json<ProofRequest>,
    ) -> Result<Done, ApiError> {
        let name = who.user().name.clone();
        let ip = who.trace().peer.ip;
        verified(parts, &name, request.0.password.to_string(), ip).await?;
        if who.user().second_factor.is_none() {
            return Err(no_factor());
        }
        parts
            .store
            .run(move |store| store.change_user(&name, None, |user| user.second_factor = None))
            .await?;
        Ok(Done::Done)
    }
}

fn no_factor() -> ApiError {
    ApiError::conflict("no_second_factor", "There is no second factor.")
}
