//! A certificate of our own, where nobody else gives one.

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use rcgen::{CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair};

use super::HttpsError;
use super::kept::Kept;
use super::pair::Pair;
use crate::config::Name;

const FILE: &str = "self-signed.pem";
/// How long it lives: some programs trust nothing longer.
const DAYS: i64 = 820;

/// The kept one, while it is good for `names`; else a new one.
pub(super) fn ensure(kept: &Kept, names: &[Name], now: Timestamp) -> Result<Pair, HttpsError> {
    if let Some(text) = kept.read(FILE)? {
        match Pair::read(&text, &text) {
            Ok(pair) if pair.renew_at() > now && pair.lacks(names).is_empty() => return Ok(pair),
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "the kept certificate is made anew"),
        }
    }
    let text = make(names, now)?;
    kept.write(FILE, text.as_bytes())?;
    Ok(Pair::read(text.as_bytes(), text.as_bytes())?)
}

fn make(names: &[Name], now: Timestamp) -> Result<String, HttpsError> {
    let mut texts: Vec<String> = names.iter().map(ToString::to_string).collect();
    if texts.is_empty() {
        texts.extend(["localhost", "127.0.0.1", "::1"].map(str::to_owned));
        texts.extend(own_name());
    }
    let title = texts[0].clone();
    let mut params = CertificateParams::new(texts)?;
    let day = |days: i64| {
        let today = now.to_zoned(TimeZone::UTC).date();
        let date = today.saturating_add(days.days());
        rcgen::date_time_ymd(
            i32::from(date.year()),
            date.month().unsigned_abs(),
            date.day().unsigned_abs(),
        )
    };
    params.not_before = day(-1);
    params.not_after = day(DAYS);
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, title);
    params
        .distinguished_name
        .push(DnType::OrganizationName, "call-analytics");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    Ok(format!("{}{}", certificate.pem(), key.serialize_pem()))
}

/// The name of the machine, where it has one that a certificate can carry.
fn own_name() -> Option<String> {
    let text = std::fs::read_to_string("/etc/hostname").ok()?;
    match text.trim().parse::<Name>() {
        Ok(Name::Domain(domain)) if domain != "localhost" => Some(domain),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_kept_until_its_names_or_its_time_change() {
        let dir = tempfile::tempdir().expect("a directory");
        let kept = Kept::open(dir.path().to_owned()).expect("it is made");
        let now: Timestamp = "2026-03-01T12:00:00Z".parse().expect("a time");
        let ensure = |names: &[&str], now: Timestamp| {
            let names: Vec<Name> = names
                .iter()
                .map(|name| name.parse().expect("a name"))
                .collect();
            ensure(&kept, &names, now).expect("a pair").fingerprint()
        };
        let first = ensure(&[], now);
        assert_eq!(ensure(&[], now), first);
        assert_eq!(ensure(&["127.0.0.1"], now), first);
        let other = ensure(&["calls.example.com", "2001:db8::1"], now);
        assert_ne!(other, first);
        let later = "2027-12-01T12:00:00Z".parse().expect("a time");
        assert_ne!(ensure(&["calls.example.com", "2001:db8::1"], later), other);
    }
}
