//! Settings of the language model. Off until the administrator turns it on.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Deserialize;
use toml::Table;

use super::{Secret, Section};

/// Known servers: where they are.
const PRESETS: &[(&str, &str)] = &[
    ("openai", "https://api.openai.com/v1"),
    ("openrouter", "https://openrouter.ai/api/v1"),
    ("yandex", "https://ai.api.cloud.yandex.net/v1"),
    ("ollama", "http://127.0.0.1:11434/v1"),
    ("vllm", "http://127.0.0.1:8000/v1"),
    ("llamacpp", "http://127.0.0.1:8080/v1"),
];

/// Settings of the language model.
#[derive(Debug, Clone, PartialEq)]
pub struct Llm {
    /// Whether calls are judged by a model at all.
    pub enabled: bool,
    /// Where the server is, up to `/v1`.
    pub base_url: String,
    /// Its key; empty for none.
    pub api_key: Secret,
    /// What stands before the key in the `Authorization` header.
    pub scheme: &'static str,
    /// Name of the model.
    pub model: String,
    /// Further headers of each request.
    pub headers: BTreeMap<String, Secret>,
    /// Whether it sums every new call up.
    pub summaries: bool,
    /// How a form is asked for.
    pub structured: Structured,
    /// How long a request may take in all, in seconds.
    pub timeout_s: u64,
    /// Requests at the same time.
    pub concurrency: usize,
    /// Requests a minute; 0 is no limit.
    pub requests_per_minute: u32,
    /// Tokens a minute; 0 is no limit.
    pub tokens_per_minute: u32,
    /// Tokens that the model reads and writes at once.
    pub context_tokens: u32,
    /// Tokens kept free for its answer.
    pub answer_tokens: u32,
    /// What is hidden before a text is sent.
    pub mask: Masking,
    /// Price of a million tokens read, and of a million written; in `daily_budget`'s money.
    pub prices: (f64, f64),
    /// What may be spent in a day; 0 is no limit.
    pub daily_budget: f64,
}

/// How a form is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Structured {
    /// The strictest that the server takes.
    Auto,
    /// With a JSON schema.
    JsonSchema,
    /// Any JSON object.
    JsonObject,
    /// In words only.
    Prompt,
}

/// What is hidden before a text is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Masking {
    /// Phones, cards, documents, addresses.
    Numbers,
    /// Those, and people's names.
    Names,
    /// Nothing: only for a server on this machine.
    Off,
}

impl Llm {
    /// The server's name, as kept in the ledger: never the key.
    pub fn host(&self) -> &str {
        let rest = self
            .base_url
            .split_once("://")
            .map_or(self.base_url.as_str(), |(_, rest)| rest);
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        authority.rsplit('@').next().unwrap_or_default()
    }

    /// Whether what is sent stays on this machine.
    pub fn is_local(&self) -> bool {
        let host = self.host();
        let name = match host.strip_prefix('[') {
            Some(v6) => v6.split(']').next().unwrap_or_default(),
            None => host.split(':').next().unwrap_or_default(),
        };
        name == "localhost" || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }
}

pub(super) fn read(
    table: Table,
    env: &impl Fn(&str) -> Option<String>,
    faults: &mut Vec<String>,
) -> Llm {
    let mut section = Section {
        name: "llm.",
        table,
        faults,
    };
    let preset: String = section.take("preset", "openai".to_owned());
    let known = PRESETS.iter().find(|(name, _)| *name == preset);
    if known.is_none() {
        let names: Vec<&str> = PRESETS.iter().map(|(name, _)| *name).collect();
        section.fault("preset", &format!("is one of {}", names.join(", ")));
    }
    let base_url: String = section.take("base_url", known.map_or("", |(_, url)| url).to_owned());
    let key: String = section.take("api_key", String::new());
    let key = env("OPENAI_API_KEY").unwrap_or(key);
    let number = |section: &mut Section, key: &str, default: u64, from: u64, to: u64| {
        let value: u64 = section.take(key, default);
        if !(from..=to).contains(&value) {
            section.fault(key, &format!("is from {from} to {to}"));
        }
        value
    };
    let money = |section: &mut Section, key: &str| {
        let value: f64 = section.take(key, 0.0);
        if !value.is_finite() || value < 0.0 {
            section.fault(key, "is 0 or more");
        }
        value
    };
    let most = u64::from(u32::MAX);
    let llm = Llm {
        enabled: section.take("enabled", false),
        base_url: base_url.trim_end_matches('/').to_owned(),
        api_key: key.into(),
        scheme: if preset == "yandex" {
            "Api-Key"
        } else {
            "Bearer"
        },
        model: section.take("model", String::new()),
        headers: section.take("headers", BTreeMap::new()),
        summaries: section.take("summaries", true),
        structured: section.take("structured", Structured::Auto),
        timeout_s: number(&mut section, "timeout_s", 180, 1, 3600),
        concurrency: number(&mut section, "concurrency", 1, 1, 64) as usize,
        requests_per_minute: number(&mut section, "requests_per_minute", 0, 0, most) as u32,
        tokens_per_minute: number(&mut section, "tokens_per_minute", 0, 0, most) as u32,
        context_tokens: number(&mut section, "context_tokens", 8192, 1024, 10_000_000) as u32,
        answer_tokens: number(&mut section, "answer_tokens", 1500, 128, 1_000_000) as u32,
        mask: section.take("mask", Masking::Numbers),
        prices: (
            money(&mut section, "price_in"),
            money(&mut section, "price_out"),
        ),
        daily_budget: money(&mut section, "daily_budget"),
    };
    if llm.enabled {
        if llm.model.trim().is_empty() {
            section.fault("model", "is the name of a model, which the server knows");
        }
        if !llm.base_url.starts_with("https://") && !llm.base_url.starts_with("http://") {
            section.fault(
                "base_url",
                "begins with https://, or with http:// in your own network",
            );
        }
        if llm.base_url.starts_with("http://") && !llm.is_local() && !llm.api_key.is_empty() {
            section.fault(
                "base_url",
                "begins with https:// where there is a key: it would be sent readable for everybody",
            );
        }
        if llm.mask == Masking::Off && !llm.is_local() {
            section.fault("mask", "is \"off\" only for a server on this machine");
        }
        if llm.answer_tokens >= llm.context_tokens / 2 {
            section.fault("answer_tokens", "is less than half of llm.context_tokens");
        }
        if llm.daily_budget > 0.0 && llm.prices == (0.0, 0.0) {
            section.fault("daily_budget", "needs llm.price_in and llm.price_out");
        }
    }
    section.finish();
    llm
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> (Llm, Vec<String>) {
        let mut faults = Vec::new();
        let table = text.parse().expect("TOML");
        let llm = read(table, &|_| None, &mut faults);
        (llm, faults)
    }

    #[test]
    fn it_is_off_unless_told() {
        let (llm, faults) = load("");
        assert!(!llm.enabled && faults.is_empty());
        let (llm, faults) =
            load("enabled = true\nmodel = \"m\"\npreset = \"yandex\"\napi_key = \"k\"");
        assert!(faults.is_empty(), "{faults:?}");
        assert_eq!(
            (llm.host(), llm.scheme),
            ("ai.api.cloud.yandex.net", "Api-Key")
        );
        assert!(!llm.is_local() && !format!("{llm:?}").contains("\"k\""));
    }

    #[test]
    fn what_would_leak_is_refused() {
        let faulty = |text: &str, key: &str| {
            let (_, faults) = load(text);
            assert!(
                faults.iter().any(|f| f.starts_with(key)),
                "{text}: {faults:?}"
            );
        };
        faulty("enabled = true", "llm.model");
        faulty("enabled = true\nmodel = \"m\"\nmask = \"off\"", "llm.mask");
        faulty(
            "enabled = true\nmodel = \"m\"\napi_key = \"k\"\nbase_url = \"http://example.org/v1\"",
            "llm.base_url",
        );
        faulty("preset = \"what\"", "llm.preset");
        faulty(
            "enabled = true\nmodel = \"m\"\ndaily_budget = 5.0",
            "llm.daily_budget",
        );
        let (llm, faults) = load(
            "enabled = true\nmodel = \"m\"\nmask = \"off\"\nbase_url = \"http://[::1]:8080/v1\"",
        );
        assert!(llm.is_local() && faults.is_empty(), "{faults:?}");
    }
}
