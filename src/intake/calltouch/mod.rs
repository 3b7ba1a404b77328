//! Calltouch: the requests of its API. What it sends is read in [`fields`];
//! called by `intake::fetch`. The key is part of every address, so no address
//! gets into a message.

pub mod fields;

use std::time::Duration;

use form_urlencoded::Serializer;
use jiff::civil::Date;
use serde_json::Value;
use ureq::Agent;
use ureq::http::StatusCode;

use super::Intake;
use super::web::{self, Brought, Fault};
use crate::config;
use crate::store::Spool;

/// Records asked for at once.
const PAGE: u32 = 1000;

/// Asks Calltouch. Blocks.
pub struct Calltouch {
    settings: config::Calltouch,
    agent: Agent,
}

/// A page of the list of calls.
pub struct DiaryPage {
    /// One JSON object a call.
    pub records: Vec<Value>,
    /// There is none after it.
    pub last: bool,
}

impl Calltouch {
    /// As the settings say.
    pub fn new(settings: &config::Calltouch) -> Self {
        Self {
            agent: web::agent(Duration::from_secs(settings.timeout_s)),
            settings: settings.clone(),
        }
    }

    /// The settings.
    pub fn settings(&self) -> &config::Calltouch {
        &self.settings
    }

    /// Numbers of the accounts.
    pub fn sites(&self) -> Vec<&str> {
        self.settings
            .sites
            .iter()
            .map(|site| site.id.as_str())
            .collect()
    }

    fn key(&self, site: &str) -> Option<&str> {
        let known = self.settings.sites.iter().find(|known| known.id == site)?;
        Some(known.api_key.expose())
    }

    /// Stands for the key of an account.
    pub fn key_mark(&self, site: &str) -> String {
        web::mark(self.key(site).unwrap_or_default())
    }

    /// The calls of some days (at most 90); `page` counts from 1.
    pub fn diary(&self, site: &str, from: Date, to: Date, page: u32) -> Result<DiaryPage, Fault> {
        let day = |date: Date| date.strftime("%d/%m/%Y").to_string();
        let response = self.get(
            site,
            "",
            &[
                ("dateFrom", &day(from)),
                ("dateTo", &day(to)),
                ("page", &page.to_string()),
                ("limit", &PAGE.to_string()),
                ("withCallTags", "true"),
                ("withOrders", "true"),
                ("withComments", "true"),
            ],
        )?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NO_CONTENT => {
                return Ok(DiaryPage {
                    records: Vec::new(),
                    last: true,
                });
            }
            _ => return Err(web::refusal(&response)),
        }
        let value: Value = serde_json::from_slice(&web::text(response)?)
            .map_err(|_| Fault::later("the list of calls is no JSON"))?;
        match value {
            // Without pages the answer is the list itself.
            Value::Array(records) => Ok(DiaryPage {
                records,
                last: true,
            }),
            Value::Object(mut envelope) => {
                let pages = envelope
                    .get("pageTotal")
                    .and_then(Value::as_u64)
                    .unwrap_or(1);
                match envelope.remove("records") {
                    Some(Value::Array(records)) => {
                        let last = records.is_empty() || u64::from(page) >= pages;
                        Ok(DiaryPage { records, last })
                    }
                    _ => Err(Fault::later("the list of calls has no records")),
                }
            }
            _ => Err(Fault::later("the list of calls is no list")),
        }
    }

    /// Downloads the recording of a call.
    pub fn recording(&self, intake: &Intake, site: &str, call_id: &str) -> Result<Spool, Fault> {
        let id: String = form_urlencoded::byte_serialize(call_id.as_bytes()).collect();
        let response = self.get(site, &format!("/{id}/download"), &[])?;
        let plain = self.settings.api_url.starts_with("http://");
        let response = web::follow(&self.agent, response, plain)?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::ACCEPTED | StatusCode::NO_CONTENT | StatusCode::NOT_FOUND => {
                return Err(Fault::NotReady(
                    "Calltouch does not have the recording yet".to_owned(),
                ));
            }
            _ => return Err(web::refusal(&response)),
        }
        match web::recording(intake, response)? {
            Brought::Recording(spool) => Ok(spool),
            Brought::Words(_) => Err(Fault::NotReady(
                "Calltouch answered without a recording".to_owned(),
            )),
        }
    }

    fn get(
        &self,
        site: &str,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<ureq::http::Response<ureq::Body>, Fault> {
        let key = self
            .key(site)
            .ok_or_else(|| Fault::Locked(format!("there is no key for the site {site}")))?;
        let query = Serializer::new(String::new())
            .append_pair("clientApiId", key)
            .extend_pairs(query)
            .finish();
        let base = &self.settings.api_url;
        let url = format!("{base}/calls-service/RestAPI/{site}/calls-diary/calls{path}?{query}");
        self.agent
            .get(&url)
            .call()
            .map_err(|error| web::on_the_way(&error))
    }
}
