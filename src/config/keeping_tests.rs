//! Sections `[audit]` and `[retention]`.

use super::*;
use crate::domain::Source;
use crate::domain::job::Status;

fn read(text: &str) -> (Audit, Retention, Vec<String>) {
    let mut table: Table = text.parse().expect("TOML");
    let mut faults = Vec::new();
    let mut take = |name: &str| match table.remove(name) {
        Some(toml::Value::Table(table)) => table,
        _ => Table::new(),
    };
    let (audit_table, retention_table) = (take("audit"), take("retention"));
    let audit = audit(audit_table, &mut faults);
    let retention = retention(retention_table, &mut faults);
    (audit, retention, faults)
}

#[test]
fn rules_are_read_in_their_order() {
    let (audit, retention, faults) = read(
        "[audit]\nkeep_days = 400\n[retention]\nat = \"02:15\"\n\
         [[retention.rules]]\ndays = 30\nstatus = \"failed\"\n\
         [[retention.rules]]\ndays = 0\nsource = \"import\"\n",
    );
    assert_eq!(faults, Vec::<String>::new());
    assert_eq!(audit.keep_days, 400);
    assert_eq!((retention.at.hour(), retention.at.minute()), (2, 15));
    let rules = &retention.rules.0;
    assert_eq!((rules[0].days, rules[0].status), (30, Some(Status::Failed)));
    assert_eq!((rules[1].days, rules[1].source), (0, Some(Source::Import)));
    let (audit, retention, faults) = read("");
    assert_eq!((audit.keep_days, retention.rules.is_empty()), (1095, true));
    assert_eq!(faults, Vec::<String>::new());
}

#[test]
fn every_fault_is_named() {
    for (text, fault) in [
        ("[audit]\nkeep_days = 3", "audit.keep_days"),
        ("[audit]\nkept = 3", "audit.kept"),
        ("[retention]\nat = \"25:00\"", "retention.at"),
        ("[retention]\nat = \"3:5\"", "retention.at"),
        (
            "[[retention.rules]]\nsource = \"fax\"\ndays = 1",
            "rules[0]",
        ),
        (
            "[[retention.rules]]\nstatus = \"queued\"\ndays = 1",
            "rules[0]",
        ),
        ("[[retention.rules]]\ndays = 99999", "rules[0]"),
        ("[[retention.rules]]\nsource = \"sftp\"", "retention.rules"),
        (
            "[[retention.rules]]\ndays = 1\ncolour = 2",
            "retention.rules",
        ),
    ] {
        let (_, retention, faults) = read(text);
        assert!(
            faults.len() == 1 && faults[0].contains(fault),
            "{text}: {faults:?}"
        );
        // A rule that is not understood deletes nothing.
        assert!(
            retention.rules.0.iter().all(|rule| rule.days > 36_500),
            "{text}"
        );
    }
}
