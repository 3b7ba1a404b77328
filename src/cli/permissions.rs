//! `call-analytics permissions`: which role may call which operation of the API, made from
//! the API's document and the table of permissions.

use std::process::ExitCode;

use anyhow::Context;
use serde_json::Value;

use crate::domain::Role;
use crate::domain::access::Permission;

/// Prints a line an operation, fields between tabs.
pub(super) fn run() -> anyhow::Result<ExitCode> {
    let document: Value =
        serde_json::from_str(&crate::api::openapi_document()).context("the API's document")?;
    let mut heads = vec!["operation", "method", "path", "permission"];
    heads.extend(Role::ALL.map(Role::name));
    heads.push("API key");
    println!("{}", heads.join("\t"));
    for (path, item) in document["paths"].as_object().context("paths")? {
        for (method, operation) in item.as_object().context("an item")? {
            let scheme = operation["security"][0]
                .as_object()
                .and_then(|scheme| scheme.keys().next());
            let permission = scheme
                .map(|name| name.parse::<Permission>().map_err(anyhow::Error::msg))
                .transpose()?;
            let mark = |allowed: bool| if allowed { "yes" } else { "-" };
            let mut fields = vec![
                operation["operationId"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned(),
                method.to_uppercase(),
                path.clone(),
                permission.map_or("public", Permission::name).to_owned(),
            ];
            fields.extend(Role::ALL.map(|role| {
                mark(permission.is_none_or(|permission| permission.allows(role))).to_owned()
            }));
            fields.push(mark(permission.is_none_or(Permission::for_keys)).to_owned());
            println!("{}", fields.join("\t"));
        }
    }
    Ok(ExitCode::SUCCESS)
}
