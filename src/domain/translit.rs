//! Russian names in Latin letters. There is no one way to write them (MANGO's
//! file names have `jh` for ь; passports, GOST 7.79 and habit each differ), so
//! names are compared by a key in which the ways meet. Used by the directory.

/// Replacements that bring every scheme to one spelling, longest first.
/// Capital letters stand for sounds that need two letters.
const REDUCE: &[(&str, &str)] = &[
    ("shch", "S"),
    ("shh", "S"),
    ("sch", "S"),
    ("jhh", ""),
    ("zh", "Z"),
    ("kh", "h"),
    ("ch", "C"),
    ("sh", "S"),
    ("ts", "c"),
    ("tz", "c"),
    ("cz", "c"),
    ("jh", ""),
    ("jj", "i"),
    ("yu", "U"),
    ("ju", "U"),
    ("iu", "U"),
    ("ya", "A"),
    ("ja", "A"),
    ("ia", "A"),
    ("yo", "e"),
    ("jo", "e"),
    ("ye", "e"),
    ("je", "e"),
    ("j", "i"),
    ("y", "i"),
    ("w", "v"),
    ("q", "k"),
];

/// Keys of a name: two names are the same when they share one. Several, because
/// a Latin letter may stand for two Russian ones. Words are in order of the
/// alphabet, so that first and last name may change places.
pub fn keys(name: &str) -> Vec<String> {
    let latin = latin(name);
    let mut keys = Vec::new();
    for vowel_h in [false, true] {
        for x in ["ks", "h"] {
            let mut text = latin.replace('x', x);
            if vowel_h {
                text = text.replace("eh", "e").replace("ih", "i").replace("hh", "");
            }
            let mut words: Vec<String> = text.split_whitespace().map(reduce).collect();
            words.retain(|word| !word.is_empty());
            words.sort();
            let key = words.join(" ");
            if !key.is_empty() && !keys.contains(&key) {
                keys.push(key);
            }
        }
    }
    keys
}

/// A name of MANGO's scheme in Russian letters, for display; other text as it is.
pub fn readable(name: &str) -> String {
    // Only this mark tells that the Latin letters stand for Russian ones.
    if !name.contains("jh") {
        return name.to_owned();
    }
    const LETTERS: &[(&str, char)] = &[
        ("shh", 'щ'),
        ("jhh", 'ъ'),
        ("jh", 'ь'),
        ("zh", 'ж'),
        ("kh", 'х'),
        ("ch", 'ч'),
        ("sh", 'ш'),
        ("jj", 'й'),
        ("eh", 'э'),
        ("ju", 'ю'),
        ("ja", 'я'),
        ("jo", 'ё'),
        ("yu", 'ю'),
        ("ya", 'я'),
        ("yo", 'ё'),
        ("a", 'а'),
        ("b", 'б'),
        ("v", 'в'),
        ("g", 'г'),
        ("d", 'д'),
        ("e", 'е'),
        ("z", 'з'),
        ("i", 'и'),
        ("j", 'й'),
        ("k", 'к'),
        ("l", 'л'),
        ("m", 'м'),
        ("n", 'н'),
        ("o", 'о'),
        ("p", 'п'),
        ("r", 'р'),
        ("s", 'с'),
        ("t", 'т'),
        ("u", 'у'),
        ("f", 'ф'),
        ("h", 'х'),
        ("c", 'ц'),
        ("y", 'ы'),
    ];
    let mut out = String::new();
    let mut rest = name;
    while let Some(first) = rest.chars().next() {
        let lower = rest.to_lowercase();
        let found = LETTERS.iter().find(|(from, _)| lower.starts_with(from));
        match found {
            Some((from, letter)) => {
                if first.is_uppercase() {
                    out.extend(letter.to_uppercase());
                } else {
                    out.push(*letter);
                }
                rest = &rest[from.len()..];
            }
            None => {
                out.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
    }
    out
}

/// Lower case, Russian letters in Latin ones, marks of soft and hard signs taken
/// out, everything that is no letter or digit as a space.
fn latin(name: &str) -> String {
    let mut out = String::new();
    for c in name.to_lowercase().chars() {
        let text = match c {
            'а' => "a",
            'б' => "b",
            'в' => "v",
            'г' => "g",
            'д' => "d",
            'е' | 'ё' | 'э' => "e",
            'ж' | 'ž' => "zh",
            'з' => "z",
            'и' | 'і' => "i",
            'й' => "j",
            'к' => "k",
            'л' => "l",
            'м' => "m",
            'н' => "n",
            'о' => "o",
            'п' => "p",
            'р' => "r",
            'с' => "s",
            'т' => "t",
            'у' => "u",
            'ф' => "f",
            'х' => "kh",
            'ц' => "ts",
            'ч' | 'č' => "ch",
            'ш' | 'š' => "sh",
            'щ' => "shch",
            'ы' => "y",
            'ю' => "yu",
            'я' => "ya",
            'ъ' | 'ь' | '\'' | '`' | '’' | 'ʹ' | 'ʺ' | '"' => "",
            c if c.is_alphanumeric() => {
                out.push(c);
                ""
            }
            _ => " ",
        };
        out.push_str(text);
    }
    out
}

fn reduce(word: &str) -> String {
    let mut out = String::new();
    let mut rest = word;
    while let Some(first) = rest.chars().next() {
        let (taken, sound) = REDUCE
            .iter()
            .find(|(from, _)| rest.starts_with(from))
            .map_or(
                (first.len_utf8(), &rest[..first.len_utf8()]),
                |(from, to)| (from.len(), *to),
            );
        for c in sound.chars() {
            // Мария, Mariya, Mariia and Maria are one; so are Анна and Ana.
            if "AUe".contains(c) && out.ends_with('i') {
                out.pop();
            }
            if !out.ends_with(c) || c.is_ascii_digit() {
                out.push(c);
            }
        }
        rest = &rest[taken..];
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(a: &str, b: &str) -> bool {
        let b = keys(b);
        keys(a).iter().any(|key| b.contains(key))
    }

    #[test]
    fn every_way_to_write_a_name_is_the_name() {
        for (russian, ways) in [
            (
                "Пользователь1",
                &["Poljhzovateljh1", "Polzovatel1", "Pol'zovatel'1"][..],
            ),
            (
                "Юлия Щербакова",
                &[
                    "Yuliya Shcherbakova",
                    "Iuliia Shcherbakova",
                    "Julija Shherbakova",
                    "Scherbakova Julia",
                ],
            ),
            (
                "Алексей Жуков",
                &[
                    "Aleksey Zhukov",
                    "Aleksei Zhukov",
                    "Alexej Zhukov",
                    "Aleksejj Zhukov",
                    "Zhukov_Alexey",
                ],
            ),
            (
                "Михаил Хохлов",
                &["Mikhail Khokhlov", "Mixail Xoxlov", "Mihail Hohlov"],
            ),
            (
                "Цветкова Ольга",
                &["Czvetkova Ol'ga", "Tsvetkova Olga", "Cvetkova Oljhga"],
            ),
            (
                "Наталья Эйдельман",
                &[
                    "Nataljhja Ehjjdeljhman",
                    "Natal'ya E'jdel'man",
                    "Natalia Eidelman",
                ],
            ),
            (
                "Пётр Королёв",
                &["Petr Korolev", "Pyotr Korolyov", "Pjotr Koroljov"],
            ),
            (
                "Дмитрий Мышкин",
                &[
                    "Dmitriy Myshkin",
                    "Dmitrii Myshkin",
                    "Dmitrij Mihshkin",
                    "Dmitry Myshkin",
                ],
            ),
            ("Мехов Антон", &["Mehov Anton", "Mekhov Anton"]),
        ] {
            for way in ways {
                assert!(
                    same(russian, way),
                    "{russian} {:?} / {way} {:?}",
                    keys(russian),
                    keys(way)
                );
            }
        }
    }

    #[test]
    fn others_are_others() {
        for (a, b) in [
            ("Иванов", "Иванова"),
            ("Пользователь1", "Poljhzovateljh2"),
            ("Пользователь11", "Poljhzovateljh1"),
            ("Жуков", "Zukov"),
            ("Шаров", "Sarov"),
        ] {
            assert!(!same(a, b), "{a} / {b}");
        }
        assert!(keys("( )").is_empty());
    }

    #[test]
    fn names_of_mango_become_readable() {
        assert_eq!(readable("Poljhzovateljh1"), "Пользователь1");
        assert_eq!(readable("Oljhga Shherbakova"), "Ольга Щербакова");
        assert_eq!(readable("John Smith"), "John Smith");
        assert_eq!(readable("Ольга"), "Ольга");
    }
}
