//! Asks an authority for a certificate (RFC 8555): the account, the order, the
//! challenges (HTTP-01; TLS-ALPN-01, RFC 8737; both for bare addresses, RFC 8738).

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use instant_acme::{
    Account, AccountCredentials, AuthorizationHandle, AuthorizationStatus, CertificateIdentifier,
    ChallengeHandle, ChallengeType, Error, Identifier, NewAccount, NewOrder, Order, OrderStatus,
    RetryPolicy,
};
use jiff::Timestamp;
use rcgen::{CertificateParams, CustomExtension, DistinguishedName, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use sha2::{Digest, Sha256};

use super::HttpsError;
use super::kept::Kept;
use super::pair::Pair;
use super::resolver::Resolver;
use super::transport::Transport;
use crate::config::{Acme, Challenge, Name};

/// The profile of certificates for bare addresses.
const SHORT_LIVED: &str = "shortlived";
/// How long an authority may take to look at the challenges, and to sign.
const PATIENCE: RetryPolicy = RetryPolicy::new()
    .initial_delay(Duration::from_millis(500))
    .backoff(1.5)
    .timeout(Duration::from_secs(120));

/// One authority and what it is asked for.
pub(super) struct Authority<'a> {
    pub(super) settings: &'a Acme,
    pub(super) names: &'a [Name],
    /// Whether plain HTTP is answered, so that HTTP-01 can work.
    pub(super) plain: bool,
    pub(super) kept: &'a Kept,
}

impl Authority<'_> {
    /// Part of the files' names: another authority has other files.
    fn tag(&self) -> String {
        let digest = Sha256::digest(self.settings.directory.as_bytes());
        digest[..4].iter().map(|b| format!("{b:02x}")).collect()
    }

    /// The certificate that was obtained last, where it can still be used.
    pub(super) fn kept_pair(&self, now: Timestamp) -> Result<Option<Pair>, HttpsError> {
        let Some(text) = self.kept.read(&format!("acme-{}.pem", self.tag()))? else {
            return Ok(None);
        };
        match Pair::read(&text, &text) {
            Ok(pair) if pair.check_time(now).is_ok() && self.covers(&pair) => Ok(Some(pair)),
            Ok(_) => Ok(None),
            Err(error) => {
                tracing::warn!(%error, "the kept certificate of the authority is asked for anew");
                Ok(None)
            }
        }
    }

    /// Whether it is for all the names.
    pub(super) fn covers(&self, pair: &Pair) -> bool {
        pair.lacks(self.names).is_empty()
    }

    async fn account(&self) -> Result<Account, HttpsError> {
        let builder = || -> Result<_, HttpsError> {
            let transport = Transport::new(self.settings.ca_file.as_deref().map(Path::new))?;
            Ok(Account::builder_with_http(Box::new(transport)))
        };
        let file = format!("account-{}.json", self.tag());
        if let Some(text) = self.kept.read(&file)? {
            match serde_json::from_slice::<AccountCredentials>(&text) {
                Ok(credentials) => return Ok(builder()?.from_credentials(credentials).await?),
                Err(error) => tracing::warn!(%error, "the account of the authority is made anew"),
            }
        }
        let contact: Vec<&str> = self.settings.contact.iter().map(String::as_str).collect();
        let account = NewAccount {
            contact: &contact,
            // config::https refuses to start without the person's word.
            terms_of_service_agreed: true,
            only_return_existing: false,
        };
        let (account, credentials) = builder()?
            .create(&account, self.settings.directory.clone(), None)
            .await?;
        let text = serde_json::to_vec(&credentials).map_err(Error::from)?;
        self.kept.write(&file, &text)?;
        tracing::info!(
            directory = self.settings.directory,
            "an account was made at the authority"
        );
        Ok(account)
    }

    /// A new certificate, kept on disk. `attempt` counts failures before this one.
    pub(super) async fn obtain(
        &self,
        attempt: u32,
        resolver: &Resolver,
    ) -> Result<Pair, HttpsError> {
        let account = match self.account().await {
            Err(HttpsError::Acme(error)) if is_unknown_account(&error) => {
                return Err(self.forget_account(error));
            }
            other => other?,
        };
        let offered: Vec<&str> = account.profiles().map(|profile| profile.name).collect();
        let profile = profile(&self.settings.profile, &offered, self.names)?;
        let identifiers: Vec<Identifier> = self
            .names
            .iter()
            .map(|name| match name {
                Name::Domain(domain) => Identifier::Dns(domain.clone()),
                Name::Address(address) => Identifier::Ip(*address),
            })
            .collect();
        let mut wanted = NewOrder::new(&identifiers);
        if let Some(profile) = profile {
            wanted = wanted.profile(profile);
        }
        let mut order = match account.new_order(&wanted).await {
            Err(error) if is_unknown_account(&error) => return Err(self.forget_account(error)),
            other => other?,
        };
        let proven = self.prove(&mut order, attempt, resolver).await;
        resolver.forget_answers();
        proven?;
        let (chain, key) = self.sign(&mut order).await?;
        let text = format!("{key}{chain}");
        let pair = Pair::read(text.as_bytes(), text.as_bytes())?;
        pair.check_time(Timestamp::now())?;
        let lacks = pair.lacks(self.names);
        if let Some(name) = lacks.first() {
            return Err(HttpsError::Refused(format!(
                "the certificate of the authority is not for {name}"
            )));
        }
        self.kept
            .write(&format!("acme-{}.pem", self.tag()), text.as_bytes())?;
        Ok(pair)
    }

    /// The authority lost the account (a test server that was started anew): the next
    /// attempt makes another.
    fn forget_account(&self, error: Error) -> HttpsError {
        let file = format!("account-{}.json", self.tag());
        if let Err(error) = self.kept.write(&file, b"") {
            tracing::warn!(%error, "the account cannot be forgotten");
        }
        error.into()
    }

    async fn prove(
        &self,
        order: &mut Order,
        attempt: u32,
        resolver: &Resolver,
    ) -> Result<(), HttpsError> {
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization?;
            match authorization.status {
                AuthorizationStatus::Valid => continue,
                AuthorizationStatus::Pending => {}
                status => {
                    return Err(HttpsError::Refused(format!(
                        "the authority says that {} is {status:?}",
                        authorization.identifier()
                    )));
                }
            }
            let mut challenge = self.challenge(&mut authorization, attempt)?;
            answer(&challenge, resolver)?;
            challenge.set_ready().await?;
        }
        match order.poll_ready(&PATIENCE).await {
            Ok(OrderStatus::Ready | OrderStatus::Valid) => Ok(()),
            Ok(_) => Err(HttpsError::Refused(reasons(order).await)),
            Err(Error::Api(problem)) => {
                let reasons = reasons(order).await;
                Err(HttpsError::Refused(format!("{problem} {reasons}")))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The challenge to answer: where any will do, the next one after each failure.
    fn challenge<'a>(
        &self,
        authorization: &'a mut AuthorizationHandle<'a>,
        attempt: u32,
    ) -> Result<ChallengeHandle<'a>, HttpsError> {
        let ways = match self.settings.challenge {
            Challenge::Http01 => vec![ChallengeType::Http01],
            Challenge::TlsAlpn01 => vec![ChallengeType::TlsAlpn01],
            Challenge::Any if !self.plain => vec![ChallengeType::TlsAlpn01],
            Challenge::Any => vec![ChallengeType::TlsAlpn01, ChallengeType::Http01],
        };
        let name = authorization.identifier().to_string();
        let offered: Vec<ChallengeType> = authorization
            .challenges
            .iter()
            .map(|challenge| challenge.r#type.clone())
            .collect();
        let possible: Vec<&ChallengeType> =
            ways.iter().filter(|way| offered.contains(way)).collect();
        let none = || {
            HttpsError::Refused(format!(
                "the authority offers {offered:?} for {name}, and none of them is among {ways:?}"
            ))
        };
        if possible.is_empty() {
            return Err(none());
        }
        let way = possible[attempt as usize % possible.len()].clone();
        authorization.challenge(way).ok_or_else(none)
    }

    async fn sign(&self, order: &mut Order) -> Result<(String, String), HttpsError> {
        let key = KeyPair::generate()?;
        let names: Vec<String> = self.names.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name = DistinguishedName::new();
        let request = params.serialize_request(&key)?;
        order.finalize_csr(request.der()).await?;
        let chain = order.poll_certificate(&PATIENCE).await?;
        Ok((chain, key.serialize_pem()))
    }

    /// When the authority wants the certificate renewed (RFC 9773), and when to ask it
    /// again; `None` where it does not say.
    pub(super) async fn suggestion(&self, pair: &Pair) -> Option<(Timestamp, Timestamp, Duration)> {
        let account = self.account().await.ok()?;
        let id = CertificateIdentifier::try_from(pair.first()?).ok()?;
        match account.renewal_info(&id).await {
            Ok((info, again)) => {
                let second = |at: i64| Timestamp::from_second(at).ok();
                let window = &info.suggested_window;
                Some((
                    second(window.start.unix_timestamp())?,
                    second(window.end.unix_timestamp())?,
                    again,
                ))
            }
            Err(error) => {
                tracing::debug!(%error, "the authority suggests no time to renew");
                None
            }
        }
    }
}

/// The profile to ask for; `None`: the authority's usual one.
fn profile<'a>(
    wanted: &'a str,
    offered: &[&str],
    names: &[Name],
) -> Result<Option<&'a str>, HttpsError> {
    if !wanted.is_empty() {
        if offered.contains(&wanted) {
            return Ok(Some(wanted));
        }
        return Err(HttpsError::Profile {
            wanted: wanted.to_owned(),
            offered: if offered.is_empty() {
                "none".to_owned()
            } else {
                offered.join(", ")
            },
        });
    }
    if !names.iter().any(|name| matches!(name, Name::Address(_))) {
        return Ok(None);
    }
    if offered.contains(&SHORT_LIVED) {
        return Ok(Some(SHORT_LIVED));
    }
    tracing::warn!(
        "the authority offers no profile 'shortlived'; it may refuse a certificate for a bare address"
    );
    Ok(None)
}

fn is_unknown_account(error: &Error) -> bool {
    let Error::Api(problem) = error else {
        return false;
    };
    problem.r#type.as_deref() == Some("urn:ietf:params:acme:error:accountDoesNotExist")
}

/// Puts the answer to a challenge where the authority looks.
fn answer(challenge: &ChallengeHandle<'_>, resolver: &Resolver) -> Result<(), HttpsError> {
    let proof = challenge.key_authorization();
    if challenge.r#type == ChallengeType::Http01 {
        resolver.answer_file(challenge.token.clone(), proof.as_str().to_owned());
        return Ok(());
    }
    let name = challenge.identifier().to_string();
    let mut params = CertificateParams::new(vec![name.clone()])?;
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(
        proof.digest().as_ref(),
    )];
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let der = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes())
        .map_err(|error| HttpsError::Refused(error.to_string()))?;
    let chain = vec![CertificateDer::from(certificate.der().to_vec())];
    let key = CertifiedKey::from_der(chain, der, &provider)?;
    let server_name = match name.parse() {
        Ok(address) => reverse_name(address),
        Err(_) => name,
    };
    resolver.answer_certificate(server_name, key);
    Ok(())
}

/// The name by which an authority asks for an address (RFC 8738, 6).
fn reverse_name(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(address) => {
            let nibbles = address
                .octets()
                .into_iter()
                .rev()
                .flat_map(|byte| [byte & 15, byte >> 4].map(|nibble| format!("{nibble:x}.")));
            format!("{}ip6.arpa", nibbles.collect::<String>())
        }
    }
}

/// Why challenges failed, in the authority's words.
async fn reasons(order: &mut Order) -> String {
    let mut found = Vec::new();
    let mut authorizations = order.authorizations();
    while let Some(Ok(mut authorization)) = authorizations.next().await {
        let name = authorization.identifier().to_string();
        let Ok(state) = authorization.refresh().await else {
            continue;
        };
        for challenge in &state.challenges {
            if let Some(error) = &challenge.error {
                let detail = error.detail.as_deref().unwrap_or("no reason");
                found.push(format!("{name}, {:?}: {detail}", challenge.r#type));
            }
        }
    }
    if found.is_empty() {
        return "the authority refused the challenges without a reason".to_owned();
    }
    // Quoted from outside: one line of the log, and not a long one.
    let text: String = found
        .join("; ")
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(1000)
        .collect();
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_address_asks_for_the_short_lived_profile_where_there_is_one() {
        let domain = ["calls.example.com".parse().expect("a name")];
        let both = ["calls.example.com", "203.0.113.7"].map(|name| name.parse().expect("a name"));
        let offered = ["classic", "shortlived", "tlsserver"];
        let of = |wanted, offered: &[&str], names: &[Name]| {
            profile(wanted, offered, names).map(|chosen| chosen.map(str::to_owned))
        };
        assert_eq!(of("", &offered, &domain).expect("a choice"), None);
        let short = Some("shortlived".to_owned());
        assert_eq!(of("", &offered, &both).expect("a choice"), short);
        assert_eq!(of("", &["classic"], &both).expect("a choice"), None);
        let chosen = of("tlsserver", &offered, &both).expect("a choice");
        assert_eq!(chosen.as_deref(), Some("tlsserver"));
        let fault = of("other", &offered, &domain).expect_err("there is none");
        assert!(fault.to_string().contains("classic, shortlived, tlsserver"));
    }

    #[test]
    fn addresses_are_asked_for_backwards() {
        let of = |text: &str| reverse_name(text.parse().expect("an address"));
        assert_eq!(of("203.0.113.7"), "7.113.0.203.in-addr.arpa");
        assert_eq!(
            of("2001:db8::567:89ab"),
            "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"
        );
    }
}
