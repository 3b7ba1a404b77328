//! Employees from a CSV file, as spreadsheets and exchanges write it: UTF-8 or
//! Windows-1251, `;`, `,` or tab between the fields, a first line that names them.

use super::directory::Employee;

/// The file cannot be used; nothing of it is taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct CsvFault {
    /// Line in the file, from 1.
    pub line: u64,
    /// What is wrong there.
    pub what: String,
}

#[derive(Clone, Copy, PartialEq)]
enum Column {
    Name,
    FirstName,
    LastName,
    Team,
    Extension,
    Phone,
    Sip,
    User,
}

fn column(title: &str) -> Option<Column> {
    let title = title.trim().trim_matches('"').to_lowercase();
    Some(match title.as_str() {
        "name"
        | "operator"
        | "employee"
        | "full name"
        | "имя и фамилия"
        | "фио"
        | "ф.и.о."
        | "сотрудник"
        | "оператор"
        | "имя сотрудника" => Column::Name,
        "first name" | "имя" => Column::FirstName,
        "last name" | "surname" | "фамилия" => Column::LastName,
        "team" | "department" | "group" | "отдел" | "группа" | "команда" | "подразделение" => {
            Column::Team
        }
        "extension"
        | "ext"
        | "extensions"
        | "внутренний номер"
        | "добавочный"
        | "внутренний"
        | "добавочный номер" => Column::Extension,
        "phone"
        | "phones"
        | "mobile"
        | "telephone"
        | "телефон"
        | "номер"
        | "мобильный"
        | "номер телефона"
        | "телефоны" => Column::Phone,
        "sip"
        | "sip_name"
        | "sip name"
        | "login"
        | "логин"
        | "sip-логин"
        | "sip логин"
        | "имя в атс"
        | "учётная запись sip"
        | "учетная запись sip" => Column::Sip,
        "mango_user_id" | "user_id" | "id" => Column::User,
        _ => return None,
    })
}

/// Reads the employees. Columns that are not known are passed over; several
/// numbers in one field stand between `,`, `;`, `|` or `/`.
pub fn parse(bytes: &[u8]) -> Result<Vec<Employee>, CsvFault> {
    let text = text(bytes);
    let fault = |line: u64, what: &str| CsvFault {
        line,
        what: what.to_owned(),
    };
    let first = text.lines().next().unwrap_or_default();
    let delimiter = [';', '\t', ',']
        .into_iter()
        .max_by_key(|delimiter| first.matches(*delimiter).count())
        .map_or(b';', |delimiter| delimiter as u8);
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let broken = |error: &csv::Error| {
        let line = error.position().map_or(1, csv::Position::line);
        fault(line, &error.to_string())
    };
    let columns: Vec<Option<Column>> = reader
        .headers()
        .map_err(|error| broken(&error))?
        .iter()
        .map(column)
        .collect();
    if !columns.iter().any(|column| {
        matches!(
            column,
            Some(Column::Name | Column::LastName | Column::FirstName)
        )
    }) {
        return Err(fault(
            1,
            "the first line names the columns, and none of them is the name: use name, team, extension, phone, sip, mango_user_id (or ФИО, отдел, внутренний номер, телефон, SIP)",
        ));
    }
    let mut employees: Vec<Employee> = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| broken(&error))?;
        let line = line_of(&text, record.position());
        if record.iter().all(str::is_empty) {
            continue;
        }
        let get = |wanted: Column| -> Vec<&str> {
            columns
                .iter()
                .zip(record.iter())
                .filter(|(column, value)| **column == Some(wanted) && !value.is_empty())
                .map(|(_, value)| value)
                .collect()
        };
        let many = |wanted: Column| -> Vec<String> {
            get(wanted)
                .iter()
                .flat_map(|value| value.split([',', ';', '|', '/']))
                .map(|value| value.trim().to_owned())
                .filter(|value| !value.is_empty())
                .collect()
        };
        let mut name = get(Column::Name);
        if name.is_empty() {
            name = get(Column::LastName);
            name.extend(get(Column::FirstName));
        }
        let one = |wanted: Column| get(wanted).first().map(|value| (*value).to_owned());
        let employee = Employee {
            id: String::new(),
            name: name.join(" "),
            team: one(Column::Team),
            extensions: many(Column::Extension),
            phones: many(Column::Phone),
            sip: many(Column::Sip),
            mango_user_id: one(Column::User),
        }
        .tidy()
        .map_err(|what| fault(line, &what))?;
        employees.push(employee);
    }
    if employees.is_empty() {
        return Err(fault(2, "there is nobody in the file"));
    }
    Ok(employees)
}

/// Line of a record: the reader counts it from the end of the one before, with
/// the empty lines between.
fn line_of(text: &str, position: Option<&csv::Position>) -> u64 {
    let Some(byte) = position.and_then(|position| usize::try_from(position.byte()).ok()) else {
        return 0;
    };
    let rest = text.get(byte..).unwrap_or_default();
    let at = byte + rest.len() - rest.trim_start_matches(['\r', '\n']).len();
    1 + text.as_bytes()[..at]
        .iter()
        .filter(|byte| **byte == b'\n')
        .count() as u64
}

/// UTF-8 where it is that (also with a mark at the front), else Windows-1251.
fn text(bytes: &[u8]) -> String {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => encoding_rs::WINDOWS_1251.decode(bytes).0.into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUSSIAN: &str = "ФИО;Отдел;Внутренний номер;Телефон;SIP;Примечание\nОльга Щербакова;Продажи;101;8 (916) 111-22-33, +7 495 123-45-67;olga;да\n\n\"Жуков; Иван\";;102;;;\n";

    #[test]
    fn utf8_and_windows_1251_say_the_same() {
        let utf8 = parse(RUSSIAN.as_bytes()).expect("read");
        let (cp1251, _, lossy) = encoding_rs::WINDOWS_1251.encode(RUSSIAN);
        assert!(!lossy && std::str::from_utf8(&cp1251).is_err());
        assert_eq!(parse(&cp1251).expect("read"), utf8);
        let marked = format!("\u{feff}{RUSSIAN}");
        assert_eq!(parse(marked.as_bytes()).expect("read"), utf8);
        assert_eq!(utf8.len(), 2);
        assert_eq!(utf8[0].name, "Ольга Щербакова");
        assert_eq!(utf8[0].team.as_deref(), Some("Продажи"));
        assert_eq!(utf8[0].phones, ["79161112233", "74951234567"]);
        assert_eq!(utf8[0].extensions, ["101"]);
        assert_eq!(utf8[1].name, "Жуков; Иван");
    }

    #[test]
    fn commas_and_two_columns_of_names() {
        let text = "last name,first name,ext,mango_user_id\r\nЖуков,Иван,102,77\r\n";
        let read = parse(text.as_bytes()).expect("read");
        assert_eq!(read[0].name, "Жуков Иван");
        assert_eq!(read[0].mango_user_id.as_deref(), Some("77"));
    }

    #[test]
    fn faults_name_their_line() {
        for (text, line, what) in [
            ("телефон\n1", 1, "name"),
            ("name;phone\nА;8916\n", 2, "8916"),
            ("name;ext\nА;1\n\nБ;12a\n", 4, "12a"),
            ("name;ext\n;5\n", 2, "name is empty"),
            ("name\n", 2, "nobody"),
            ("", 1, "name"),
        ] {
            let fault = parse(text.as_bytes()).expect_err("a fault");
            assert_eq!(fault.line, line, "{text:?}: {fault}");
            assert!(fault.what.contains(what), "{fault}");
        }
    }
}
