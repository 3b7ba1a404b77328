//! The directory of employees: whose extension, phone or name in the telephone
//! exchange it is. Pure; kept by `store::employees`, asked when a call arrives.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::details::MANGO_USER;
use super::{CallDetails, phone, translit};

/// Names of this many letters and more may differ in one of them.
const FUZZY_FROM: usize = 8;

/// Somebody of ours.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Employee {
    /// Made by us; stays the same.
    pub id: String,
    /// Name as it stands with the calls.
    pub name: String,
    /// Part of the organisation.
    pub team: Option<String>,
    /// Extensions of the exchange.
    pub extensions: Vec<String>,
    /// Phones, normalised.
    pub phones: Vec<String>,
    /// Names in the exchange: SIP accounts and how it shows the person.
    pub sip: Vec<String>,
    /// Number of the person in MANGO.
    pub mango_user_id: Option<String>,
}

impl Employee {
    /// Brings the fields into their one form; says what is wrong with them.
    pub fn tidy(mut self) -> Result<Self, String> {
        self.name = self.name.split_whitespace().collect::<Vec<_>>().join(" ");
        if self.name.is_empty() {
            return Err("the name is empty".to_owned());
        }
        if self.name.chars().count() > 120 {
            return Err("the name is longer than 120 characters".to_owned());
        }
        let some = |text: Option<String>| {
            text.map(|text| text.trim().to_owned())
                .filter(|text| !text.is_empty())
        };
        self.team = some(self.team);
        self.mango_user_id = some(self.mango_user_id);
        let mut phones = Vec::new();
        for text in std::mem::take(&mut self.phones) {
            if text.trim().is_empty() {
                continue;
            }
            let Some(phone) = phone::normalize(&text) else {
                return Err(format!("{text:?} is no phone number"));
            };
            if !phones.contains(&phone) {
                phones.push(phone);
            }
        }
        self.phones = phones;
        let mut extensions = Vec::new();
        for text in std::mem::take(&mut self.extensions) {
            if text.trim().is_empty() {
                continue;
            }
            let Some(extension) = phone::extension(&text) else {
                return Err(format!("{text:?} is no extension: up to six digits"));
            };
            if !extensions.contains(&extension) {
                extensions.push(extension);
            }
        }
        self.extensions = extensions;
        self.sip = std::mem::take(&mut self.sip)
            .into_iter()
            .filter_map(|text| some(Some(text)))
            .collect();
        self.sip.dedup();
        Ok(self)
    }

    /// Takes over what `newer` says; lists are replaced where it has one.
    pub fn update(&mut self, newer: Employee) {
        let Employee {
            id: _,
            name,
            team,
            extensions,
            phones,
            sip,
            mango_user_id,
        } = newer;
        self.name = name;
        self.team = team.or(self.team.take());
        self.mango_user_id = mango_user_id.or(self.mango_user_id.take());
        for (mine, newer) in [
            (&mut self.extensions, extensions),
            (&mut self.phones, phones),
            (&mut self.sip, sip),
        ] {
            if !newer.is_empty() {
                *mine = newer;
            }
        }
    }

    /// Whether both stand for one person: the same id in MANGO, else the same name.
    pub fn is(&self, other: &Employee) -> bool {
        match (&self.mango_user_id, &other.mango_user_id) {
            (Some(a), Some(b)) => a == b,
            _ => self.name.to_lowercase() == other.name.to_lowercase(),
        }
    }
}

/// All employees, with ways to find one.
#[derive(Debug, Default)]
pub struct Directory {
    employees: Vec<Employee>,
    /// Index by `kind:value`; `None` where two share it, so that nobody is named wrongly.
    by: HashMap<String, Option<usize>>,
    /// Words of each key of each name, with whose it is.
    names: Vec<(String, usize)>,
}

impl Directory {
    /// Of these employees.
    pub fn new(employees: Vec<Employee>) -> Self {
        let mut directory = Self {
            employees,
            ..Self::default()
        };
        for index in 0..directory.employees.len() {
            let employee = directory.employees[index].clone();
            for extension in &employee.extensions {
                directory.note("extension", extension, index);
            }
            for phone in &employee.phones {
                directory.note("phone", phone, index);
            }
            if let Some(user) = &employee.mango_user_id {
                directory.note("user", user, index);
            }
            for name in employee.sip.iter().chain([&employee.name]) {
                directory.note("sip", &name.to_lowercase(), index);
                for key in translit::keys(name) {
                    directory.note("name", &key, index);
                    directory.names.push((key, index));
                }
            }
        }
        directory
    }

    fn note(&mut self, kind: &str, value: &str, index: usize) {
        self.by
            .entry(format!("{kind}:{value}"))
            .and_modify(|known| *known = known.filter(|known| *known == index))
            .or_insert(Some(index));
    }

    fn find(&self, kind: &str, value: &str) -> Option<&Employee> {
        let index = (*self.by.get(&format!("{kind}:{value}"))?)?;
        self.employees.get(index)
    }

    /// All of them.
    pub fn employees(&self) -> &[Employee] {
        &self.employees
    }

    /// Whose phone it is; the number is normalised.
    pub fn of_phone(&self, phone: &str) -> Option<&Employee> {
        self.find("phone", phone)
    }

    /// Whose extension it is.
    pub fn of_extension(&self, extension: &str) -> Option<&Employee> {
        self.find("extension", extension)
    }

    /// Whose name it is: as the exchange shows it, in Russian or Latin letters, in
    /// any order, also the last name alone, also with one letter wrong in a long
    /// one. `None` where it may be two people's.
    pub fn of_name(&self, name: &str) -> Option<&Employee> {
        if let Some(known) = self.by.get(&format!("sip:{}", name.trim().to_lowercase())) {
            return known.and_then(|index| self.employees.get(index));
        }
        let keys = translit::keys(name);
        let unique = |wanted: &dyn Fn(&str) -> bool| {
            let mut found = None;
            for (key, index) in &self.names {
                if wanted(key) {
                    if found.is_some_and(|found| found != *index) {
                        return None;
                    }
                    found = Some(*index);
                }
            }
            found.and_then(|index| self.employees.get(index))
        };
        let exact = |key: &str| keys.iter().any(|wanted| wanted == key);
        if self.names.iter().any(|(key, _)| exact(key)) {
            return unique(&exact);
        }
        let part = |key: &str| {
            let known: Vec<&str> = key.split(' ').collect();
            keys.iter().any(|wanted| {
                wanted.len() >= 4 && wanted.split(' ').all(|word| known.contains(&word))
            })
        };
        let similar = |key: &str| {
            keys.iter().any(|wanted| {
                let digits =
                    |text: &str| -> String { text.chars().filter(char::is_ascii_digit).collect() };
                wanted.len().min(key.len()) >= FUZZY_FROM
                    && digits(wanted) == digits(key)
                    && strsim::damerau_levenshtein(wanted, key) <= 1
            })
        };
        unique(&part).or_else(|| unique(&similar))
    }

    /// Our person in a call: by the number in MANGO, extension, phone, then by name.
    pub fn operator_of(&self, details: &CallDetails) -> Option<&Employee> {
        let phone = |number: &Option<phone::Number>| {
            let number = number.as_ref()?;
            match &number.phone {
                Some(phone) => self.of_phone(phone),
                None => self.of_extension(&phone::extension(&number.text)?),
            }
        };
        details
            .id_of(MANGO_USER)
            .and_then(|user| self.find("user", user))
            .or_else(|| self.of_extension(details.extension.as_deref()?))
            .or_else(|| phone(&details.operator_phone))
            .or_else(|| self.of_name(details.operator_name.as_deref()?))
            .or_else(|| phone(&details.redirect))
            .or_else(|| match (phone(&details.caller), phone(&details.called)) {
                // Two of ours: nobody knows whose call it is.
                (Some(_), Some(_)) => None,
                (one, other) => one.or(other),
            })
    }
}

#[cfg(test)]
mod tests {
    use super::super::phone::Number;
    use super::*;

    fn employee(name: &str, extension: &str, phone: &str, sip: &str) -> Employee {
        Employee {
            name: name.to_owned(),
            extensions: vec![extension.to_owned()],
            phones: vec![phone.to_owned()],
            sip: vec![sip.to_owned()],
            ..Employee::default()
        }
        .tidy()
        .expect("an employee")
    }

    fn directory() -> Directory {
        Directory::new(vec![
            employee("Ольга Щербакова", "101", "8 916 111-22-33", "olga"),
            employee("Иван Жуков", "102", "", "user2"),
            employee("Пётр Жуков", "103", "", "Пользователь1"),
        ])
    }

    #[test]
    fn a_person_is_found_by_what_the_exchange_sends() {
        let directory = directory();
        let name = |text: &str| directory.of_name(text).map(|found| found.name.as_str());
        for (text, who) in [
            ("OLGA", Some("Ольга Щербакова")),
            ("Shherbakova Oljhga", Some("Ольга Щербакова")),
            ("Scherbakova", Some("Ольга Щербакова")),
            ("Ольга Щербакава", Some("Ольга Щербакова")),
            ("Zhukov Ivan", Some("Иван Жуков")),
            ("Zhukov", None),
            ("Poljhzovateljh1", Some("Пётр Жуков")),
            ("Poljhzovateljh2", None),
            ("Семён", None),
        ] {
            assert_eq!(name(text), who, "{text}");
        }
        let of = |details: CallDetails| {
            directory
                .operator_of(&details)
                .map(|found| found.name.clone())
        };
        let by_extension = CallDetails {
            extension: Some("102".to_owned()),
            ..CallDetails::default()
        };
        assert_eq!(of(by_extension).as_deref(), Some("Иван Жуков"));
        let by_end = CallDetails {
            called: Number::of("+7 916 111 22 33"),
            ..CallDetails::default()
        };
        assert_eq!(of(by_end).as_deref(), Some("Ольга Щербакова"));
        assert_eq!(of(CallDetails::default()), None);
    }

    #[test]
    fn what_two_share_names_nobody() {
        let directory = Directory::new(vec![
            employee("А", "101", "", "a"),
            employee("Б", "101", "", "b"),
            employee("В", "101", "", "c"),
        ]);
        assert_eq!(directory.of_extension("101"), None);
    }

    #[test]
    fn faults_are_told() {
        let with = |phone: &str| Employee {
            name: "А".to_owned(),
            phones: vec![phone.to_owned()],
            ..Employee::default()
        };
        assert!(with("Иван").tidy().expect_err("a fault").contains("Иван"));
        assert!(with("8 916 111 22 33").tidy().is_ok());
        assert!(Employee::default().tidy().is_err());
    }
}
