//! Tests of what names tell.

use super::*;
use crate::domain::directory::Employee;

fn directory() -> Directory {
    let employee = |name: &str, extension: &str, phone: &str| {
        Employee {
            name: name.to_owned(),
            extensions: vec![extension.to_owned()],
            phones: vec![phone.to_owned()],
            ..Employee::default()
        }
        .tidy()
        .expect("an employee")
    };
    Directory::new(vec![
        employee("Пользователь2", "102", ""),
        employee("Ольга Щербакова", "101", "79923298774"),
    ])
}

fn moscow() -> TimeZone {
    TimeZone::get("Europe/Moscow").expect("a zone")
}

fn read(name: &str) -> NameFacts {
    NamePatterns::new(&[])
        .expect("the built-in")
        .read(name, &moscow(), &directory())
}

fn ends(facts: &NameFacts) -> (Option<&str>, Option<&str>) {
    let text = |number: &'_ Option<Number>| number.as_ref().map(|number| number.text.clone());
    let leak = |text: Option<String>| text.map(|text| &*text.leak());
    (
        leak(text(&facts.details.caller)),
        leak(text(&facts.details.called)),
    )
}

#[test]
fn the_official_name() {
    let facts = read(
        "2021.03.30__10-33-20__Poljhzovateljh1(SipCmd)__Poljhzovateljh2(SipCmd)_11322899185_2661322.mp3",
    );
    assert_eq!(facts.pattern.as_deref(), Some("mango"));
    assert_eq!(
        facts.started_at.map(|at| at.to_string()).as_deref(),
        Some("2021-03-30T07:33:20Z")
    );
    assert_eq!(
        ends(&facts),
        (
            Some("Poljhzovateljh1(SipCmd)"),
            Some("Poljhzovateljh2(SipCmd)")
        )
    );
    assert_eq!(facts.details.id_of("name_id1"), Some("11322899185"));
    assert_eq!(facts.details.id_of("name_id2"), Some("2661322"));
    // The second is in the directory, the first may be anybody.
    assert_eq!(facts.direction, Some(Direction::Inbound));
    assert_eq!(
        facts.details.operator_name.as_deref(),
        Some("Пользователь2")
    );
}

#[test]
fn every_form_of_a_name() {
    use Direction::{Inbound, Outbound};
    for (name, direction, caller, called, operator) in [
        (
            "2025.07.15__11-03-07__79173250913__79923298774.mp3",
            Some(Inbound),
            "79173250913",
            "79923298774",
            None,
        ),
        (
            "2025.07.15__11-03-07__79923298774__79173250913.mp3",
            Some(Outbound),
            "79923298774",
            "79173250913",
            None,
        ),
        (
            "2025.07.15__11-03-07__79173250913__79173250914.mp3",
            None,
            "79173250913",
            "79173250914",
            None,
        ),
        (
            "2025.07.15__11-03-07__79173250913__101_vpbx400123.mp3",
            Some(Inbound),
            "79173250913",
            "101",
            None,
        ),
        (
            "2025.07.15__11-03-07__Shherbakova_Oljhga__79173250913_5.wav",
            Some(Outbound),
            "Shherbakova_Oljhga",
            "79173250913",
            Some("Щербакова Ольга"),
        ),
        (
            "2025.07.15__11-03-07__Новый Сотрудник(105)__8 (917) 325-09-13_123456.ogg",
            Some(Outbound),
            "Новый Сотрудник(105)",
            "8 (917) 325-09-13",
            Some("Новый Сотрудник"),
        ),
        (
            "2025.07.15__11-03-07__79173250913__Petrov.m4a",
            Some(Inbound),
            "79173250913",
            "Petrov",
            Some("Petrov"),
        ),
        (
            "2025.07.15__11-03-07__anonymous__102.mp3",
            Some(Inbound),
            "anonymous",
            "102",
            None,
        ),
        (
            "2025.07.15__11-03-07__101__102.mp3",
            None,
            "101",
            "102",
            None,
        ),
        (
            "folder/15.07.2025__79173250913__101__11-03-07.mp3",
            Some(Inbound),
            "79173250913",
            "101",
            None,
        ),
        (
            "vpbx400__11-03-07__2025-07-15__102__79173250913_11322899185_266.mp3",
            Some(Outbound),
            "102",
            "79173250913",
            None,
        ),
    ] {
        let facts = read(name);
        assert_eq!(
            facts.started_at.map(|at| at.to_string()).as_deref(),
            Some("2025-07-15T08:03:07Z"),
            "{name}"
        );
        assert_eq!(facts.direction, direction, "{name}");
        let (from, to) = ends(&facts);
        let part = |text: Option<&str>| text.map(str::to_owned);
        let wanted_caller = caller.split('(').next().expect("text");
        assert!(
            part(from).is_some_and(
                |text| text.starts_with(wanted_caller.trim()) || caller.starts_with(&text)
            ),
            "{name}: {from:?}"
        );
        assert_eq!(to, Some(called), "{name}");
        assert_eq!(facts.details.operator_name.as_deref(), operator, "{name}");
        assert_eq!(facts.details.name_recognised, Some(true), "{name}");
    }
    assert_eq!(
        read("2025.07.15__11-03-07__79173250913__101_vpbx400123.mp3")
            .details
            .id_of("vpbx"),
        Some("400123")
    );
}

#[test]
fn a_name_that_no_pattern_knows_says_so() {
    for name in [
        "звонок.mp3",
        "",
        "a__b__c__d.mp3",
        "2025.13.45.mp3",
        "call_79161234567.mp3",
        "__.mp3",
        "2025.07.15__11-03-07__a.mp3",
    ] {
        let facts = read(name);
        assert_eq!(facts.pattern, None, "{name}");
        assert_eq!(facts.details.name_recognised, Some(false), "{name}");
        assert_eq!((facts.started_at, facts.direction), (None, None), "{name}");
    }
}

#[test]
fn own_patterns_come_first_and_are_checked() {
    let own = |expression: &str| NamePatterns::new(&[("crm".to_owned(), expression.to_owned())]);
    let patterns = own(r"^(?<direction>in|out)-(?<phone>\d+)-(?<extension>\d+)-(?<datetime>\d{8}_\d{6})-order(?<order_id>\w+)$").expect("valid");
    let facts = patterns.read(
        "out-89173250913-101-20250715_110307-orderA7.mp3",
        &moscow(),
        &directory(),
    );
    assert_eq!(facts.pattern.as_deref(), Some("crm"));
    assert_eq!(facts.direction, Some(Direction::Outbound));
    assert_eq!(
        facts.started_at.map(|at| at.to_string()).as_deref(),
        Some("2025-07-15T08:03:07Z")
    );
    assert_eq!(
        facts.details.called.expect("the client").phone.as_deref(),
        Some("79173250913")
    );
    assert_eq!(facts.details.order_ids, ["A7"]);
    assert_eq!(facts.details.extension.as_deref(), Some("101"));
    for (expression, what) in [
        ("(", "regular"),
        ("^(?<who>.+)$", "who"),
        ("^.+$", "named group"),
    ] {
        let faults = own(expression).expect_err("a fault");
        assert!(faults[0].0 == 0 && faults[0].1.contains(what), "{faults:?}");
    }
    // What ours does not know the built-in ones may.
    let built_in = patterns.read(
        "2025.07.15__11-03-07__79173250913__101.mp3",
        &moscow(),
        &directory(),
    );
    assert_eq!(built_in.pattern.as_deref(), Some("mango"));
}

#[test]
fn times_as_systems_write_them() {
    for text in [
        "1752566587",
        "1752566587000",
        "2025-07-15T08:03:07Z",
        "2025-07-15 11:03:07",
        "15.07.2025 11:03:07",
        "20250715110307",
        "2025.07.15_11-03-07",
        "15/07/2025 11:03:07",
    ] {
        let at = told_time(text, &moscow()).map(|at| at.to_string());
        assert_eq!(at.as_deref(), Some("2025-07-15T08:03:07Z"), "{text}");
    }
    for text in ["", "0", "12", "yesterday", "2025-07-15", "99999999999999"] {
        assert_eq!(told_time(text, &moscow()), None, "{text}");
    }
}
