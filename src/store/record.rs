//! How values are kept: one byte with the record's version, then JSON. JSON
//! takes new optional fields without a migration; the version is for the rest.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::StoreError;

/// A value kept in a table.
pub(super) trait Record: Serialize + DeserializeOwned {
    /// Name in error messages.
    const NAME: &'static str;
    /// Version written now. Older ones go through [`Record::upgrade`].
    const VERSION: u8 = 1;

    /// Turns the JSON of an older version into the current one.
    fn upgrade(_from: u8, value: serde_json::Value) -> serde_json::Value {
        value
    }
}

pub(super) fn encode<R: Record>(record: &R) -> Result<Vec<u8>, StoreError> {
    let mut bytes = vec![R::VERSION];
    serde_json::to_writer(&mut bytes, record).map_err(|source| StoreError::Record {
        name: R::NAME,
        source,
    })?;
    Ok(bytes)
}

pub(super) fn decode<R: Record>(bytes: &[u8]) -> Result<R, StoreError> {
    let fault = |source| StoreError::Record {
        name: R::NAME,
        source,
    };
    let (version, json) = bytes
        .split_first()
        .ok_or(StoreError::Empty { name: R::NAME })?;
    if *version == R::VERSION {
        serde_json::from_slice(json).map_err(fault)
    } else {
        let value = serde_json::from_slice(json).map_err(fault)?;
        serde_json::from_value(R::upgrade(*version, value)).map_err(fault)
    }
}

macro_rules! records {
    ($($type:ty = $name:literal),* $(,)?) => {
        $(impl Record for $type { const NAME: &'static str = $name; })*
    };
}

records! {
    crate::domain::Call = "call",
    crate::domain::Recording = "recording",
    crate::domain::Job = "job",
    crate::domain::Recognition = "recognition",
    crate::domain::Transcript = "transcript",
    crate::domain::Score = "score",
    crate::domain::Envelope = "envelope",
    crate::domain::Scorecard = "scorecard",
    crate::domain::User = "user",
    crate::domain::session::Session = "session",
    crate::domain::session::ApiKey = "API key",
    crate::domain::session::Invitation = "invitation",
    super::sessions::TokenKey = "key of tokens",
    crate::domain::directory::Employee = "employee",
    crate::domain::notice::Notice = "notice",
    super::errands::Waiting = "errand",
    super::errands::Product = "outside system",
    super::payloads::PayloadHead = "payload",
    crate::domain::SftpUser = "sftp_user",
    crate::domain::DroppedFile = "dropped file",
    crate::domain::erasure::Erasure = "erasure",
    crate::domain::egress::Egress = "request to a language model",
    crate::domain::egress::Pending = "call that waits for a language model",
    crate::domain::prompt::Prompt = "prompt",
    crate::domain::card_version::CardKey = "scorecard in force",
    crate::domain::card_version::CardNote = "note on a scorecard",
    crate::domain::card_version::CardDraft = "draft of a scorecard",
    super::scorecards::Enforced = "change of the scorecard in force",
    crate::domain::rescoring::Rescoring = "order to score again",
    crate::domain::rescoring::Rescored = "call scored again",
    crate::domain::review::ItemReview = "review of an item",
    crate::domain::PulledFile = "pulled file",
    crate::domain::PullRun = "pull run",
    crate::domain::question::Answer = "answer",
    crate::domain::question::SavedQuestion = "saved question",
    crate::domain::question::Analysis = "analysis",
    crate::domain::question::Row = "row of an analysis",
    crate::domain::insight::Insight = "insight",
    crate::domain::tracker::Trackers = "trackers",
    super::operators::OperatorRecord = "operator",
    super::versions::KeptVersion = "version",
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Serialize, Deserialize, Debug, PartialEq)]
    struct Renamed {
        new_name: u32,
    }

    impl Record for Renamed {
        const NAME: &'static str = "renamed";
        const VERSION: u8 = 2;

        fn upgrade(from: u8, mut value: serde_json::Value) -> serde_json::Value {
            if from == 1 {
                value["new_name"] = value["old_name"].take();
            }
            value
        }
    }

    #[test]
    fn older_versions_are_upgraded_when_read() {
        let read: Renamed = decode(b"\x01{\"old_name\": 7}").expect("upgraded");
        assert_eq!(read, Renamed { new_name: 7 });
        let bytes = encode(&read).expect("encoded");
        assert_eq!(bytes[0], 2);
        assert_eq!(decode::<Renamed>(&bytes).expect("read"), read);
    }

    #[test]
    fn damage_is_an_error_that_names_the_record() {
        for bytes in [&b""[..], b"\x02", b"\x02{", b"\x02{}"] {
            let error = decode::<Renamed>(bytes).expect_err("damaged").to_string();
            assert!(error.contains("renamed"), "{error}");
        }
    }
}
