//! Names of files on their way in: what they tell is filled into what is not
//! told otherwise. Everything that arrives with a name passes through here.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{Arrival, IntakeError};
use crate::config;
use crate::domain::Source;
use crate::domain::directory::Directory;
use crate::domain::filename::{self, NameFacts, NamePatterns};

/// Reads names.
#[derive(Debug, Clone)]
pub struct Names {
    patterns: NamePatterns,
    zone: TimeZone,
}

impl Names {
    /// As the settings say.
    ///
    /// # Errors
    /// [`IntakeError::Patterns`] when a pattern is faulty; settings that were
    /// read as a whole have none.
    pub fn new(settings: &config::Names) -> Result<Self, IntakeError> {
        Self::with(&settings.patterns, settings.time_zone.clone())
    }

    /// With other patterns (name, regular expression): to try them.
    pub fn with(patterns: &[(String, String)], zone: TimeZone) -> Result<Self, IntakeError> {
        let patterns = NamePatterns::new(patterns).map_err(|faults| {
            let lines: Vec<String> = faults
                .into_iter()
                .map(|(index, what)| match patterns.get(index) {
                    Some((name, _)) => format!("The pattern {name:?} {what}."),
                    None => what,
                })
                .collect();
            IntakeError::Patterns(lines.join(" "))
        })?;
        Ok(Self { patterns, zone })
    }

    /// What a name tells.
    pub fn read(&self, filename: &str, directory: &Directory) -> NameFacts {
        self.patterns.read(filename, &self.zone, directory)
    }

    /// A moment as an outside system tells it.
    pub fn time(&self, text: &str) -> Option<Timestamp> {
        filename::told_time(text, &self.zone)
    }

    /// The zone of times without one.
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// Fills in what the name tells and the sender did not.
    pub(super) fn fill(&self, arrival: &mut Arrival, directory: &Directory) {
        // Their recordings have no names but those that we make.
        if matches!(arrival.source, Source::Mango | Source::Calltouch) {
            return;
        }
        let facts = self.read(&arrival.filename, directory);
        arrival.details.absorb(&facts.details);
        arrival.started_at = arrival.started_at.or(facts.started_at);
        arrival.direction = arrival.direction.or(facts.direction);
    }
}
